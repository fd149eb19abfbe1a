import t from 'tap'
import { displaced, superseded } from '../../src/launch/older.ts'
import type { LaunchRecord, LaunchUser } from '../../src/vault/record.ts'
import { exampleRecord } from '../vault/example.ts'

/** Which launches a newer one ends: pure, so that launches which complete at the same instant agree. */

const ada: LaunchUser = {
  issuer: 'https://ehr.example',
  subject: 'ada',
  fhirUser: undefined,
  kind: undefined,
}
const bob: LaunchUser = { ...ada, subject: 'bob' }

const launch = (
  id: string,
  startedAt: number,
  patient: string | undefined,
  changes: Partial<LaunchRecord> = {},
): LaunchRecord => {
  const record = exampleRecord(id, startedAt, { user: ada, ...changes })
  return { ...record, context: { ...record.context, patient } }
}
const ids = (doomed: readonly { readonly launch: string }[]) => doomed.map((one) => one.launch)

t.test('a newer launch for another patient takes the place of older ones', (t) => {
  const newest = launch('c', 3, 'p2')
  t.same(ids(superseded([launch('a', 1, 'p1'), launch('b', 2, 'p1'), newest], newest)), ['a', 'b'])
  t.end()
})

t.test('the same patient, another user, another tenant and no patient stay', (t) => {
  const newest = launch('z', 9, 'p2')
  const others = [
    launch('a', 1, 'p2'),
    launch('b', 2, 'p1', { user: bob }),
    launch('c', 3, 'p1', { tenant: 'south' }),
    launch('d', 4, undefined),
  ]
  t.same(superseded([...others, newest], newest), [])
  t.end()
})

t.test('a launch that was overtaken while it completed ends itself', (t) => {
  const slow = launch('a', 1, 'p1')
  t.same(ids(superseded([slow, launch('b', 2, 'p2')], slow)), ['a'])
  t.end()
})

t.test('of launches of one instant every one of them keeps the same', (t) => {
  const all = ['a', 'b', 'c'].map((id) => launch(id, 1, `p-${id}`))
  for (const one of all) t.same(ids(superseded(all, one)), ['a', 'b'])
  t.end()
})

t.test('an unknown user equals nobody', (t) => {
  const unknown: LaunchUser = { ...ada, issuer: undefined, subject: undefined }
  const newest = launch('b', 2, 'p2', { user: unknown })
  t.same(superseded([launch('a', 1, 'p1', { user: unknown }), newest], newest), [])
  t.end()
})

t.test('beyond the limit the oldest go, whatever part of them one sees', (t) => {
  const all = ['a', 'b', 'c', 'd', 'e'].map((id, index) => launch(id, index, 'p1'))
  t.same(displaced(all, 3), [
    { launch: 'b', cause: 'launch_limit' },
    { launch: 'a', cause: 'launch_limit' },
  ])
  t.same(ids(displaced(all.slice(0, 4), 3)), ['a'])
  t.same(displaced(all, 5), [])
  t.end()
})
