import * as fc from 'fast-check'
import t from 'tap'
import { createPseudonyms } from '../../src/audit/pseudonyms.ts'
import { Secret } from '../../src/config/secret.ts'
import { pseudonymKey } from './support.ts'

const other = { id: 'p0', secret: new Secret(Buffer.alloc(32, 'older').toString('base64url')) }
const pseudonyms = createPseudonyms([pseudonymKey, other])

t.test('key id in front, 128 bits, under the first key; a search asks under all', async (t) => {
  const one = pseudonyms.patient('north', 'p1')
  t.match(one, /^p1\.[A-Za-z0-9_-]{22}$/)
  t.same(pseudonyms.everyPatient('north', 'p1'), [
    one,
    createPseudonyms([other]).patient('north', 'p1'),
  ])
  t.equal(pseudonyms.patient('north', 'p1'), one, 'the same from the cache')
})

t.test('no two inputs give one pseudonym', async (t) => {
  const parts = fc.string({ unit: 'binary', maxLength: 6 })
  const seen = new Map<string, string>()
  const note = (pseudonym: string, input: readonly unknown[]): boolean => {
    const text = JSON.stringify(input)
    const before = seen.get(pseudonym)
    seen.set(pseudonym, text)
    return before === undefined || before === text
  }
  fc.assert(
    fc.property(parts, parts, (a, b) => note(pseudonyms.patient(a, b), ['patient', a, b])),
    { numRuns: 5000 },
  )
  for (const [a, b] of [
    ['a', 'bc'],
    ['ab', 'c'],
    ['', 'abc'],
    ['1:a', 'b'],
    ['', '6:client'],
    ['x', '\ud800'],
    ['x', '\ud801'],
    ['x', '\ufffd'],
    ['x', '"\\ud800"'],
  ]) {
    t.ok(note(pseudonyms.patient(a ?? '', b ?? ''), ['patient', a, b]))
  }
  t.ok(note(pseudonyms.client('abc'), ['client', 'abc']))
  t.ok(note(pseudonyms.user('a', { issuer: 'b', subject: 'c', fhirUser: undefined }), ['subject']))
  t.ok(note(pseudonyms.user('a', { issuer: 'b', subject: 'c', fhirUser: 'bc' }), ['fhirUser']))
})

t.test('the cache forgets without changing an answer', async (t) => {
  const first = pseudonyms.patient('north', 'id-0')
  for (let index = 0; index < 20_000; index += 1) pseudonyms.patient('north', `id-${String(index)}`)
  t.equal(pseudonyms.patient('north', 'id-0'), first)
})
