import type { FastifyPluginAsync } from 'fastify'
import { z } from 'zod'
import type { AuditLog } from '../audit/audit.ts'
import type { SearchIndex } from '../audit/search-index/search-index.ts'
import type { LogReport, Verification } from '../audit/verify.ts'
import type { Tenant } from '../config/schema/tenant.ts'
import type { Health } from '../operations/health.ts'
import { completeness } from './audit-routes.ts'
import { chartHeight, chartWidth, drawChart } from './charts.ts'
import { inZone, localZone } from './time-zone.ts'
import type { Guard, Visit, VisitDeps } from './visit.ts'

/** How the whole does: overview, tenants, integrity. */
export interface StateRoutesDeps extends VisitDeps {
  readonly guard: Guard
  readonly index: SearchIndex
  readonly audit: Pick<AuditLog, 'record' | 'healthy' | 'status'>
  readonly health: Pick<Health, 'status'>
  readonly tenants: readonly Tenant[]
  readonly verify: () => Promise<Verification>
}

const hourMs = 3_600_000
const overviewForm = z.object({
  days: z.enum(['1', '7', '30']).default('1'),
  tenant: z.string().max(64).optional(),
})

export function stateRoutes(deps: StateRoutesDeps): FastifyPluginAsync {
  const { guard, health, tenants, verify } = deps
  return async (server) => {
    server.get(
      '/overview',
      guard('overview', (visit) => overview(deps, visit)),
    )
    server.get(
      '/tenants',
      guard('tenants', async (visit) => {
        await visit.record({
          event: 'staff.viewed',
          outcome: 'success',
          parameters: [{ name: 'page', value: 'tenants' }],
        })
        return visit.show('tenants', 'Tenants', { tenants, health: health.status() })
      }),
    )
    server.get(
      '/integrity',
      guard('integrity', (visit) => integrity(deps, visit)),
    )
    server.post(
      '/integrity',
      guard('integrity', async (visit) => integrity(deps, visit, await verify())),
    )
  }
}

async function overview({ index, tenants, now }: StateRoutesDeps, visit: Visit) {
  const { days, tenant: asked } = overviewForm.catch({ days: '1' }).parse(visit.request.query)
  const tenant = tenants.find(({ id }) => id === asked)?.id
  const bucketMs = days === '1' ? hourMs : 24 * hourMs
  const to = Math.ceil(now() / bucketMs) * bucketMs
  const from = to - Number(days) * 24 * hourMs
  const zone = localZone()
  const range = { from, to, bucketMs, tenant }
  const progress = await index.update()
  const [launches, fhir, refreshes, latency] = await Promise.all([
    index.series({ name: 'launches', ...range }),
    index.series({ name: 'fhir', ...range }),
    index.series({ name: 'refreshes', ...range }),
    index.series({ name: 'latency', ...range }),
  ])
  const denied = fhir.filter(({ group }) => !group.endsWith(' success'))
  const options = { from, to, bucketMs, zone }
  await visit.record({
    event: 'staff.viewed',
    outcome: 'success',
    parameters: [{ name: 'page', value: 'overview' }],
  })
  return visit.show('overview', 'Overview', {
    days,
    tenant: tenant ?? '',
    tenants,
    zone,
    complete: completeness(progress),
    width: chartWidth,
    height: chartHeight,
    charts: [
      drawChart(launches, { title: 'Launches by outcome', ...options }),
      drawChart(fhir, { title: 'FHIR requests by resource type and outcome', ...options }),
      drawChart(denied, {
        title: 'FHIR requests refused or failed, by resource type',
        ...options,
      }),
      drawChart(refreshes, { title: 'Token refreshes', ...options }),
      drawChart(latency, {
        title: 'Average time of a FHIR read, in milliseconds',
        value: (row) => row.averageMs ?? 0,
        ...options,
      }),
    ],
  })
}

async function integrity(
  { index, audit, now }: StateRoutesDeps,
  visit: Visit,
  verification?: Verification,
) {
  const progress = await index.progress()
  await visit.record({
    event: 'staff.viewed',
    outcome: 'success',
    parameters: [{ name: 'page', value: 'integrity' }],
  })
  const zone = localZone()
  return visit.show('integrity', 'Integrity', {
    healthy: audit.healthy(),
    status: audit.status(),
    complete: completeness(progress),
    logs: verification?.logs.map(reportOf) ?? null,
    when: `${inZone(now(), zone).slice(0, 19)} ${zone}`,
  })
}

function reportOf({ instance, records, sealed, faults }: LogReport) {
  const [fault] = faults
  const sentence =
    fault === undefined
      ? 'whole'
      : `BROKEN at record ${String(fault.seq)} (${fault.file} line ${String(fault.line)}): ${fault.kind}`
  return { instance, records, sealed, broken: fault !== undefined, sentence }
}
