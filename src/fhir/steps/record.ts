import type { Audit, AuditEvent } from '../../audit/event.ts'
import { errorTable } from '../../errors.ts'
import type { ErrorCode } from '../../errors.ts'
import type { Refusal } from '../decision.ts'
import type { Exchange, Reply } from '../exchange.ts'
import { parameterName } from '../request.ts'
import type { Parameter } from '../request.ts'

/**
 * record: what happened is written before the first byte leaves, refusals too (DESIGN rule 8). Only names, codes,
 * counts and times; the audit itself turns identifiers into pseudonyms and drops parameter values (rule 9).
 */
export async function record(
  exchange: Exchange,
  result: Reply | Refusal,
  audit: Audit,
): Promise<void> {
  const main = result.kind === 'reply' ? success(exchange, result) : refusal(exchange, result)
  const reason = findingOf(exchange, result)
  if (reason === undefined) return await audit.record(main)
  const finding = { event: 'guard.finding', outcome: 'refused', reason } as const
  // In one write: another patient's record must not even take longer than a missing one.
  await Promise.all([audit.record({ ...common(exchange), ...finding }), audit.record(main)])
}

/** Written before a write is sent, with the version it is to replace; the outcome is a record of its own (rule 8). */
export function recordIntent(
  exchange: Exchange,
  ifMatch: string | undefined,
  audit: Audit,
): Promise<void> {
  const version = versionIn(ifMatch)
  return audit.record({
    event: 'fhir.intended',
    outcome: 'success',
    ...common(exchange),
    ...(version === undefined ? {} : { version }),
  })
}

/** Before the first byte of a stream, when its length is not known yet. */
export function recordPermitted(exchange: Exchange, audit: Audit): Promise<void> {
  const event = { event: 'fhir.permitted', outcome: 'success', status: 200, count: 1 } as const
  return audit.record({ ...event, ...common(exchange) })
}

/** The stream came to its end: so many bytes have gone. */
export function recordCompleted(exchange: Exchange, bytes: number, audit: Audit): Promise<void> {
  const event = { event: 'fhir.access', outcome: 'success', status: 200, count: 1 } as const
  return audit.record({ ...event, bytes, ...common(exchange) })
}

/** A stream broke off: so many bytes had gone. */
export function recordAborted(exchange: Exchange, bytes: number, audit: Audit): Promise<void> {
  return audit.record({ event: 'fhir.aborted', outcome: 'failed', bytes, ...common(exchange) })
}

function success(exchange: Exchange, reply: Reply): AuditEvent {
  const version = versionIn(reply.headers['etag'])
  return {
    event: exchange.writeSent ? 'fhir.written' : 'fhir.access',
    outcome: 'success',
    ...common(exchange),
    ...(version === undefined ? {} : { version }),
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

/** What the EHR sent that does not belong here: a record of its own, for whoever watches the EHR and not the user. */
const findings: ReadonlySet<string> = new Set([
  'wrong_patient',
  'patient_merged',
  'wrong_type',
  'wrong_id',
  'no_subject',
])

/** What an answer is refused with. The same reasons under another code are about what the app sent. */
const answerCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'FHIR_ANSWER_FOREIGN',
  'FHIR_ANSWER_UNREADABLE',
  'FHIR_PATIENT_MERGED',
  'FHIR_RESOURCE_UNKNOWN',
  'FHIR_WRITE_UNCERTAIN',
])

function findingOf(
  { upstreamStatus = 0 }: Exchange,
  result: Reply | Refusal,
): AuditEvent['reason'] {
  const { kind, reason } = result
  if (kind === 'reply') return reason === 'dropped' ? reason : undefined
  // Before the EHR was asked it is the request that was wrong.
  const answered = upstreamStatus === 200 || upstreamStatus === 201
  if (!answered || !answerCodes.has(result.code)) return undefined
  return findings.has(reason ?? '') ? reason : undefined
}

/** A version id of the form the audit can hold. */
const versionIn = (tag: string | undefined): string | undefined =>
  /^(?:W\/)?"([A-Za-z0-9.-]{1,64})"$/.exec(tag ?? '')?.[1]

function common(exchange: Exchange): Omit<AuditEvent, 'event' | 'outcome'> {
  const { opened, view, request, rule, launch, upstreamStatus, narrowed } = exchange
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
    ...recordId(exchange),
    ...(request?.operation === undefined ? {} : { operation: request.operation }),
    ...(request === undefined || request.parameters.length + narrowed.length === 0
      ? {}
      : { parameters: [...request.parameters.map(named), ...narrowed.map(added)] }),
    ...(upstreamStatus === undefined ? {} : { upstreamStatus }),
  }
}

/** Which record it was about. The files have it of a write alone, as a pseudonym. */
function recordId({ request, savedId }: Exchange): { resourceId?: string } {
  const resourceId = request?.id ?? savedId
  return resourceId === undefined ? {} : { resourceId }
}

/** What was narrowed by us, marked. */
function added(parameter: Parameter): { name: string; value: string } {
  return { name: `+${parameterName(parameter)}`, value: parameter.value }
}

function named(parameter: Parameter): { name: string; value: string } {
  return { name: parameterName(parameter), value: parameter.value }
}
