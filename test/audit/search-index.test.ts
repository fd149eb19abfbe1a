import { appendFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import { genesis, link } from '../../src/audit/chain.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { createPseudonyms } from '../../src/audit/pseudonyms.ts'
import { createSearchIndex } from '../../src/audit/search-index/search-index.ts'
import type { AuditQuery } from '../../src/audit/search-index/query.ts'
import { questionOf } from '../../src/staff/questions.ts'
import { auditConfig, pseudonymKey } from './support.ts'

const began = Date.parse('2026-03-01T12:00:00.000Z')
const pseudonyms = createPseudonyms([pseudonymKey])
const newest = { order: 'newest', limit: 10 } as const

async function logOf(t: Test, events: readonly AuditEvent[]) {
  const config = auditConfig()
  let now = began
  const audit = await createAudit({ config, now: () => (now += 1000) })
  for (const event of events) await audit.record(event)
  const { directory } = config.audit
  const index = createSearchIndex({ directory, instance: 'one', pollMs: 50 })
  t.teardown(async () => {
    await index.close()
    await audit.close()
  })
  const counts = async (query: Omit<AuditQuery, 'limit' | 'order'>): Promise<unknown[]> => {
    const { records } = await index.search({ ...query, ...newest })
    return records.flatMap(({ count }) => count ?? [])
  }
  return { config, directory, audit, index, counts }
}

const user = {
  issuer: 'i',
  subject: 's',
  fhirUser: 'Practitioner/7',
  kind: 'practitioner',
} as const
const read = (count: number, more: Partial<AuditEvent> = {}): AuditEvent => ({
  event: 'fhir.access',
  outcome: 'success',
  tenant: 'north',
  resource: 'Observation',
  launch: 'abc',
  request: '7K3M-9QXW-2B',
  user,
  patient: 'p1',
  count,
  ms: 10,
  ...more,
})

t.test('by patient, user, launch, incident, time, outcome and type', async (t) => {
  const { index, counts } = await logOf(t, [
    read(1),
    read(2, { patient: ['p2', 'p3'] }),
    read(3, { outcome: 'refused', event: 'fhir.refused', patient: 'p9', resource: 'Patient' }),
    read(4, {
      user: { ...user, fhirUser: 'Practitioner/8' },
      launch: 'def',
      request: '2222-2222-22',
    }),
  ])
  t.match(await index.update(), { records: 5, unreadable: 0, behind: 0, since: '2026-03-01' })
  t.same(await counts({ patients: pseudonyms.everyPatient('north', 'p3') }), [2])
  t.same(await counts({ patients: pseudonyms.everyPatient('south', 'p3') }), [])
  t.same(await counts({ users: ['Practitioner/8', 'Practitioner/9'] }), [4])
  t.same(await counts({ launch: pseudonyms.launch('abc') }), [3, 2, 1])
  t.same(await counts({ request: '2222-2222-22' }), [4])
  t.same(await counts({ outcome: 'refused' }), [3])
  t.same(await counts({ resource: 'Patient', tenant: 'north' }), [3])
  const second = await index.search({ ...newest, patients: [pseudonyms.patient('north', 'p3')] })
  const at = Date.parse(second.records[0]?.time ?? '')
  t.same(await counts({ event: 'fhir.access', from: at, to: at + 1 }), [2])
  t.same(await counts({ event: 'fhir.access', to: at }), [1])
  const denied = await index.search({ order: 'denied_first', limit: 2 })
  t.same(denied.records[0]?.count, 3)
})

t.test('pages follow each other without a gap, while records are added', async (t) => {
  const { index, audit } = await logOf(
    t,
    Array.from({ length: 25 }, (_, count) => read(count)),
  )
  await index.update()
  for (const order of ['newest', 'oldest', 'denied_first'] as const) {
    const seen: unknown[] = []
    let after: AuditQuery['after']
    do {
      const { records, next } = await index.search({ order, limit: 4, after, to: began + 60_000 })
      seen.push(...records.map(({ seq }) => seq))
      after = next
      await audit.record(read(99))
      await index.update()
    } while (after !== undefined)
    t.equal(new Set(seen).size, seen.length)
    t.ok(seen.length >= 26)
  }
})

t.test('what is written is found a moment later, without asking', async (t) => {
  const { audit, counts } = await logOf(t, [])
  await audit.record(read(77))
  let found: unknown[] = []
  for (let tries = 0; tries < 60 && found.length === 0; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    found = await counts({ resource: 'Observation' })
  }
  t.same(found, [77])
})

t.test('injection is a value that is not found', async (t) => {
  const { index } = await logOf(t, [read(1)])
  await index.update()
  const hostile = "' OR 1=1; DROP TABLE records; --"
  for (const field of ['launch', 'request', 'tenant', 'outcome', 'event', 'resource'] as const) {
    t.same((await index.search({ ...newest, [field]: hostile })).records, [])
  }
  t.same((await index.search({ ...newest, patients: [hostile], users: [hostile] })).records, [])
  t.equal((await index.search({ ...newest, event: 'fhir.access' })).records.length, 1)
})

t.test(
  'lines that are no records are counted and never shown; removed files leave the index',
  async (t) => {
    const { index, directory } = await logOf(t, [read(1)])
    const other = join(directory, '2026-02-01.two.jsonl')
    const odd = link(
      genesis,
      '"time":"2026-02-01T00:00:00.000Z","event":"John Smith","outcome":"success"',
    )
    writeFileSync(other, `John Smith\n${odd.line}\n{"time":1}\n`)
    t.match(await index.update(), { unreadable: 2, since: '2026-02-01' })
    const found = await index.search({ ...newest, limit: 100 })
    t.equal(found.unreadable, 1)
    t.notMatch(JSON.stringify(found), /Smith/)
    rmSync(other)
    t.match(await index.update(), { unreadable: 0, since: '2026-03-01' })
  },
)

t.test('a database that is damaged, or of another time, is made anew from the files', async (t) => {
  const { index, directory, config } = await logOf(t, [read(1), read(2)])
  await index.update()
  await index.close()
  const path = join(directory, `${config.instance}.index.sqlite`)
  for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
  writeFileSync(path, 'no database')
  const again = createSearchIndex({ directory, instance: config.instance })
  t.teardown(() => again.close())
  t.match(await again.update(), { records: 3 })
})

t.test('series for the charts', async (t) => {
  const { index } = await logOf(t, [
    read(1, { ms: 10 }),
    read(2, { ms: 30 }),
    read(3, { event: 'fhir.refused', outcome: 'refused' }),
    { event: 'launch.authorized', outcome: 'success', tenant: 'north' },
  ])
  await index.update()
  const range = { from: began, to: began + 3_600_000, bucketMs: 3_600_000 }
  t.same(await index.series({ name: 'latency', ...range }), [
    { bucket: began, group: 'ms', count: 2, medianMs: 20, p95Ms: 29 },
  ])
  t.match(await index.series({ name: 'fhir', ...range }), [
    { group: 'Observation refused', count: 1 },
    { group: 'Observation success', count: 2 },
  ])
  t.match(await index.series({ name: 'launches', tenant: 'north', ...range }), [
    { group: 'launch.authorized', count: 1 },
  ])
  t.same(await index.series({ name: 'launches', tenant: 'south', ...range }), [])
})

const eventOf = (count: number): string => {
  if (count % 20 === 3) return 'launch.authorized'
  return count % 50 === 0 ? 'fhir.refused' : 'fhir.access'
}

t.test('a large log: the first page, and one patient', async (t) => {
  const { directory } = auditConfig().audit
  const size = process.env['SMART_BFF_LONG'] === '1' ? 1_000_000 : 20_000
  let head = genesis
  const path = join(directory, '2026-03-01.big.jsonl')
  const patients = Array.from({ length: 5000 }, (_, index) =>
    pseudonyms.patient('north', `p${String(index)}`),
  )
  for (let done = 0; done < size; done += 20_000) {
    let text = ''
    for (let count = done; count < done + 20_000; count += 1) {
      const members =
        `"time":"${new Date(began + count * 10).toISOString()}","event":"${eventOf(count)}",` +
        `"outcome":"${count % 50 === 0 ? 'refused' : 'success'}","tenant":"north","launch":"${(count % 9973).toString(16).padStart(16, '0')}",` +
        `"user":"Practitioner/${String(count % 300)}","patient":"${patients[count % 5000] ?? ''}","resource":"Observation","ms":${String(count % 400)},"instance":"big"`
      const next = link(head, members)
      head = next.head
      text += `${next.line}\n`
    }
    appendFileSync(path, text)
  }
  const index = createSearchIndex({ directory, instance: 'one', pollMs: 100_000 })
  t.teardown(() => index.close())
  let behind = 1
  const start = performance.now()
  for (let tries = 0; tries < 20 && behind > 0; tries += 1) {
    behind = await index.update().then(
      (progress) => progress.behind,
      () => 1,
    )
  }
  t.comment(
    `${String(size)} records indexed in ${((performance.now() - start) / 1000).toFixed(1)} s`,
  )
  const medianMs = async (ask: () => Promise<unknown>): Promise<number> => {
    await ask()
    const times: number[] = []
    for (let tries = 0; tries < 5; tries += 1) {
      const before = performance.now()
      await ask()
      times.push(performance.now() - before)
    }
    return times.toSorted((a, b) => a - b)[2] ?? 0
  }
  /** As the site asks: the page, how many there are up to 10,000, and for a patient who looked. */
  const timed = (asked: Partial<AuditQuery>, people = false): Promise<number> => {
    const query = { ...newest, ...asked }
    return medianMs(() =>
      Promise.all([
        index.search({ ...query, limit: 100 }),
        index.count({ ...query, limit: 10_001 }),
        ...(people ? [index.people({ ...query, limit: 200 })] : []),
      ]),
    )
  }
  const pages: [name: string, limitMs: number, query: Partial<AuditQuery>, people?: boolean][] = [
    [
      'who looked at a patient',
      50,
      questionOf('patient', { ...newest, patients: [patients[77] ?? ''] }),
      true,
    ],
    ['patient', 50, { patients: [patients[77] ?? ''] }],
    ['launch', 50, { launch: '0000000000000100' }],
    ['everything', 300, {}],
    ['launches of a day', 300, questionOf('open', { order: 'denied_first', from: began })],
    ['user', 300, { users: ['Practitioner/7'] }],
    ['refused of a type', 300, { outcome: 'refused', resource: 'Observation' }],
    [
      'denied first in a window',
      300,
      { order: 'denied_first', from: began + 100_000, to: began + 400_000 },
    ],
    ['nothing fits', 300, { event: 'fhir.access', outcome: 'failed', resource: 'Observation' }],
  ]
  for (const [name, limitMs, query, people] of pages) {
    const ms = await timed(query, people)
    t.ok(ms < limitMs, `${name}: ${ms.toFixed(1)} ms`)
    t.comment(`${name}: ${ms.toFixed(1)} ms`)
  }
  const range = { from: began, to: began + size * 10, bucketMs: 6 * 3_600_000 }
  for (const name of ['fhir', 'latency', 'tenantLatency'] as const) {
    const ms = await medianMs(() => index.series({ name, ...range }))
    t.comment(`overview, ${name} of everything: ${ms.toFixed(1)} ms`)
  }
})
