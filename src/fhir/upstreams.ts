import type { Tenant } from '../config/schema/tenant.ts'
import { createBudget } from './resilience/budget.ts'
import { createReading } from './resilience/reading.ts'
import { createSlabs } from './resilience/slabs.ts'
import { createResilientUpstream } from './resilience/resilient.ts'
import { createUpstream } from './upstream.ts'
import type { Listener, Upstream, UpstreamAnswer, UpstreamFault } from './upstream.ts'
import { createUpstreamUrls } from './upstream-url.ts'
import type { UpstreamUrls } from './upstream-url.ts'

/** One upstream for each tenant, made when the process starts. */
export interface Upstreams {
  of(tenant: Tenant): TenantUpstream
  /** Room for so many more bytes of this request; false: none. */
  hold(tenant: Tenant, listener: Listener, bytes: number): boolean
  /** A request is over: what was held for it is free again. */
  release(tenant: Tenant, listener: Listener): void
  /** Memory for an answer of this request. */
  lend(listener: Listener, bytes: number): Buffer
  /** Of all that was lent to this request only these bytes are still needed. */
  keepOnly(listener: Listener, bytes: Buffer): void
  close(): Promise<void>
}

export interface TenantUpstream {
  readonly upstream: Upstream
  readonly urls: UpstreamUrls
}

export interface UpstreamsHear {
  /** A tenant's circuit opened or closed. */
  readonly onCircuit?: (tenant: string, open: boolean) => void
  /** What the EHR made of one request, and how long it took. */
  readonly onAnswer?: (tenant: string, outcome: UpstreamOutcome, seconds: number) => void
}

export type UpstreamOutcome = '2xx' | '3xx' | '4xx' | '5xx' | 'timeout' | 'unreachable' | 'other'

export function createUpstreams(tenants: readonly Tenant[], hear: UpstreamsHear = {}): Upstreams {
  const byId = new Map<string, TenantUpstream>()
  const budget = createBudget()
  const slabs = createSlabs()
  const reading = createReading()
  for (const tenant of tenants) {
    byId.set(tenant.id, {
      upstream: createResilientUpstream(
        createUpstream(tenant, budget, slabs, reading, (result, seconds) =>
          hear.onAnswer?.(tenant.id, outcomeOf(result), seconds),
        ),
        tenant,
        Date.now,
        (open) => hear.onCircuit?.(tenant.id, open),
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
    hold: (tenant, listener, bytes) => {
      if (listener.over === true || !budget.take(tenant.id, bytes)) return false
      listener.held += bytes
      return true
    },
    release: (tenant, listener) => {
      budget.give(tenant.id, listener.held)
      listener.held = 0
      // Bytes may still be on their way to a browser that is gone.
      if (!listener.gone) slabs.giveBack(listener)
    },
    lend: (listener, bytes) => slabs.lend(listener, bytes),
    keepOnly: (listener, bytes) => slabs.keepOnly(listener, bytes),
    close: async () => {
      await Promise.all([...byId.values()].map(({ upstream }) => upstream.close()))
    },
  }
}

const classes = { 2: '2xx', 3: '3xx', 4: '4xx', 5: '5xx' } as const

function outcomeOf(result: UpstreamAnswer | UpstreamFault): UpstreamOutcome {
  if (result.kind === 'fault') {
    return result.fault === 'timeout' || result.fault === 'unreachable' ? result.fault : 'other'
  }
  const hundreds = Math.floor(result.status / 100)
  return hundreds === 2 || hundreds === 3 || hundreds === 4 || hundreds === 5
    ? classes[hundreds]
    : 'other'
}
