import type { Audit, AuditEvent } from '../../audit/event.ts'
import { errorTable } from '../../errors.ts'
import { isWrite } from '../../smart/interactions.ts'
import type { Refusal } from '../decision.ts'
import type { Exchange, Reply } from '../exchange.ts'
import { parameterName } from '../request.ts'
import type { Parameter } from '../request.ts'

/**
 * record: what happened is written before the first byte leaves, refusals too (DESIGN rule 8). Only names, codes,
 * counts and times; the audit itself turns identifiers into pseudonyms and drops parameter values (rule 9).
 */
export function record(exchange: Exchange, result: Reply | Refusal, audit: Audit): Promise<void> {
  return audit.record(
    result.kind === 'reply' ? success(exchange, result) : refusal(exchange, result),
  )
}

/** Written before a write is sent (DESIGN rule 8); the outcome is a record of its own. */
export function recordIntent(exchange: Exchange, audit: Audit): Promise<void> {
  return audit.record({ event: 'fhir.intended', outcome: 'success', ...common(exchange) })
}

/** Before the first byte of a stream, when its length is not known yet. */
export function recordPermitted(exchange: Exchange, audit: Audit): Promise<void> {
  const event = { event: 'fhir.permitted', outcome: 'success', status: 200, count: 1 } as const
  return audit.record({ ...event, ...common(exchange) })
}

/** A stream broke off: so many bytes had gone. */
export function recordAborted(exchange: Exchange, bytes: number, audit: Audit): Promise<void> {
  return audit.record({ event: 'fhir.aborted', outcome: 'failed', bytes, ...common(exchange) })
}

function success(exchange: Exchange, reply: Reply): AuditEvent {
  return {
    event: exchange.writeSent ? 'fhir.written' : 'fhir.access',
    outcome: 'success',
    ...common(exchange),
    ...versionOf(reply),
    ...(reply.patients.length === 0 ? {} : { patient: reply.patients }),
    status: reply.status,
    ...(reply.count === undefined ? {} : { count: reply.count }),
    bytes: reply.body.length,
    ...(reply.reason === undefined ? {} : { reason: reply.reason }),
  }
}

function refusal(exchange: Exchange, { code, reason }: Refusal): AuditEvent {
  const { status, state } = errorTable[code]
  const failed = state === 'data_unavailable' || state === 'write_uncertain'
  let event: AuditEvent['event'] = failed ? 'fhir.failed' : 'fhir.refused'
  // Nothing is known of who asked: the audit counts such refusals by address.
  if (exchange.opened === undefined && !failed) event = 'request.refused'
  if (state === 'write_uncertain') event = 'fhir.uncertain'
  return {
    event,
    outcome: failed ? 'failed' : 'refused',
    ...common(exchange),
    state,
    status,
    reason: reason ?? code,
  }
}

/** A version id of the form the audit can hold. */
function versionOf({ headers }: Reply): { version?: string } {
  const version = /^(?:W\/)?"([A-Za-z0-9.-]{1,64})"$/.exec(headers['etag'] ?? '')?.[1]
  return version === undefined ? {} : { version }
}

function common(exchange: Exchange): Omit<AuditEvent, 'event' | 'outcome'> {
  const { opened, view, request, rule, launch, upstreamStatus } = exchange
  const user = opened?.record.user
  return {
    request: exchange.incident,
    client: exchange.client,
    ms: Math.round(performance.now() - exchange.startedAt),
    ...(launch === undefined ? {} : { launch }),
    ...(view === undefined ? {} : { tenant: view.tenant.id, mode: view.mode.id }),
    ...(user === undefined ? {} : { user }),
    ...(view?.patient === undefined ? {} : { patient: view.patient }),
    ...(rule === undefined ? {} : { rule }),
    ...(request === undefined ? {} : { interaction: request.interaction }),
    ...(request?.resource === undefined ? {} : { resource: request.resource }),
    ...writtenId(exchange),
    ...(request?.operation === undefined ? {} : { operation: request.operation }),
    ...(request === undefined || request.parameters.length === 0
      ? {}
      : { parameters: request.parameters.map(named) }),
    ...(upstreamStatus === undefined ? {} : { upstreamStatus }),
  }
}

/** Which record a write was about: the audit writes it as a pseudonym. */
function writtenId({ request, savedId }: Exchange): { resourceId?: string } {
  if (request === undefined || !isWrite(request.interaction)) return {}
  const resourceId = request.id ?? savedId
  return resourceId === undefined ? {} : { resourceId }
}

function named(parameter: Parameter): { name: string; value: string } {
  return { name: parameterName(parameter), value: parameter.value }
}
