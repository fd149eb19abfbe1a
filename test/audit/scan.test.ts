import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { createPseudonyms } from '../../src/audit/pseudonyms.ts'
import { scanAudit } from '../../src/audit/scan.ts'
import type { ScanQuery } from '../../src/audit/scan.ts'
import { auditConfig, pseudonymKey, user } from './support.ts'

const dayMs = 86_400_000
const began = Date.parse('2026-03-01T12:00:00.000Z')
const pseudonyms = createPseudonyms([pseudonymKey])

const read = (count: number, more: Partial<AuditEvent> = {}): AuditEvent => ({
  event: 'fhir.access',
  outcome: 'success',
  tenant: 'north',
  resource: 'Observation',
  launch: `launch-${String(count % 2)}`,
  patient: `p${String(count)}`,
  user,
  count,
  ...more,
})

/** Three days of two instances, the first day compressed. */
async function twoInstances() {
  const config = auditConfig()
  const { directory } = config.audit
  for (const instance of ['one', 'two']) {
    for (const day of [0, 1, 2]) {
      const own = { ...auditConfig({ directory }), instance }
      const at = began + day * dayMs + (instance === 'two' ? 500 : 0)
      const audit = await createAudit({ config: own, now: () => at })
      const count = day * 10 + (instance === 'two' ? 1 : 0)
      await audit.record(read(count))
      await audit.record(read(count + 5, { resource: 'ObservationDefinition', user: undefined }))
      await audit.close()
    }
  }
  const first = join(directory, '2026-03-01.one.jsonl')
  writeFileSync(`${first}.gz`, gzipSync(readFileSync(first)))
  rmSync(first)
  const counts = async (query: Partial<ScanQuery>) => {
    const found: unknown[] = []
    const scan = await scanAudit([directory, directory], { limit: 100, ...query }, ({ record }) => {
      found.push(record.count ?? record.event)
      return true
    })
    return { found, scan }
  }
  return { directory, counts }
}

t.test('instances come together in the order of time, compressed files too', async (t) => {
  const { counts } = await twoInstances()
  const { found, scan } = await counts({ event: 'fhir.access' })
  t.same(found, [0, 5, 1, 6, 10, 15, 11, 16, 20, 25, 21, 26])
  t.match(scan, { files: 6, lines: 24, unreadable: 0, found: 12, more: false })
})

t.test('by patient, user, launch, type and time', async (t) => {
  const { counts } = await twoInstances()
  t.same((await counts({ patients: pseudonyms.everyPatient('north', 'p11') })).found, [11])
  t.same((await counts({ patients: pseudonyms.everyPatient('south', 'p11') })).found, [])
  t.same((await counts({ users: ['Practitioner/7'] })).found, [0, 1, 10, 11, 20, 21])
  t.same((await counts({ users: ['Practitioner/70'] })).found, [])
  t.same((await counts({ launch: pseudonyms.launch('launch-0') })).found, [0, 6, 10, 16, 20, 26])
  t.same((await counts({ resource: 'Observation' })).found, [0, 1, 10, 11, 20, 21])
  const day = await counts({ event: 'fhir.access', from: began + dayMs, to: began + dayMs + 1 })
  t.same(day.found, [10, 15])
  t.ok(day.scan.files < 6, 'files of other days are passed over')
  t.same((await counts({ outcome: 'refused' })).found, [])
})

t.test('more than wanted is said, and lines that are no records are counted', async (t) => {
  const { directory, counts } = await twoInstances()
  const few = await counts({ event: 'fhir.access', limit: 3 })
  t.same(few.found, [0, 5, 1])
  t.equal(few.scan.more, true)
  t.equal((await counts({ event: 'fhir.access', limit: 12 })).scan.more, false)
  appendFileSync(
    join(directory, '2026-03-02.one.jsonl'),
    'John Smith\n{"seq":99,"time":"x","event":"fhir.access"}\n{"seq":100,"ti',
  )
  const { scan, found } = await counts({ event: 'fhir.access' })
  t.equal(scan.unreadable, 2)
  t.notMatch(JSON.stringify(found), 'Smith')
})

t.test('records that a clock before midnight wrote into the next file are found', async (t) => {
  const config = auditConfig()
  let now = Date.parse('2026-03-02T00:00:01.000Z')
  const audit = await createAudit({ config, now: () => now })
  now -= 2000
  await audit.record(read(7))
  await audit.close()
  const found: unknown[] = []
  await scanAudit(
    [config.audit.directory],
    { limit: 10, event: 'fhir.access', to: Date.parse('2026-03-02T00:00:00.000Z') },
    ({ record }) => found.push(record.count) > 0,
  )
  t.same(found, [7])
})

t.test(
  'records of a clock that was ahead, and was put right, are found when that day is past',
  async (t) => {
    const config = auditConfig()
    const { directory } = config.audit
    let now = began
    const day = async (count: number, at: number) => {
      const audit = await createAudit({ config, now: () => now })
      now = at
      await audit.record(read(count))
      await audit.close()
    }
    for (const count of [0, 1, 2]) await day(count, (now = began + count * dayMs))
    // A month ahead at its start, and right again at the first record.
    now = began + 30 * dayMs
    await day(3, began + 3 * dayMs)
    await day(4, (now = began + 31 * dayMs))
    await day(5, (now = began + 32 * dayMs))
    const found: unknown[] = []
    const scan = await scanAudit(
      [directory],
      { limit: 10, event: 'fhir.access', from: began + dayMs, to: began + 4 * dayMs },
      ({ record }) => found.push(record.count) > 0,
    )
    t.same(found, [1, 2, 3])
    t.ok(scan.passed > 0, 'files of other days are passed over, and counted')
  },
)

t.test('whoever has seen enough ends it', async (t) => {
  const { directory } = await twoInstances()
  const found: unknown[] = []
  const scan = await scanAudit(
    [directory],
    { limit: 100, event: 'fhir.access' },
    ({ record }) => found.push(record.count) < 2,
  )
  t.same(found, [0, 5])
  t.match(scan, { files: 2, found: 2, more: true })
})
