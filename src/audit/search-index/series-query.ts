import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { hourMs } from './hourly.ts'

/** Counts over time for the charts: one row for each bucket and group. */
export type SeriesName = keyof typeof seriesGroups

const launches = "event IN ('launch.authorized','launch.refused','launch.failed')"
const fhir = "event IN ('fhir.access','fhir.refused','fhir.failed')"

const seriesGroups = {
  launches: { group: 'event', where: launches },
  fhir: { group: "resource || ' ' || outcome", where: `${fhir} AND resource <> ''` },
  refreshes: { group: 'event', where: "event IN ('token.refreshed','token.refused')" },
  latency: { group: "'ms'", where: 'TRUE' },
  tenants: {
    group: "tenant || ' ' || event || ' ' || outcome",
    where: `(${launches} OR ${fhir} OR event = 'token.refused') AND tenant <> ''`,
  },
  tenantLatency: { group: 'tenant', where: "tenant <> ''" },
} as const

export interface SeriesQuery {
  readonly name: SeriesName
  readonly from: number
  readonly to: number
  readonly bucketMs: number
  readonly tenant?: string | undefined
}

export interface SeriesRow {
  readonly bucket: number
  readonly group: string
  readonly count: number
  /** Half of those with a time took no longer; and 95 of 100. Of the series of latencies only. */
  readonly medianMs: number | null
  readonly p95Ms: number | null
}

/** From the hours where the question is one of whole hours, as the overview's are; else from the records. */
export function readSeries(database: DatabaseSync, query: SeriesQuery): readonly SeriesRow[] {
  const { from, to, bucketMs } = query
  const wholeHours = from % hourMs === 0 && to % hourMs === 0
  const bucketOfHours = bucketMs % hourMs === 0 || bucketMs > to
  return wholeHours && bucketOfHours ? fromHours(database, query) : fromRecords(database, query)
}

/** Both ways answer the same; this one looks at every record of the time. */
export function fromRecords(database: DatabaseSync, query: SeriesQuery): readonly SeriesRow[] {
  const times = isOfTimes(query)
  const where = times ? "event = 'fhir.access' AND ms IS NOT NULL" : 'TRUE'
  const columns = times
    ? 'count(*) AS count, median(ms) AS median, percentile(ms, 95) AS p95'
    : 'count(*) AS count, NULL AS median, NULL AS p95'
  return rowsOf(database, query, { table: 'records', at: 'at', unit: 1, columns, where })
}

export function fromHours(database: DatabaseSync, query: SeriesQuery): readonly SeriesRow[] {
  if (isOfTimes(query)) return timesFromHours(database, query)
  const columns = 'sum(count) AS count, NULL AS median, NULL AS p95'
  const at = `hour * ${String(hourMs)}`
  return rowsOf(database, query, { table: 'hourly', at, unit: hourMs, columns, where: 'TRUE' })
}

function rowsOf(database: DatabaseSync, query: SeriesQuery, source: Source): readonly SeriesRow[] {
  const { sql, values } = grouped(query, source)
  return database
    .prepare(sql)
    .all(...values)
    .map((row) => ({
      ...placeOf(row, query),
      count: Number(row['count']),
      medianMs: row['median'] === null ? null : Number(row['median']),
      p95Ms: row['p95'] === null ? null : Number(row['p95']),
    }))
}

/** One row for each time that came, the shortest first: where half of them, or 95 of 100, are passed is the answer. */
function timesFromHours(database: DatabaseSync, query: SeriesQuery): readonly SeriesRow[] {
  const columns = 'ms AS ms, sum(count) AS count'
  const from = { table: 'hourly_times', at: `hour * ${String(hourMs)}`, unit: hourMs }
  const { sql, values } = grouped(query, { ...from, where: 'TRUE', columns, also: ', 3' })
  const groups: (ReturnType<typeof placeOf> & { readonly steps: Step[] })[] = []
  for (const row of database.prepare(sql).iterate(...values)) {
    const place = placeOf(row, query)
    const last = groups.at(-1)
    const step = { ms: Number(row['ms']), count: Number(row['count']) }
    if (last?.bucket === place.bucket && last.group === place.group) last.steps.push(step)
    else groups.push({ ...place, steps: [step] })
  }
  return groups.map(({ bucket, group, steps }) => {
    const count = steps.reduce((sum, step) => sum + step.count, 0)
    const [medianMs, p95Ms] = [percentile(steps, count, 0.5), percentile(steps, count, 0.95)]
    return { bucket, group, count, medianMs, p95Ms }
  })
}

interface Step {
  readonly ms: number
  readonly count: number
}

/** As SQLite's percentile(): between two values it is as far from each as the place that was asked for. */
function percentile(steps: readonly Step[], count: number, part: number): number {
  const place = part * (count - 1)
  const below = Math.floor(place)
  const low = valueAt(steps, below)
  return place === below ? low : low + (valueAt(steps, below + 1) - low) * (place - below)
}

function valueAt(steps: readonly Step[], place: number): number {
  let passed = 0
  const step = steps.find(({ count }) => (passed += count) > place)
  return step?.ms ?? 0
}

interface Source {
  readonly table: string
  /** Milliseconds since the epoch, of a row. */
  readonly at: string
  /** In which the table counts its time. */
  readonly unit: number
  readonly columns: string
  readonly where: string
  /** Columns by which it is grouped besides bucket and group. */
  readonly also?: string
}

function grouped({ name, from, to, bucketMs, tenant }: SeriesQuery, source: Source) {
  const { group, where } = seriesGroups[name]
  const column = source.unit === 1 ? 'at' : 'hour'
  const by = `1, 2${source.also ?? ''}`
  const sql =
    `SELECT ${source.at} / CAST(? AS INTEGER) AS bucket, ${group} AS name, ${source.columns}` +
    ` FROM ${source.table} WHERE ${where} AND ${source.where} AND ${column} >= ? AND ${column} < ?` +
    `${tenant === undefined ? '' : ' AND tenant = ?'} GROUP BY ${by} ORDER BY ${by}`
  const range = [from / source.unit, to / source.unit]
  return { sql, values: [bucketMs, ...range, ...(tenant === undefined ? [] : [tenant])] }
}

const isOfTimes = ({ name }: SeriesQuery): boolean => name === 'latency' || name === 'tenantLatency'

const placeOf = (row: Readonly<Record<string, SQLOutputValue>>, { bucketMs }: SeriesQuery) => ({
  bucket: Number(row['bucket']) * bucketMs,
  group: String(row['name']),
})
