import type { FastifyPluginAsync } from 'fastify'
import { z } from 'zod'
import { pseudonymOrName } from '../audit/person.ts'
import { launchHash } from '../audit/pseudonyms.ts'
import type { Pseudonyms } from '../audit/pseudonyms.ts'
import { revocationReasons } from '../audit/reasons.ts'
import type { Tenant } from '../config/schema/tenant.ts'
import type { LaunchIndex } from '../vault/launch-index.ts'
import type { RevocationOrder, RevocationResult } from '../vault/revocation.ts'
import type { Vault } from '../vault/vault.ts'
import { inZone, localZone } from './time-zone.ts'
import type { Guard, Visit, VisitDeps } from './visit.ts'

/** Launches that live now; one of them, or all of a user's, can be ended with a reason. */
export interface LaunchRoutesDeps extends VisitDeps {
  readonly guard: Guard
  readonly tenants: readonly Tenant[]
  readonly vault: Pick<Vault, 'open'>
  readonly launchIndex: Pick<LaunchIndex, 'ofTenant'>
  readonly pseudonyms: Pseudonyms
  readonly endLaunches: (order: RevocationOrder) => Promise<RevocationResult>
}

interface LiveLaunch {
  readonly hash: string
  readonly user: string
  readonly mode: string
  readonly state: string
  readonly since: string
  readonly idle: string
}

const mostShown = 200
const endForm = z.object({
  tenant: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/),
  launch: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional(),
  user: z.string().min(1).max(400).optional(),
  reason: z.enum(revocationReasons),
})

export function launchRoutes(deps: LaunchRoutesDeps): FastifyPluginAsync {
  const { guard } = deps
  return async (server) => {
    server.get(
      '/launches',
      guard('end_launches', (visit) => show(deps, visit, null)),
    )
    server.post(
      '/launches',
      guard('end_launches', (visit) => end(deps, visit)),
    )
  }
}

async function show(deps: LaunchRoutesDeps, visit: Visit, done: string | null) {
  const asked = z.object({ tenant: z.string().optional() }).safeParse(visit.request.query)
  const tenant =
    deps.tenants.find(({ id }) => asked.success && id === asked.data.tenant) ?? deps.tenants[0]
  const launches = tenant === undefined ? [] : await liveLaunches(deps, tenant.id)
  const parameters = [
    { name: 'page', value: 'launches' },
    { name: 'tenant', value: tenant?.id ?? '' },
  ]
  await visit.record({ event: 'staff.viewed', outcome: 'success', parameters })
  return visit.show('launches', 'Launches', {
    tenants: deps.tenants,
    tenant: tenant?.id ?? '',
    launches,
    full: launches.length === mostShown,
    reasons: revocationReasons,
    zone: localZone(),
    done,
  })
}

async function liveLaunches(
  { vault, launchIndex, pseudonyms }: LaunchRoutesDeps,
  tenant: string,
): Promise<readonly LiveLaunch[]> {
  const keys = await launchIndex.ofTenant(tenant)
  const zone = localZone()
  const found: LiveLaunch[] = []
  for (const key of keys) {
    if (found.length === mostShown) break
    // oxlint-disable-next-line no-await-in-loop -- one after the other: a list for a person must not flood the store
    const opening = await vault.open(key)
    if (opening.kind !== 'open') continue
    const { record, idleAt } = opening.launch
    found.push({
      hash: launchHash(record.launch),
      user: pseudonymOrName(tenant, record.user, pseudonyms) ?? 'not known',
      mode: record.mode,
      state: record.state,
      since: inZone(record.startedAt, zone).slice(0, 19),
      idle: inZone(idleAt, zone).slice(0, 19),
    })
  }
  return found
}

async function end(deps: LaunchRoutesDeps, visit: Visit) {
  const form = endForm.safeParse(visit.request.body)
  if (!form.success) {
    visit.reply.code(400)
    return show(deps, visit, 'Nothing was ended: choose a launch or a user, and a reason.')
  }
  const { tenant, launch, user, reason } = form.data
  const { member, incident } = visit
  if (launch === undefined && user === undefined) {
    visit.reply.code(400)
    return show(deps, visit, 'Nothing was ended: choose a launch or a user.')
  }
  const target =
    launch === undefined
      ? ({ kind: 'user', tenant, user: user ?? '' } as const)
      : ({ kind: 'launch', launch } as const)
  const { ended, replicated } = await deps.endLaunches({
    target,
    by: member.name,
    reason,
    request: incident,
  })
  const doubt = replicated
    ? ''
    : ' No replica of the store has confirmed this: repeat it after a failover.'
  return show(deps, visit, `${String(ended)} launches ended.${doubt}`)
}
