import { Gauge } from 'prom-client'
import type { Registry } from 'prom-client'
import { interactions } from '../audit/known-names.ts'
import { errorTable } from '../errors.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'
import type { Watched } from './metrics.ts'
import { createSeriesCounter, createSeriesHistogram } from './series.ts'
import type { Labels, WordOf } from './series.ts'
import { storeOperations } from './store-operations.ts'

/** Every metric of ours with its help, labels and their words; dashboard and alerts are checked against this (config/grafana). */

const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** The store and the audit answer within a millisecond where all is well. */
const fastBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

const words = <const Name extends string, const Word extends string>(name: Name, ...list: Word[]) =>
  [name, new Set(list)] as const
const interaction = ['interaction', interactions] as const
const decision = words('decision', 'allowed', 'refused', 'failed')
const operation = ['operation', storeOperations] as const
const launchOutcome = words('outcome', 'received', 'authorized', 'refused', 'failed')
const upstreamOutcome = words(
  'outcome',
  ...(['2xx', '3xx', '4xx', '5xx', 'timeout', 'unreachable'] as const),
)
const refreshResult = words('result', 'refreshed', 'refused', 'uncertain')
const auditCopy = words('copy', 'stream', 'stdout', 'repository')
const reloadResult = words('result', 'applied', 'refused')

export type FhirDecision = WordOf<typeof decision>
export type LaunchOutcome = WordOf<typeof launchOutcome>
export type UpstreamOutcome = WordOf<typeof upstreamOutcome> | 'other'
export type RefreshResult = WordOf<typeof refreshResult>
export type AuditCopy = WordOf<typeof auditCopy>
export type ReloadResult = WordOf<typeof reloadResult>

export const launchOutcomes: ReadonlySet<string> = launchOutcome[1]

export function defineMetrics(registry: Registry, tenants: ReadonlySet<string>) {
  const make = makers(registry)
  const { counter, gauge, histogram } = make
  const tenant = ['tenant', tenants] as const
  return {
    buildInfo: gauge('build_info', 'Always 1.', ['version', 'node']),
    launches: counter('launches_total', 'Launches by what became of them.', [
      launchOutcome,
      tenant,
      ['code', new Set(['none', ...Object.keys(errorTable)])],
    ]),
    activeLaunches: gauge('active_launches', 'Live launches in the store, of all replicas.', []),
    fhirRequests: counter('fhir_requests_total', 'FHIR requests of the app by decision.', [
      ['resource', resourceTypes],
      interaction,
      decision,
      tenant,
    ]),
    fhirSeconds: histogram(
      'fhir_request_seconds',
      'Time to answer a FHIR request.',
      [interaction, decision],
      secondsBuckets,
    ),
    upstreamSeconds: histogram(
      'upstream_seconds',
      'Time of the EHR to answer a FHIR request.',
      [tenant, upstreamOutcome],
      secondsBuckets,
    ),
    circuitOpen: gauge('circuit_open', '1 while requests to the EHR are cut off.', ['tenant']),
    refreshes: counter('token_refreshes_total', 'Token refreshes by result.', [
      refreshResult,
      tenant,
    ]),
    refreshWaits: histogram(
      'token_refresh_wait_seconds',
      'How long requests waited for a token refresh.',
      [],
      secondsBuckets,
    ),
    storeSeconds: histogram(
      'store_seconds',
      'Time of the session store to answer.',
      [operation],
      fastBuckets,
    ),
    storeFaults: counter('store_faults_total', 'Faults of the session store.', [operation]),
    auditRecords: counter('audit_records_total', 'Audit records written.', []),
    auditCopyLost: counter(
      'audit_copy_lost_total',
      'Records that a copy of the audit did not get.',
      [auditCopy],
    ),
    auditRefused: counter('audit_refused_total', 'Records that could not be written.', []),
    auditSeconds: histogram(
      'audit_write_seconds',
      'Audit lag: from an event until its record is written.',
      [],
      fastBuckets,
    ),
    reloads: counter('reloads_total', 'Reloads of the configuration by result.', [reloadResult]),
    watch: watchers(make),
  }
}

function watchers({ gauge }: ReturnType<typeof makers>) {
  let look: (() => Watched) | undefined
  const watched = (name: string, help: string, value: (seen: Watched) => number): void => {
    const made = gauge(name, help, [], () => {
      if (look !== undefined) made.set(value(look()))
    })
  }
  watched('ready', '1 while this replica wants traffic.', ({ ready }) => Number(ready))
  watched('degraded', '1 while the store does not work.', ({ degraded }) => Number(degraded))
  watched('audit_writable', '1 while the audit can be written.', (seen) =>
    Number(seen.auditHealthy),
  )
  watched(
    'audit_unsealed_records',
    'Audit records that no signed checkpoint covers yet.',
    ({ auditUnsealed }) => auditUnsealed,
  )
  return (read: () => Watched): void => {
    look = read
  }
}

const named = (name: string, help: string) => ({ name: `smart_bff_${name}`, help })

function makers(registry: Registry) {
  return {
    counter: <const Of extends Labels>(name: string, help: string, labels: Of) =>
      createSeriesCounter({ registry, ...named(name, help), labels }),
    gauge: <Label extends string>(
      name: string,
      help: string,
      labelNames: Label[],
      collect?: () => void,
    ) =>
      new Gauge({
        ...named(name, help),
        labelNames,
        registers: [registry],
        ...(collect === undefined ? {} : { collect }),
      }),
    histogram: <const Of extends Labels>(
      name: string,
      help: string,
      labels: Of,
      bounds: readonly number[],
    ) => createSeriesHistogram({ registry, ...named(name, help), labels }, bounds),
  }
}
