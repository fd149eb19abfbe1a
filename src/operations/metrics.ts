import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { interactions } from '../audit/known-names.ts'
import { errorTable } from '../errors.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'

/**
 * The metrics, each with a small typed function. A label is a word of a closed list: what a stranger sent counts as
 * `other`, so neither the number of series nor their names can be driven from outside (DESIGN rules 1, 17).
 */
export interface Metrics {
  launch(outcome: LaunchOutcome, tenant: string, code?: string): void
  fhirRequest(request: FhirRequest): void
  refresh(result: RefreshResult, tenant: string): void
  storeFault(operation: string): void
  auditRefused(count: number): void
  /** Records that a copy of the audit (the stream, standard output, the repository) did not get. */
  auditCopyLost(copy: string, count: number): void
  auditWritten(records: number, seconds: number): void
  circuit(tenant: string, open: boolean): void
  /** Prometheus text, version 0.0.4. */
  expose(): Promise<{ readonly contentType: string; readonly body: string }>
  close(): void
}

export type LaunchOutcome = 'received' | 'authorized' | 'refused' | 'failed'
export type RefreshResult = 'refreshed' | 'refused' | 'uncertain' | 'waited' | 'not_stored'

export interface FhirRequest {
  readonly resource: string | undefined
  readonly interaction: string | undefined
  readonly decision: 'allowed' | 'refused' | 'failed'
  readonly tenant: string
  readonly seconds: number
}

const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export function createMetrics(options: {
  readonly tenants: readonly { readonly id: string }[]
  /** Event loop, memory, garbage collection; a test that counts series leaves them out. */
  readonly processMetrics?: boolean
}): Metrics {
  const registry = new Registry()
  if (options.processMetrics !== false) collectDefaultMetrics({ register: registry })
  const tenants = new Set(options.tenants.map(({ id }) => id))
  const metrics = defineMetrics(registry)
  const tenantOf = (id: string): string => among(id, tenants)
  return {
    launch(outcome, tenant, code = 'none') {
      const known = code in errorTable ? code : 'none'
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
    refresh: (result, tenant) => metrics.refreshes.inc({ result, tenant: tenantOf(tenant) }),
    storeFault: (operation) => metrics.storeFaults.inc({ operation: among(operation, storeWords) }),
    auditRefused: (count) => metrics.auditRefused.inc(count),
    auditCopyLost: (copy, count) =>
      metrics.auditCopyLost.inc({ copy: among(copy, copyWords) }, count),
    auditWritten(records, seconds) {
      metrics.auditRecords.inc(records)
      metrics.auditSeconds.observe(seconds)
    },
    circuit: (tenant, open) => metrics.circuitOpen.set({ tenant: tenantOf(tenant) }, open ? 1 : 0),
    async expose() {
      return { contentType: registry.contentType, body: await registry.metrics() }
    },
    close: () => registry.clear(),
  }
}

function defineMetrics(registry: Registry) {
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name: `smart_bff_${name}`, help, labelNames, registers })
  const histogram = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Histogram({
      name: `smart_bff_${name}`,
      help,
      labelNames,
      buckets: secondsBuckets,
      registers,
    })
  return {
    launches: counter('launches_total', 'Launches by what became of them.', [
      'outcome',
      'tenant',
      'code',
    ]),
    fhirRequests: counter('fhir_requests_total', 'FHIR requests of the app by decision.', [
      'resource',
      'interaction',
      'decision',
      'tenant',
    ]),
    fhirSeconds: histogram('fhir_request_seconds', 'Time to answer a FHIR request.', [
      'interaction',
      'decision',
    ]),
    refreshes: counter('token_refreshes_total', 'Token refreshes by result.', ['result', 'tenant']),
    storeFaults: counter('store_faults_total', 'Faults of the session store.', ['operation']),
    auditRefused: counter('audit_refused_total', 'Records that could not be written.', []),
    auditCopyLost: counter(
      'audit_copy_lost_total',
      'Records that a copy of the audit did not get.',
      ['copy'],
    ),
    auditRecords: counter('audit_records_total', 'Audit records written.', []),
    auditSeconds: histogram('audit_write_seconds', 'Time of one write of the audit.', []),
    circuitOpen: new Gauge({
      name: 'smart_bff_circuit_open',
      help: '1 while requests to the EHR are cut off.',
      labelNames: ['tenant'],
      registers,
    }),
  }
}

const copyWords = new Set(['stream', 'stdout', 'repository'])
const storeWords = new Set(['session', 'launch', 'pending', 'lease', 'draft', 'check', 'link'])

function among(value: string, list: ReadonlySet<string>): string {
  return list.has(value) ? value : 'other'
}
