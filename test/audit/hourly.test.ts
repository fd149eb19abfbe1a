import fc from 'fast-check'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { inTransaction, openDatabase } from '../../src/audit/search-index/database.ts'
import { hourMs } from '../../src/audit/search-index/hourly.ts'
import { createInsert, forget } from '../../src/audit/search-index/insert.ts'
import {
  fromHours,
  fromRecords,
  readSeries,
  type SeriesName,
} from '../../src/audit/search-index/series-query.ts'

/** What was counted beforehand is what counting every record gives, whatever was added and taken away before. */

const folder = mkdtempSync(join(tmpdir(), 'smart-bff-hourly-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const began = Date.parse('2026-03-01T00:00:00.000Z')
const names: readonly SeriesName[] = [
  'launches',
  'fhir',
  'refreshes',
  'latency',
  'tenants',
  'tenantLatency',
]

const records = fc.array(
  fc.record(
    {
      file: fc.integer({ min: 1, max: 3 }),
      at: fc.integer({ min: 0, max: 10 * hourMs }),
      event: fc.constantFrom(
        'fhir.access',
        'fhir.access',
        'fhir.access',
        'fhir.refused',
        'fhir.failed',
        'launch.authorized',
        'launch.refused',
        'launch.failed',
        'token.refreshed',
        'token.refused',
        'session.started',
      ),
      outcome: fc.constantFrom('success', 'refused', 'failed'),
      tenant: fc.constantFrom('north', 'south'),
      resource: fc.constantFrom('Observation', 'Patient', 'Nonsense', 'Condition/p1.x'),
      ms: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 30_000 })),
    },
    { requiredKeys: ['file', 'at', 'event', 'outcome'] },
  ),
  { minLength: 60, maxLength: 200 },
)
const forgotten = fc.array(
  fc.record(
    { id: fc.integer({ min: 1, max: 3 }), before: fc.integer({ min: 0, max: 10 * hourMs }) },
    { requiredKeys: ['id'] },
  ),
  { maxLength: 2 },
)
const range = fc.record(
  {
    fromHour: fc.integer({ min: 0, max: 4 }),
    hours: fc.integer({ min: 1, max: 12 }),
    bucket: fc.constantFrom(hourMs, 6 * hourMs, 24 * hourMs, Number.MAX_SAFE_INTEGER),
    tenant: fc.constantFrom('north', 'south', 'nobody'),
  },
  { requiredKeys: ['fromHour', 'hours', 'bucket'] },
)

let round = 0
t.test('the same numbers as of the records', async (t) => {
  fc.assert(
    fc.property(records, forgotten, range, (added, gone, asked) => {
      const database = openDatabase(join(folder, `${String((round += 1))}.sqlite`))
      try {
        const insert = createInsert(database)
        const add = (list: typeof added) =>
          list.forEach(({ file, at, ...fields }) =>
            insert(file, JSON.stringify({ time: new Date(began + at).toISOString(), ...fields })),
          )
        inTransaction(database, () => add(added))
        for (const { id, before } of gone) {
          forget(database, before === undefined ? { id } : { id, before: began + before })
        }
        try {
          inTransaction(database, () => {
            add(added.slice(0, 10))
            throw new Error('the disk is full')
          })
        } catch {
          // What was not kept is not counted.
        }
        inTransaction(database, () => add(added.slice(0, 5)))
        const from = began + asked.fromHour * hourMs
        const to = from + asked.hours * hourMs
        for (const name of names) {
          const query = { name, from, to, bucketMs: asked.bucket, tenant: asked.tenant }
          const slow = fromRecords(database, query)
          t.same(fromHours(database, query), slow, name)
          t.same(readSeries(database, query), slow)
          // Not of whole hours: only the records know.
          const odd = { ...query, from: from + 1, to: to + 1 }
          t.same(readSeries(database, odd), fromRecords(database, odd))
        }
        for (const table of ['hourly', 'hourly_times']) {
          const empty = database.prepare(`SELECT count(*) AS n FROM ${table} WHERE count < 1`)
          t.equal(empty.get()?.['n'], 0, 'what is gone leaves no row behind')
        }
      } finally {
        database.close()
      }
    }),
    { numRuns: 60 },
  )
})
