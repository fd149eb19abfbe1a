import type { FastifyPluginAsync } from 'fastify'
import { z } from 'zod'
import type { Config } from '../config/schema/config.ts'
import type { Tenant } from '../config/schema/tenant.ts'
import type { Certificates, Expiry } from '../operations/certificates.ts'
import { launchContract } from '../operations/contract.ts'
import type { Health } from '../operations/health.ts'
import { givenOrNot, readMatrix } from '../operations/matrix-view.ts'
import type { MatrixView } from '../operations/matrix-view.ts'
import type { Metrics } from '../operations/metrics.ts'
import { readScopeUse } from '../operations/scope-use-view.ts'
import type { Store } from '../store/store.ts'
import { createMarkdown } from './docs.ts'
import { inZone } from './time-zone.ts'
import type { Guard, Visit, VisitDeps } from './visit.ts'

/** Each tenant: whether its EHR answers, what ends when, what its launches have shown, and which scopes nobody uses. */
export interface TenantRoutesDeps extends VisitDeps {
  readonly guard: Guard
  /** As it is now. */
  readonly config: () => Config
  readonly health: Pick<Health, 'status'>
  readonly store: Pick<Store, 'readMatrix'>
  readonly metrics: Pick<Metrics, 'circuitOpenSince'>
  readonly certificates: Certificates
  readonly discovery: (tenant: string) => DiscoveryState | undefined
}

export interface DiscoveryState {
  readonly readAt: number | undefined
  readonly failedAt: number | undefined
}

export function tenantRoutes(deps: TenantRoutesDeps): FastifyPluginAsync {
  const { guard } = deps
  return async (server) => {
    server.get(
      '/tenants',
      guard('tenants', (visit) => all(deps, visit)),
    )
    server.get(
      '/tenants/:id',
      guard('tenants', (visit) => one(deps, visit)),
    )
    server.get(
      '/tenants/:id/contract',
      guard('tenants', (visit) => contract(deps, visit)),
    )
  }
}

async function all(deps: TenantRoutesDeps, visit: Visit) {
  const { config, health, certificates, now } = deps
  await viewed(visit, 'tenants')
  return visit.show('tenants', 'Tenants', {
    health: health.status(),
    own: certificates.own().map((expiry) => expiryOf(expiry, now())),
    tenants: config().tenants.map((tenant) => ({
      ...stateOf(deps, visit, tenant),
      modes: tenant.modes,
    })),
    zone: visit.zone,
  })
}

async function one(deps: TenantRoutesDeps, visit: Visit) {
  const { config, certificates, store, now } = deps
  const tenant = asked(deps, visit)
  if (tenant === undefined) return visit.missing()
  await viewed(visit, 'tenants', tenant.id)
  const [expiries, matrix, ...scopes] = await Promise.all([
    certificates.ofTenant(tenant),
    readMatrix(store, config(), tenant.id),
    ...tenant.modes.map((mode) =>
      readScopeUse(store, { tenant: tenant.id, mode: mode.id, scopes: mode.scopes }, now()),
    ),
  ])
  return visit.show('tenant', tenant.name, {
    ...stateOf(deps, visit, tenant),
    tenant,
    expiries: expiries.map((expiry) => expiryOf(expiry, now())),
    modes: tenant.modes.map((mode, index) => ({
      mode,
      matrix: factsOf(matrix.find((view) => view.mode === mode.id)),
      use: scopes[index],
    })),
    zone: visit.zone,
  })
}

async function contract(deps: TenantRoutesDeps, visit: Visit) {
  const tenant = asked(deps, visit)
  if (tenant === undefined) return visit.missing()
  await viewed(visit, 'contract', tenant.id)
  const markdown = launchContract(deps.config(), tenant).replace(/^# [^\n]+\n/, '')
  return visit.show('contract', `Launch contract: ${tenant.name}`, {
    tenant,
    html: createMarkdown().render(markdown),
  })
}

function asked({ config }: TenantRoutesDeps, visit: Visit): Tenant | undefined {
  const read = z.object({ id: z.string() }).safeParse(visit.request.params)
  return config().tenants.find(({ id }) => read.success && id === read.data.id)
}

const viewed = (visit: Visit, page: string, tenant?: string): Promise<void> =>
  visit.record({
    event: 'staff.viewed',
    outcome: 'success',
    parameters: [
      { name: 'page', value: page },
      ...(tenant === undefined ? [] : [{ name: 'tenant', value: tenant }]),
    ],
  })

/** As this replica sees it. */
function stateOf({ metrics, discovery }: TenantRoutesDeps, { zone }: Visit, tenant: Tenant) {
  const time = (at: number | undefined): string | null =>
    at === undefined ? null : inZone(at, zone).slice(0, 19)
  const { readAt, failedAt } = discovery(tenant.id) ?? { readAt: undefined, failedAt: undefined }
  return {
    id: tenant.id,
    name: tenant.name,
    vendor: tenant.vendor,
    paused: tenant.paused ?? null,
    circuitSince: time(metrics.circuitOpenSince(tenant.id)),
    discoveredAt: time(readAt),
    discoveryFailedAt: time(failedAt),
    discoveryFails: (failedAt ?? 0) > (readAt ?? 0),
  }
}

const dayMs = 86_400_000
const soonDays = 30

function expiryOf({ what, until, instead }: Expiry, now: number) {
  if (until === undefined) return { what, words: instead, level: 'none' }
  const days = Math.floor((until - now) / dayMs)
  const day = new Date(until).toISOString().slice(0, 10)
  if (days < 0) return { what, words: `ended on ${day}`, level: 'over' }
  const level = days < soonDays ? 'soon' : 'fine'
  return { what, words: `until ${day}, ${String(days)} days`, level }
}

/** What real launches have shown, each in a line. */
function factsOf(view: MatrixView | undefined): readonly { name: string; value: string }[] {
  if (view === undefined || (view.exchanges === 0 && view.failures === 0)) return []
  const types = Object.entries(view.types)
    .map(([type, { answered, refused, failed }]) =>
      [
        `${type} ${String(answered)} answered`,
        ...(refused > 0 ? [`${String(refused)} refused`] : []),
        ...(failed > 0 ? [`${String(failed)} failed`] : []),
      ].join(', '),
    )
    .join('; ')
  return [
    {
      name: 'Launches',
      value: `${String(view.launches)}, and ${String(view.failures)} that failed`,
    },
    { name: 'Context', value: shares(view.context, view.exchanges) },
    { name: 'Users', value: shares(view.user, view.launches) },
    { name: 'Refresh token', value: shares(givenOrNot(view.refresh), view.launches) },
    { name: 'Token lifetime', value: shares(view.lifetime, view.launches) },
    { name: 'What the EHR answered', value: types === '' ? 'nothing was asked' : types },
  ]
}

/** `patient always`, `encounter 3 of 8`. */
function shares(counts: Readonly<Record<string, number>>, of: number): string {
  const parts = Object.entries(counts).map(([name, count]) => {
    const often = count >= of ? 'always' : `${String(count)} of ${String(of)}`
    return `${name.replaceAll('_', ' ')} ${often}`
  })
  return parts.length === 0 ? 'none' : parts.join(', ')
}
