import { collectDefaultMetrics } from 'prom-client'
import { Registry } from 'prom-client'
import { interactions } from '../audit/known-names.ts'
import { errorTable } from '../errors.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'
import { defineMetrics } from './metric-definitions.ts'

/**
 * The metrics, each with a small typed function. A label is a word of a closed list: what a stranger sent counts as
 * `other`, so neither the number of series nor their names can be driven from outside (DESIGN rules 1, 17).
 */
export interface Metrics {
  launch(outcome: LaunchOutcome, tenant: string, code?: string): void
  fhirRequest(request: FhirRequest): void
  upstream(tenant: string, outcome: UpstreamOutcome, seconds: number): void
  refresh(result: RefreshResult, tenant: string): void
  /** How long a request waited for a refresh, its own or another's. */
  refreshWait(seconds: number): void
  storeAnswer(operation: string, seconds: number): void
  storeFault(operation: string): void
  auditRefused(count: number): void
  /** Records that a copy of the audit (the stream, standard output, the repository) did not get. */
  auditCopyLost(copy: string, count: number): void
  auditWritten(records: number, seconds: number): void
  circuit(tenant: string, open: boolean): void
  /** For people: since when, milliseconds since the epoch; undefined while it is closed. */
  circuitOpenSince(tenant: string): number | undefined
  activeLaunches(count: number): void
  reload(result: 'applied' | 'refused'): void
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

export type LaunchOutcome = 'received' | 'authorized' | 'refused' | 'failed'
export type RefreshResult = 'refreshed' | 'refused' | 'uncertain'
export type UpstreamOutcome = '2xx' | '3xx' | '4xx' | '5xx' | 'timeout' | 'unreachable' | 'other'

export interface FhirRequest {
  readonly resource: string | undefined
  readonly interaction: string | undefined
  readonly decision: 'allowed' | 'refused' | 'failed'
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
  const metrics = defineMetrics(registry)
  metrics.buildInfo.set({ version: options.version ?? 'unknown', node: process.version }, 1)
  const tenantOf = (id: string): string => among(id, tenants)
  const openSince = new Map<string, number>()
  return {
    launch(outcome, tenant, code = 'none') {
      const known = Object.hasOwn(errorTable, code) ? code : 'none'
      metrics.launches.inc({ outcome, tenant: tenantOf(tenant), code: known })
    },
    fhirRequest(request) {
      const { decision, seconds } = request
      const resource = among(request.resource ?? 'none', resourceTypes)
      const interaction = among(request.interaction ?? 'none', interactions)
      const tenant = tenantOf(request.tenant)
      metrics.fhirRequests.inc({ resource, interaction, decision, tenant })
      metrics.fhirSeconds.observe({ interaction, decision }, seconds)
    },
    upstream: (tenant, outcome, seconds) =>
      metrics.upstreamSeconds.observe({ tenant: tenantOf(tenant), outcome }, seconds),
    refresh: (result, tenant) => metrics.refreshes.inc({ result, tenant: tenantOf(tenant) }),
    refreshWait: (seconds) => metrics.refreshWaits.observe(seconds),
    storeAnswer: (operation, seconds) =>
      metrics.storeSeconds.observe({ operation: among(operation, storeOperations) }, seconds),
    storeFault: (operation) =>
      metrics.storeFaults.inc({ operation: among(operation, storeOperations) }),
    auditRefused: (count) => metrics.auditRefused.inc(count),
    auditCopyLost: (copy, count) =>
      metrics.auditCopyLost.inc({ copy: among(copy, copyWords) }, count),
    auditWritten(records, seconds) {
      metrics.auditRecords.inc(records)
      metrics.auditSeconds.observe(seconds)
    },
    circuit(tenant, open) {
      metrics.circuitOpen.set({ tenant: tenantOf(tenant) }, open ? 1 : 0)
      if (open) openSince.set(tenantOf(tenant), Date.now())
      else openSince.delete(tenantOf(tenant))
    },
    circuitOpenSince: (tenant) => openSince.get(tenant),
    activeLaunches: (count) => metrics.activeLaunches.set(count),
    reload: (result) => metrics.reloads.inc({ result }),
    watch: (read) => metrics.watch(read),
    async expose() {
      return { contentType: registry.contentType, body: await registry.metrics() }
    },
    close: () => registry.clear(),
  }
}

const copyWords = new Set(['stream', 'stdout', 'repository'])

/** What src/store asks Redis for, and the word for its connection (test/operations/metrics.test.ts). */
export const storeOperations: ReadonlySet<string> = new Set(
  `acquireLease addAuditLines addToIndex addToMatrix check claimDue claimIdempotent clock connection
  countUp createLaunch createSession deleteIdempotent endLaunch endSession joinBindings
  keepCheckpoint listCheckpoints listDue listIndex listLaunches putConfirmation putIdempotent
  putPending readAuditLines readDraft readLaunch readLease readMatrix readSession readUntold
  readUntoldSession releaseLease renewLease replaceDraft replaceLaunch replaceSession schedule
  settleDue settleEnd takeConfirmation takePending touch`.split(/\s+/),
)

function among(value: string, list: ReadonlySet<string>): string {
  return list.has(value) ? value : 'other'
}
