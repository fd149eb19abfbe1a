import t from 'tap'
import { createPseudonyms } from '../../src/audit/pseudonyms.ts'
import { readFilter } from '../../src/staff/filter.ts'
import { addressOf, tooMany } from '../../src/staff/typed.ts'
import { testConfig } from '../support/config.ts'

const pseudonyms = createPseudonyms(testConfig().keys.pseudonym)
const north = { id: 'north', iss: 'https://ehr.north.example/fhir/' }
const isKnown = async (name: string) => name === 'anna.auditor'
const type = (typed: object, tenants = [north]) =>
  addressOf(typed, { tenants, pseudonyms, isKnown })

t.test('what is typed becomes what the log holds', async (t) => {
  const user = async (typed: string) => (await type({ user: typed })).get('user')
  t.equal(
    await user('Practitioner/7'),
    'Practitioner/7,https://ehr.north.example/fhir/Practitioner/7',
  )
  t.equal(await user('anna.auditor'), 'anna.auditor', 'a name that the log knows')
  t.match(await user('john.smith'), /^p1\.[\w-]{22},p1\.[\w-]{22}$/, 'a name that it does not')
  const patient = async (typed: string) => (await type({ patient: typed })).get('patient')
  t.equal(await patient('Patient/4711'), pseudonyms.patient('north', '4711'))
  t.equal(await patient('4711'), pseudonyms.patient('north', '4711'))
  t.equal((await type({ request: ' 7k3m 9qxw-2b ' })).get('request'), '7K3M-9QXW-2B')
  t.equal((await type({ request: 'OILM-9QXW-2B' })).get('request'), '011M-9QXW-2B')
  t.equal((await type({ resource: 'observation' })).get('resource'), 'Observation')
  t.match((await type({ launch: 'x'.repeat(43) })).get('launch'), /^[0-9a-f]{16}$/)
})

t.test('more tenants than one search takes are said, not cut', async (t) => {
  const many = Array.from({ length: 65 }, (_, at) => ({ ...north, id: `t${String(at)}` }))
  t.equal(tooMany(await type({ patient: '4711' }, many)), true)
  t.equal(tooMany(await type({ patient: '4711', tenant: 't3' }, many)), false)
  t.equal(tooMany(await type({}, many)), false)
})

t.test('times: around, the last days, from and to', async (t) => {
  const now = Date.UTC(2026, 2, 8, 12)
  const span = (query: object) => {
    const read = readFilter(query, 'Europe/Vienna', now)
    return read.ok ? [read.filter.query.from, read.filter.query.to] : read.fields
  }
  const at = Date.UTC(2026, 2, 1, 9, 14)
  t.same(span({ around: '2026-03-01T10:14' }), [at - 900_000, at + 900_000])
  t.same(span({ last: '7' }), [now - 7 * 86_400_000, undefined])
  t.same(span({ from: '2026-03-01T10:14', to: '2026-03-01T10:14' }), [at, at + 60_000])
  t.same(span({ from: '2026-03-01T10:14', last: '7' }), [at, undefined])
  t.same(span({ around: '2026-02-31T10:14' }), ['around'])
  t.same(span({ from: '0226-03-01T10:00' }), ['from'])
  const night = '2026-10-25T02:30'
  const [first, second] = [Date.UTC(2026, 9, 25, 0, 30), Date.UTC(2026, 9, 25, 1, 30)]
  t.same(span({ around: night }), [first - 900_000, second + 900_000], 'an hour that came twice')
  t.same(span({ from: night, to: night }), [first, second + 60_000])
})

t.test('what is told of a search is what was looked for', async (t) => {
  const told = (query: object) => {
    const read = readFilter(query, 'UTC', Date.UTC(2026, 2, 8, 12))
    return read.ok ? read.filter.fields : read.fields
  }
  const time = '2026-02-01T10:14'
  const zone = 'UTC'
  t.same(told({ last: '1', around: time, from: time, to: time }), { around: time, zone })
  t.same(told({ last: '7', from: time, to: time }), { from: time, to: time, zone })
  t.same(told({ last: '7', to: time }), { last: '7', to: time, zone })
  t.same(told({ last: '7' }), { last: '7', zone })
})
