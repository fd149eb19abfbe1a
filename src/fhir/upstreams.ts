import type { Tenant } from '../config/schema/tenant.ts'
import { createBudget } from './resilience/budget.ts'
import { createResilientUpstream } from './resilience/resilient.ts'
import { createUpstream } from './upstream.ts'
import type { Listener, Upstream } from './upstream.ts'
import { createUpstreamUrls } from './upstream-url.ts'
import type { UpstreamUrls } from './upstream-url.ts'

/** One upstream for each tenant, made when the process starts. */
export interface Upstreams {
  of(tenant: Tenant): TenantUpstream
  /** A request is over: what was held for it is free again. */
  release(tenant: Tenant, listener: Listener): void
  close(): Promise<void>
}

export interface TenantUpstream {
  readonly upstream: Upstream
  readonly urls: UpstreamUrls
}

/** `onCircuit` hears when a tenant's circuit opens and closes. */
export function createUpstreams(
  tenants: readonly Tenant[],
  onCircuit: (tenant: string, open: boolean) => void = () => undefined,
): Upstreams {
  const byId = new Map<string, TenantUpstream>()
  const budget = createBudget()
  for (const tenant of tenants) {
    byId.set(tenant.id, {
      upstream: createResilientUpstream(createUpstream(tenant, budget), tenant, Date.now, (open) =>
        onCircuit(tenant.id, open),
      ),
      urls: createUpstreamUrls(tenant.iss),
    })
  }
  return {
    of: (tenant) => {
      const found = byId.get(tenant.id)
      if (found === undefined) throw new TypeError('a tenant without an upstream')
      return found
    },
    release: (tenant, listener) => {
      budget.give(tenant.id, listener.held)
      listener.held = 0
    },
    close: async () => {
      await Promise.all([...byId.values()].map(({ upstream }) => upstream.close()))
    },
  }
}
