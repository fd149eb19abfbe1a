import type { FastifyPluginAsync } from 'fastify'
import type { AuditLog } from '../audit/audit.ts'
import type { SearchIndex } from '../audit/search-index/search-index.ts'
import type { LogReport, Verification } from '../audit/verify.ts'
import type { Tenant } from '../config/schema/tenant.ts'
import type { Health } from '../operations/health.ts'
import { completeness } from './find-routes.ts'
import { inZone } from './time-zone.ts'
import type { Guard, Visit, VisitDeps } from './visit.ts'

/** How the whole does: tenants, integrity. */
export interface StateRoutesDeps extends VisitDeps {
  readonly guard: Guard
  readonly index: SearchIndex
  readonly audit: Pick<AuditLog, 'record' | 'healthy' | 'status'>
  readonly health: Pick<Health, 'status'>
  readonly tenants: readonly Tenant[]
  readonly verify: () => Promise<Verification>
}

export function stateRoutes(deps: StateRoutesDeps): FastifyPluginAsync {
  const { guard, health, tenants, verify } = deps
  return async (server) => {
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
  const { zone } = visit
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
