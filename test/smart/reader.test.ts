import t from 'tap'
import { readerOf, usualReader } from '../../src/smart/reader.ts'

t.test('who signed in says who reads; before that, whom the mode is for', (t) => {
  for (const [user, kind, reader] of [
    ['practitioner', undefined, 'clinician'],
    ['any', undefined, 'clinician'],
    ['patient', undefined, 'patient'],
    ['any', 'patient', 'patient'],
    ['any', 'related_person', 'patient'],
    ['any', 'practitioner', 'clinician'],
    ['any', 'other', 'clinician'],
    ['patient', 'other', 'patient'],
  ] as const) {
    t.equal(readerOf({ user }, kind), reader, `${user}, ${String(kind)}`)
  }
  t.end()
})

t.test('a page that knows no launch speaks to clinicians wherever there is one', (t) => {
  const tenant = (...users: readonly ('practitioner' | 'patient' | 'any')[]) => ({
    modes: users.map((user) => ({ user })),
  })
  t.equal(usualReader([tenant('patient'), tenant('patient', 'patient')]), 'patient')
  t.equal(usualReader([tenant('patient'), tenant('patient', 'any')]), 'clinician')
  t.equal(usualReader([tenant('practitioner')]), 'clinician')
  t.end()
})
