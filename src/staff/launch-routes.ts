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
import { inZone } from './time-zone.ts'
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
/** How many entries of the index are looked at for one page: some of them are of launches that are over. */
const mostRead = 1000

const targetForm = z.object({
  tenant: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/),
  launch: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional(),
  user: z.string().min(1).max(400).optional(),
  reason: z.string().max(40).optional(),
})
const reasonForm = z.enum(revocationReasons)

const reasonWords: Readonly<Record<(typeof revocationReasons)[number], string>> = {
  account_compromised: 'An account was compromised',
  device_lost: 'A device was lost',
  incident: 'A security incident',
  key_compromised: 'A key was compromised',
  left_hospital: 'The user has left the hospital',
  maintenance: 'Maintenance',
  requested: 'The user asked for it',
}

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
  const live = await liveLaunches(deps, visit, tenant?.id ?? '')
  await tell(visit, tenant?.id ?? '')
  return visit.show('launches', 'Launches', {
    tenants: deps.tenants,
    tenant: tenant?.id ?? '',
    tenantName: tenant?.name ?? '',
    ...live,
    zone: visit.zone,
    done,
  })
}

const tell = (visit: Visit, tenant: string): Promise<void> =>
  visit.record({
    event: 'staff.viewed',
    outcome: 'success',
    parameters: [
      { name: 'page', value: 'launches' },
      { name: 'tenant', value: tenant },
    ],
  })

async function liveLaunches(
  { vault, launchIndex, pseudonyms }: LaunchRoutesDeps,
  { zone }: Visit,
  tenant: string,
): Promise<{ readonly launches: readonly LiveLaunch[]; readonly full: boolean }> {
  const keys = await launchIndex.ofTenant(tenant)
  const found: (LiveLaunch & { readonly startedAt: number })[] = []
  for (const key of keys.slice(0, mostRead)) {
    if (found.length === mostShown) break
    // oxlint-disable-next-line no-await-in-loop -- one after the other: a list for a person must not flood the store
    const opening = await vault.open(key)
    if (opening.kind !== 'open') continue
    const { record, idleAt } = opening.launch
    found.push({
      hash: launchHash(record.launch),
      user: pseudonymOrName(tenant, record.user, pseudonyms) ?? 'not known',
      mode: record.mode,
      state: record.state.replaceAll('_', ' '),
      startedAt: record.startedAt,
      since: inZone(record.startedAt, zone).slice(0, 19),
      idle: inZone(idleAt, zone).slice(11, 19),
    })
  }
  const launches = found.toSorted((a, b) => b.startedAt - a.startedAt)
  return { launches, full: found.length === mostShown || keys.length > mostRead }
}

/** Without a reason it is only asked: what would end is shown, and ends with the second form. */
async function end(deps: LaunchRoutesDeps, visit: Visit) {
  const form = targetForm.safeParse(visit.request.body)
  const tenant = deps.tenants.find(({ id }) => form.success && id === form.data.tenant)
  if (!form.success || tenant === undefined) return nothingEnded(deps, visit)
  const { launch, user, reason } = form.data
  if (launch === undefined && user === undefined) return nothingEnded(deps, visit)
  if (reason === undefined) return confirm(deps, visit, tenant, { launch, user })
  const why = reasonForm.safeParse(reason)
  if (!why.success) return nothingEnded(deps, visit)
  const target =
    launch === undefined
      ? ({ kind: 'user', tenant: tenant.id, user: user ?? '' } as const)
      : ({ kind: 'launch', launch } as const)
  const { ended, replicated } = await deps.endLaunches({
    target,
    by: visit.member.name,
    reason: why.data,
    request: visit.incident,
  })
  const doubt = replicated
    ? ''
    : ' No replica of the store has confirmed this: repeat it after a failover.'
  const count = ended === 1 ? '1 launch ended.' : `${String(ended)} launches ended.`
  return show(deps, visit, `${count} Recorded under ${visit.incident}.${doubt}`)
}

function nothingEnded(deps: LaunchRoutesDeps, visit: Visit) {
  visit.reply.code(400)
  return show(deps, visit, 'Nothing was ended: choose a launch or a user, and a reason.')
}

async function confirm(
  deps: LaunchRoutesDeps,
  visit: Visit,
  tenant: Tenant,
  { launch, user }: { readonly launch: string | undefined; readonly user: string | undefined },
) {
  const { launches } = await liveLaunches(deps, visit, tenant.id)
  await tell(visit, tenant.id)
  return visit.show('end-launches', launch === undefined ? 'End all launches' : 'End a launch', {
    tenant,
    launch: launch ?? null,
    user: user ?? null,
    launches: launches.filter((one) =>
      launch === undefined ? one.user === user : one.hash === launch,
    ),
    zone: visit.zone,
    reasons: revocationReasons.map((reason) => ({ reason, words: reasonWords[reason] })),
  })
}
