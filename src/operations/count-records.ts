import type { Audit, AuditEvent } from '../audit/event.ts'
import type { Matrix } from './matrix.ts'
import { launchOutcomes } from './metric-definitions.ts'
import type { FhirDecision, LaunchOutcome } from './metric-definitions.ts'
import type { Metrics } from './metrics.ts'

/**
 * Metrics and launch matrix hear what the audit hears: one story, counted twice, never two stories. What could not be recorded is not
 * counted, for it did not happen (DESIGN rule 8).
 */
export function countRecords<Kind extends Audit>(
  audit: Kind,
  metrics: Metrics,
  matrix: Pick<Matrix, 'heard'>,
): Kind {
  return {
    ...audit,
    record: async (event: AuditEvent) => {
      const startedAt = performance.now()
      await audit.record(event)
      metrics.auditWritten(1, (performance.now() - startedAt) / 1000)
      count(event, metrics)
      matrix.heard(event)
    },
  }
}

function count(event: AuditEvent, metrics: Metrics): void {
  if (event.event.startsWith('fhir.')) return countFhir(event, metrics)
  const { tenant = 'none' } = event
  const [station, what = ''] = event.event.split('.')
  if (station === 'launch' && isLaunchOutcome(what)) metrics.launch(what, tenant, event.reason)
  if (event.event === 'token.refreshed') metrics.refresh('refreshed', tenant)
  if (event.event === 'token.refused') {
    metrics.refresh(event.outcome === 'refused' ? 'refused' : 'uncertain', tenant)
  }
}

/** What is permitted or intended is counted when it has come to its end. */
function countFhir(event: AuditEvent, metrics: Metrics): void {
  if (event.event === 'fhir.permitted' || event.event === 'fhir.intended') return
  metrics.fhirRequest({
    resource: event.resource,
    interaction: event.interaction,
    decision: decisionOf(event),
    tenant: event.tenant ?? 'none',
    seconds: (event.ms ?? 0) / 1000,
  })
}

function decisionOf({ outcome }: AuditEvent): FhirDecision {
  return outcome === 'success' ? 'allowed' : outcome
}

const isLaunchOutcome = (what: string): what is LaunchOutcome => launchOutcomes.has(what)
