import { collectDefaultMetrics, Registry } from 'prom-client'
import { errorTable } from '../errors.ts'
import { defineMetrics } from './metric-definitions.ts'
import type * as words from './metric-definitions.ts'

/**
 * The metrics, each with a small typed function. A label is a word of a closed list: what a stranger sent counts as
 * `other`, so neither the number of series nor their names can be driven from outside (DESIGN rules 1, 17).
 */
export interface Metrics {
  launch(outcome: words.LaunchOutcome, tenant: string, code?: string): void
  fhirRequest(request: FhirRequest): void
  upstream(tenant: string, outcome: words.UpstreamOutcome, seconds: number): void
  refresh(result: words.RefreshResult, tenant: string): void
  /** How long a request waited for a refresh, its own or another's. */
  refreshWait(seconds: number): void
  storeAnswer(operation: string, seconds: number): void
  storeFault(operation: string): void
  auditRefused(count: number): void
  /** Records that a copy of the audit did not get. */
  auditCopyLost(copy: words.AuditCopy | 'other', count: number): void
  auditWritten(records: number, seconds: number): void
  circuit(tenant: string, open: boolean): void
  /** For people: since when, milliseconds since the epoch; undefined while it is closed. */
  circuitOpenSince(tenant: string): number | undefined
  activeLaunches(count: number): void
  reload(result: words.ReloadResult): void
  /** What is looked at when somebody asks for the metrics, and not before. */
  watch(read: () => Watched): void
  /** Prometheus text, version 0.0.4. */
  expose(): Promise<{ readonly contentType: string; readonly body: string }>
  close(): void
}

export interface Watched {
  readonly ready: boolean
  readonly degraded: boolean
  readonly auditHealthy: boolean
  /** Records that no signed checkpoint covers yet. */
  readonly auditUnsealed: number
}

export interface FhirRequest {
  readonly resource: string | undefined
  readonly interaction: string | undefined
  readonly decision: words.FhirDecision
  readonly tenant: string
  readonly seconds: number
}

export interface MetricsOptions {
  readonly tenants: readonly { readonly id: string }[]
  readonly version?: string
  /** Event loop, memory, garbage collection; a test that counts series leaves them out. */
  readonly processMetrics?: boolean
}

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry()
  if (options.processMetrics !== false) collectDefaultMetrics({ register: registry })
  const tenants = new Set(options.tenants.map(({ id }) => id))
  const metrics = defineMetrics(registry, tenants)
  metrics.buildInfo.set({ version: options.version ?? 'unknown', node: process.version }, 1)
  const tenantOf = (id: string): string => (tenants.has(id) ? id : 'other')
  const openSince = new Map<string, number>()
  return {
    launch(outcome, tenant, code = 'none') {
      const known = Object.hasOwn(errorTable, code) ? code : 'none'
      metrics.launches.add(1, outcome, tenant, known)
    },
    fhirRequest({ resource = 'none', interaction = 'none', decision, tenant, seconds }) {
      metrics.fhirRequests.add(1, resource, interaction, decision, tenant)
      metrics.fhirSeconds.observe(seconds, interaction, decision)
    },
    upstream: (tenant, outcome, seconds) =>
      metrics.upstreamSeconds.observe(seconds, tenant, outcome),
    refresh: (result, tenant) => metrics.refreshes.add(1, result, tenant),
    refreshWait: (seconds) => metrics.refreshWaits.observe(seconds),
    storeAnswer: (operation, seconds) => metrics.storeSeconds.observe(seconds, operation),
    storeFault: (operation) => metrics.storeFaults.add(1, operation),
    auditRefused: (count) => metrics.auditRefused.add(count),
    auditCopyLost: (copy, count) => metrics.auditCopyLost.add(count, copy),
    auditWritten(records, seconds) {
      metrics.auditRecords.add(records)
      metrics.auditSeconds.observe(seconds)
    },
    circuit(tenant, open) {
      metrics.circuitOpen.set({ tenant: tenantOf(tenant) }, open ? 1 : 0)
      if (open) openSince.set(tenantOf(tenant), Date.now())
      else openSince.delete(tenantOf(tenant))
    },
    circuitOpenSince: (tenant) => openSince.get(tenant),
    activeLaunches: (count) => metrics.activeLaunches.set(count),
    reload: (result) => metrics.reloads.add(1, result),
    watch: (read) => metrics.watch(read),
    async expose() {
      return { contentType: registry.contentType, body: await registry.metrics() }
    },
    close: () => registry.clear(),
  }
}
