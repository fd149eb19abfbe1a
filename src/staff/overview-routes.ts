import type { FastifyPluginAsync } from 'fastify'
import { z } from 'zod'
import type { SeriesRow } from '../audit/search-index/series-query.ts'
import type { SearchIndex } from '../audit/search-index/search-index.ts'
import type { Tenant } from '../config/schema/tenant.ts'
import { drawChart, frame } from './charts.ts'
import type { Chart, ChartOptions, Value } from './charts.ts'
import { completeness } from './find-routes.ts'
import type { Guard, Visit, VisitDeps } from './visit.ts'

/** How the whole does over time, from the same index that a search asks. */
export interface OverviewRoutesDeps extends VisitDeps {
  readonly guard: Guard
  readonly index: SearchIndex
  readonly tenants: readonly Tenant[]
}

const hourMs = 3_600_000
const spans = {
  '1': { label: '24 hours', bucketMs: hourMs },
  '7': { label: '7 days', bucketMs: 6 * hourMs },
  '30': { label: '30 days', bucketMs: 24 * hourMs },
} as const

const overviewForm = z.object({
  days: z.enum(['1', '7', '30']).default('1'),
  tenant: z.string().max(64).optional(),
})

export function overviewRoutes(deps: OverviewRoutesDeps): FastifyPluginAsync {
  return async (server) => {
    server.get(
      '/overview',
      deps.guard('overview', (visit) => overview(deps, visit)),
    )
  }
}

async function overview({ index, tenants, now }: OverviewRoutesDeps, visit: Visit) {
  const { days, tenant: asked } = overviewForm.catch({ days: '1' }).parse(visit.request.query)
  const tenant = tenants.find(({ id }) => id === asked)?.id
  const { bucketMs } = spans[days]
  const to = Math.ceil(now() / bucketMs) * bucketMs
  const from = to - Number(days) * 24 * hourMs
  const { zone } = visit
  const range = { from, to, bucketMs, tenant }
  const progress = await index.update()
  const whole = { ...range, bucketMs: Number.MAX_SAFE_INTEGER }
  const [launches, fhir, refreshes, latency, byTenant, tenantLatency] = await Promise.all([
    index.series({ name: 'launches', ...range }),
    index.series({ name: 'fhir', ...range }),
    index.series({ name: 'refreshes', ...range }),
    index.series({ name: 'latency', ...range }),
    index.series({ name: 'tenants', ...whole }),
    index.series({ name: 'tenantLatency', ...whole }),
  ])
  await visit.record({
    event: 'staff.viewed',
    outcome: 'success',
    parameters: [
      { name: 'page', value: 'overview' },
      { name: 'days', value: days },
      ...(tenant === undefined ? [] : [{ name: 'tenant', value: tenant }]),
    ],
  })
  return visit.show('overview', 'Overview', {
    days,
    spans: Object.entries(spans).map(([value, { label }]) => ({
      value,
      label: `the last ${label}`,
    })),
    tenant: tenant ?? '',
    tenants,
    zone,
    frame,
    complete: completeness(progress, now(), zone),
    summary: summaryOf(
      tenants.filter(({ id }) => tenant === undefined || id === tenant),
      byTenant,
      tenantLatency,
    ),
    charts: chartsOf({ launches, fhir, refreshes, latency }, { from, to, bucketMs, zone }),
  })
}

function chartsOf(
  series: Readonly<Record<'launches' | 'fhir' | 'refreshes' | 'latency', readonly SeriesRow[]>>,
  options: Pick<ChartOptions, 'from' | 'to' | 'bucketMs' | 'zone'>,
): readonly Chart[] {
  const { launches, fhir, refreshes, latency } = series
  return [
    drawChart(named(launches, launchWords), {
      title: 'Launches by outcome',
      kind: 'bars',
      order: Object.values(launchWords),
      ...options,
    }),
    drawChart(ratesOf(fhir), {
      title: 'FHIR requests that failed or were refused, by resource type',
      note: 'Share of the requests of a type; the types with the most errors.',
      kind: 'lines',
      unit: ' %',
      order: mostDenied(fhir),
      ...options,
    }),
    drawChart(named(refreshes, refreshWords), {
      title: 'Token refreshes',
      note: 'What the EHR refused ends a launch.',
      kind: 'bars',
      order: Object.values(refreshWords),
      ...options,
    }),
    drawChart(latencies(latency), {
      title: 'Time of a FHIR read',
      note: 'Half of the reads, and 95 of 100, took no longer.',
      kind: 'lines',
      unit: ' ms',
      order: ['95 of 100', 'half'],
      ...options,
    }),
  ]
}

const launchWords = {
  'launch.authorized': 'opened',
  'launch.failed': 'failed',
  'launch.refused': 'refused',
} as const
const refreshWords = { 'token.refreshed': 'renewed', 'token.refused': 'refused' } as const

const named = (
  rows: readonly SeriesRow[],
  words: Readonly<Record<string, string>>,
): readonly Value[] =>
  rows.map(({ bucket, group, count }) => ({ bucket, group: words[group] ?? group, value: count }))

/** `Observation success` and `Observation failed` to one share of the type, of the types that had any. */
function ratesOf(rows: readonly SeriesRow[]): readonly Value[] {
  const troubled = new Set(rows.filter(isDenied).map(typeOf))
  const sums = new Map<string, { bucket: number; group: string; all: number; denied: number }>()
  for (const row of rows) {
    const group = typeOf(row)
    if (!troubled.has(group)) continue
    const key = `${String(row.bucket)} ${group}`
    const sum = sums.get(key) ?? { bucket: row.bucket, group, all: 0, denied: 0 }
    sum.all += row.count
    if (isDenied(row)) sum.denied += row.count
    sums.set(key, sum)
  }
  return [...sums.values()].map(({ bucket, group, all, denied }) => ({
    bucket,
    group,
    value: (100 * denied) / all,
  }))
}

const typeOf = ({ group }: SeriesRow): string => group.split(' ')[0] ?? group
const isDenied = ({ group }: SeriesRow): boolean => !group.endsWith(' success')

/** Types by how often they were denied: a share alone says little of a type that is seldom asked for. */
function mostDenied(rows: readonly SeriesRow[]): readonly string[] {
  const sums = new Map<string, number>()
  for (const row of rows.filter(isDenied)) {
    sums.set(typeOf(row), (sums.get(typeOf(row)) ?? 0) + row.count)
  }
  return [...sums].toSorted((a, b) => b[1] - a[1]).map(([type]) => type)
}

const latencies = (rows: readonly SeriesRow[]): readonly Value[] =>
  rows.flatMap(({ bucket, medianMs, p95Ms }) => [
    { bucket, group: 'half', value: medianMs ?? 0 },
    { bucket, group: '95 of 100', value: p95Ms ?? 0 },
  ])

/** One row for each tenant: how many, and how many of them went wrong. */
function summaryOf(
  tenants: readonly Tenant[],
  counts: readonly SeriesRow[],
  times: readonly SeriesRow[],
) {
  return tenants.map(({ id, name }) => {
    const own = counts.flatMap(({ group, count }) => {
      const [tenant, event = '', outcome = ''] = group.split(' ')
      return tenant === id ? [{ event, outcome, count }] : []
    })
    const sum = (fits: (event: string, outcome: string) => boolean): number =>
      own
        .filter(({ event, outcome }) => fits(event, outcome))
        .reduce((all, { count }) => all + count, 0)
    const launches = sum((event) => event.startsWith('launch.'))
    const fhir = sum((event) => event.startsWith('fhir.'))
    const time = times.find(({ group }) => group === id)
    return {
      id,
      name,
      launches,
      failed: part(
        sum((event) => event.startsWith('launch.') && event !== 'launch.authorized'),
        launches,
      ),
      fhir,
      errors: part(
        sum((event, outcome) => event.startsWith('fhir.') && outcome !== 'success'),
        fhir,
      ),
      refused: sum((event) => event === 'token.refused'),
      median: time?.medianMs == null ? '' : `${String(Math.round(time.medianMs))} ms`,
      p95: time?.p95Ms == null ? '' : `${String(Math.round(time.p95Ms))} ms`,
    }
  })
}

const part = (some: number, all: number): string =>
  all === 0 ? '' : `${some.toLocaleString('en')} (${((100 * some) / all).toFixed(1)} %)`
