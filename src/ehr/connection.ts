import type { Renewal } from '../config/renewable.ts'
import type { Config } from '../config/schema/config.ts'
import type { Tenant } from '../config/schema/tenant.ts'
import { createDiscovery, type Discovery } from './discovery.ts'
import { createEhrHttp } from './http.ts'
import { createIdentity, type Identity } from './identity.ts'
import { createOAuthClient, type OAuthClient } from './oauth-client.ts'
import { createStyles, type Styles } from './styles.ts'
import { quirksOf, redirectPathOf, type ResolvedQuirks } from './quirks.ts'

/** All that launch and vault need of one tenant's EHR. */
export interface Ehr {
  readonly tenant: Tenant
  readonly quirks: ResolvedQuirks
  readonly redirectUri: string
  readonly discovery: Discovery
  readonly oauth: OAuthClient
  readonly identity: Identity
  readonly styles: Styles
  close(): Promise<void>
}

export interface EhrDeps {
  readonly publicUrl: string
  readonly now: () => number
  readonly onMoved: (tenant: string, endpoint: string) => void
}

export function createEhr(tenant: Tenant, deps: EhrDeps): Ehr {
  const quirks = quirksOf(tenant)
  const http = createEhrHttp(tenant)
  const onMoved = (endpoint: string): void => deps.onMoved(tenant.id, endpoint)
  const discovery = createDiscovery({ tenant, quirks, http, now: deps.now, onMoved })
  const jwksUrl = `${deps.publicUrl}/.well-known/jwks.json`
  return {
    tenant,
    quirks,
    redirectUri: deps.publicUrl + redirectPathOf(tenant),
    discovery,
    oauth: createOAuthClient({ tenant, quirks, discovery, http, jwksUrl }),
    identity: createIdentity({ tenant, quirks, discovery, http, now: deps.now, onMoved }),
    styles: createStyles({ quirks, http, now: deps.now }),
    close: () => http.close(),
  }
}

/** One connection a tenant, by tenant id. */
export type Ehrs = ReadonlyMap<string, Ehr>

export function createEhrs(config: Config, deps: EhrDeps): Ehrs {
  return new Map(config.tenants.map((tenant) => [tenant.id, createEhr(tenant, deps)]))
}

/** Of each tenant what may change while the process runs; a tenant that is not there yet needs a restart. */
export const renewEhrs =
  (ehrs: Ehrs): Renewal<Config> =>
  ({ tenants }) => {
    const ready = tenants.flatMap((tenant) => ehrs.get(tenant.id)?.oauth.renew(tenant) ?? [])
    return () => {
      for (const put of ready) put()
    }
  }
