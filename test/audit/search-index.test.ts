import { closeSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import type { Test } from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import { genesis, link } from '../../src/audit/chain.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { createPseudonyms } from '../../src/audit/pseudonyms.ts'
import { createSearchIndex } from '../../src/audit/search-index/search-index.ts'
import type { AuditQuery } from '../../src/audit/search-index/query.ts'
import { questionOf } from '../../src/staff/questions.ts'
import { until } from '../support/until.ts'
import { timeSearches, writeLargeLog } from './large-log.ts'
import { auditConfig, pseudonymKey, user } from './support.ts'

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

t.test('denied first, of some events: the same as all of them sorted, page by page', async (t) => {
  const names = ['launch.authorized', 'launch.refused', 'launch.failed', 'fhir.access'] as const
  const outcomes = ['success', 'refused', 'failed'] as const
  const { index } = await logOf(
    t,
    Array.from({ length: 60 }, (_, count) =>
      read(count, {
        event: names[count % 4] ?? 'fhir.access',
        outcome: outcomes[(count * 7) % 3] ?? 'success',
        tenant: count % 5 === 0 ? 'south' : 'north',
      }),
    ),
  )
  await index.update()
  const all = (await index.search({ order: 'newest', limit: 100, resource: 'Observation' })).records
  const wanted = (fits: (record: (typeof all)[number]) => boolean): unknown[] => {
    const found = all.filter(fits)
    const denied = found.filter(({ outcome }) => outcome !== 'success')
    return [...denied, ...found.filter((one) => !denied.includes(one))].map(({ count }) => count)
  }
  async function pages(query: Partial<AuditQuery>): Promise<unknown[]> {
    const seen: unknown[] = []
    let after: AuditQuery['after']
    do {
      const page = await index.search({ ...query, order: 'denied_first', limit: 7, after })
      seen.push(...page.records.map(({ count }) => count))
      after = page.next
    } while (after !== undefined)
    return seen
  }
  const events = names.slice(0, 3)
  const isLaunch = ({ event }: { readonly event: string }) => event.startsWith('launch.')
  t.same(await pages({ events }), wanted(isLaunch))
  t.same(
    await pages({ event: 'fhir.access' }),
    wanted((one) => !isLaunch(one)),
  )
  for (const outcome of outcomes) {
    const query = { events, outcome, tenant: 'north' }
    t.same(
      await pages(query),
      wanted((one) => isLaunch(one) && one.outcome === outcome && one.tenant === 'north'),
      outcome,
    )
  }
  const from = Date.parse(all[40]?.time ?? '')
  const to = Date.parse(all[5]?.time ?? '')
  t.same(
    await pages({ events, from, to }),
    wanted((one) => isLaunch(one) && Date.parse(one.time) >= from && Date.parse(one.time) < to),
  )
  t.same(await pages({ events, users: ['Practitioner/7'] }), wanted(isLaunch))
  t.same(await pages({ events: [] }), [])
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

t.test('who looked: a request counts once, and only what left or may have changed', async (t) => {
  const events = (request: string, ...names: AuditEvent['event'][]): AuditEvent[] =>
    names.map((event) =>
      read(1, {
        event,
        request,
        outcome: event === 'fhir.refused' ? 'refused' : 'success',
        user: { ...user, fhirUser: `Practitioner/${request.slice(0, 4)}` },
      }),
    )
  const cases = {
    'one read': [[1, 0], events('1111-1111-11', 'fhir.access')],
    'a streamed document': [[1, 0], events('2222-2222-22', 'fhir.permitted', 'fhir.access')],
    'a document that broke off': [[1, 0], events('3333-3333-33', 'fhir.permitted', 'fhir.aborted')],
    'a write that was saved': [[1, 1], events('4444-4444-44', 'fhir.intended', 'fhir.written')],
    'a write that is not known': [
      [1, 1],
      events('5555-5555-55', 'fhir.intended', 'fhir.uncertain'),
    ],
    'a write that was refused': [
      undefined,
      events('6666-6666-66', 'fhir.intended', 'fhir.refused'),
    ],
    'a write that was not sent': [
      undefined,
      events('7777-7777-77', 'fhir.intended', 'fhir.failed'),
    ],
    'an intent before a crash': [[1, 1], events('8888-8888-88', 'fhir.intended')],
    'a batch of a read, a write and one that was refused': [
      [1, 1],
      events(
        '9999-9999-99',
        ...(['fhir.intended', 'fhir.intended', 'fhir.access'] as const),
        ...(['fhir.written', 'fhir.refused', 'fhir.written'] as const),
      ),
    ],
  } as const
  const { index } = await logOf(
    t,
    Object.values(cases).flatMap(([, list]) => [...list]),
  )
  await index.update()
  const patients = pseudonyms.everyPatient('north', 'p1')
  const query = questionOf('patient', { patients, order: 'newest' })
  const people = await index.people({ ...query, limit: 100 })
  for (const [name, [wanted, [first]]] of Object.entries(cases)) {
    const person = people.find((one) => one.user === first?.user?.fhirUser)
    t.same(person && [person.requests, person.writes], wanted, name)
  }
  const intents = await index.search({ ...newest, event: 'fhir.intended', resource: 'Observation' })
  const at = Date.parse(intents.records.at(-1)?.time ?? '')
  const early = await index.people({ ...query, to: at + 1, limit: 100 })
  t.match(
    early.find((one) => one.user === 'Practitioner/4444'),
    { requests: 1, writes: 1 },
    'an outcome after the time that is searched takes nothing away',
  )
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

t.test('a large log: the first page, and one patient', async (t) => {
  const size = 20_000
  await timeSearches(t, await writeLargeLog(t, size), size)
})

t.test(
  'a file that was left half-way and is compressed meanwhile is read to its end',
  async (t) => {
    const { index, directory } = await logOf(t, [read(1)])
    await index.close()
    const path = join(directory, '2026-02-01.two.jsonl')
    let head = genesis
    const lines = Array.from({ length: 10 }, (_, count) => {
      const time = `2026-02-01T00:00:0${String(count)}.000Z`
      const next = link(
        head,
        `"time":"${time}","event":"fhir.access","outcome":"success","count":${String(count)},"instance":"two"`,
      )
      head = next.head
      return `${next.line}\n`
    })
    writeFileSync(path, lines.slice(0, 4).join(''))
    const first = createSearchIndex({ directory, instance: 'one' })
    t.match(await first.update(), { records: 6 })
    await first.close()
    rmSync(path)
    const packed = gzipSync(lines.join(''))
    writeFileSync(`${path}.gz`, packed)
    const second = createSearchIndex({ directory, instance: 'one' })
    t.match(await second.update(), { records: 12, unreadable: 0, since: '2026-02-01' })
    t.match(await second.update(), { records: 12 }, 'and once')
    await second.close()

    writeFileSync(`${path.replace('two', 'three')}.gz`, packed.subarray(0, 200))
    writeFileSync(path.replace('two', 'before').replace('-02-', '-01-'), lines[0] ?? '')
    const third = createSearchIndex({ directory, instance: 'one' })
    t.teardown(() => third.close())
    const progress = await third.update()
    t.match(progress, { unreadable: 1, since: '2026-01-01', failing: false })
    t.match(await third.update(), { unreadable: 1 }, 'a damaged file is counted once')
  },
)

t.test('a database that is damaged while it is used is made anew from the files', async (t) => {
  const { index, directory, audit } = await logOf(
    t,
    Array.from({ length: 300 }, (_, count) => read(count)),
  )
  await index.update()
  const path = join(directory, 'one.index.sqlite')
  const other = new DatabaseSync(path)
  other.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  other.close()
  const bytes = readFileSync(path)
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(bytes.length - 100, 'x'), 0, bytes.length - 100, 100)
  closeSync(file)
  await audit.record(read(4711))
  const found = await until(
    () =>
      index
        .update()
        .then(() => index.search({ ...newest, limit: 1000 }))
        .then(({ records }) => records.map(({ count }) => count))
        .catch((): (number | undefined)[] => []),
    (counts) => counts.length === 302,
  )
  t.ok(found.includes(4711))
})
