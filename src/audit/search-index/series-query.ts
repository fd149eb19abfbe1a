import type { Statement } from './query.ts'

/** Counts over time for the charts: one row for each bucket and group. */
export type SeriesName = keyof typeof seriesGroups

const seriesGroups = {
  launches: {
    group: 'r.event',
    where: "r.event IN ('launch.authorized','launch.refused','launch.failed')",
  },
  fhir: {
    group: "r.resource || ' ' || r.outcome",
    where: "r.event IN ('fhir.access','fhir.refused','fhir.failed') AND r.resource IS NOT NULL",
  },
  refreshes: { group: 'r.event', where: "r.event IN ('token.refreshed','token.refused')" },
  latency: { group: "'ms'", where: "r.event = 'fhir.access' AND r.ms IS NOT NULL" },
  tenants: {
    group: "r.tenant || ' ' || r.event || ' ' || r.outcome",
    where:
      "r.event IN ('launch.authorized','launch.refused','launch.failed','fhir.access','fhir.refused','fhir.failed','token.refused') AND r.tenant IS NOT NULL",
  },
  tenantLatency: {
    group: 'r.tenant',
    where: "r.event = 'fhir.access' AND r.ms IS NOT NULL AND r.tenant IS NOT NULL",
  },
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

export function seriesStatement({ name, from, to, bucketMs, tenant }: SeriesQuery): Statement {
  const { group, where } = seriesGroups[name]
  const times = name === 'latency' || name === 'tenantLatency'
  const sql =
    `SELECT r.at / CAST(? AS INTEGER) AS bucket, ${group} AS name, count(*) AS count,` +
    (times
      ? ' median(r.ms) AS median, percentile(r.ms, 95) AS p95'
      : ' NULL AS median, NULL AS p95') +
    ` FROM records r WHERE ${where} AND r.at >= ? AND r.at < ?` +
    (tenant === undefined ? '' : ' AND r.tenant = ?') +
    ' GROUP BY 1, 2 ORDER BY 1, 2'
  return { sql, values: [bucketMs, from, to, ...(tenant === undefined ? [] : [tenant])] }
}
