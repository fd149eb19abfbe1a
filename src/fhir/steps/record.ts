import type { Audit, AuditEvent } from '../../audit/event.ts'
import { errorTable } from '../../errors.ts'
import type { ErrorCode } from '../../errors.ts'
import type { Refusal } from '../decision.ts'
import type { Exchange, Reply } from '../exchange.ts'
import { parameterName } from '../request.ts'

/**
 * record: what happened is written before the first byte leaves, refusals too (DESIGN rule 8). Only names, codes,
 * counts and times; the audit itself turns identifiers into pseudonyms and drops parameter values (rule 9).
 */
export function record(
  exchange: Exchange,
  result: Reply | Refusal,
  audit: Audit,
): Promise<unknown> {
  const main = result.kind === 'reply' ? success(exchange, result) : refusal(exchange, result)
  const reason = findingOf(exchange, result)
  if (reason === undefined) return audit.record(main)
  const finding = eventOf(exchange, { event: 'guard.finding', outcome: 'refused', reason })
  // In one write: another patient's record must not even take longer than a missing one.
  return Promise.all([audit.record(finding), audit.record(main)])
}

/** Written before a write is sent, with the version it is to replace; the outcome is a record of its own (rule 8). */
export function recordIntent(
  exchange: Exchange,
  ifMatch: string | undefined,
  audit: Audit,
): Promise<void> {
  const version = versionIn(ifMatch)
  return audit.record(eventOf(exchange, { event: 'fhir.intended', outcome: 'success', version }))
}

/** Before the first byte of a stream, when its length is not known yet. */
export function recordPermitted(exchange: Exchange, audit: Audit): Promise<void> {
  const said = { event: 'fhir.permitted', outcome: 'success', status: 200, count: 1 } as const
  return audit.record(eventOf(exchange, said))
}

/** The stream came to its end: so many bytes have gone. */
export function recordCompleted(exchange: Exchange, bytes: number, audit: Audit): Promise<void> {
  const said = { event: 'fhir.access', outcome: 'success', status: 200, count: 1, bytes } as const
  return audit.record(eventOf(exchange, said))
}

/** A stream broke off: so many bytes had gone. */
export function recordAborted(exchange: Exchange, bytes: number, audit: Audit): Promise<void> {
  return audit.record(eventOf(exchange, { event: 'fhir.aborted', outcome: 'failed', bytes }))
}

function success(exchange: Exchange, reply: Reply): AuditEvent {
  return eventOf(exchange, {
    event: exchange.writeSent ? 'fhir.written' : 'fhir.access',
    outcome: 'success',
    version: versionIn(reply.headers['etag']),
    patient: reply.patients.length === 0 ? undefined : reply.patients,
    status: reply.status,
    count: reply.count,
    bytes: reply.body.length,
    reason: reply.reason,
  })
}

function refusal(exchange: Exchange, { code, reason }: Refusal): AuditEvent {
  const { status, state } = errorTable[code]
  const failed = state === 'data_unavailable' || state === 'write_uncertain'
  let event: AuditEvent['event'] = failed ? 'fhir.failed' : 'fhir.refused'
  // Nothing is known of who asked: the audit counts such refusals by address.
  if (exchange.opened === undefined && !failed) event = 'request.refused'
  if (state === 'write_uncertain') event = 'fhir.uncertain'
  const outcome = failed ? 'failed' : 'refused'
  return eventOf(exchange, { event, outcome, state, status, reason: reason ?? code })
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
function versionIn(tag: string | undefined): string | undefined {
  return tag === undefined ? undefined : /^(?:W\/)?"([A-Za-z0-9.-]{1,64})"$/.exec(tag)?.[1]
}

/** What a record says besides what is known of its request. */
type Said = Pick<
  AuditEvent,
  'event' | 'outcome' | 'state' | 'version' | 'patient' | 'status' | 'count' | 'bytes' | 'reason'
>

/** Every member at once, those that are not known too: to add them one by one cost more than the line they become. */
function eventOf(exchange: Exchange, said: Said): AuditEvent {
  const { view, request } = exchange
  return {
    event: said.event,
    outcome: said.outcome,
    state: said.state,
    tenant: view?.tenant.id,
    mode: view?.mode.id,
    launch: exchange.launch,
    request: exchange.incident,
    client: exchange.client,
    user: exchange.opened?.record.user,
    patient: said.patient ?? view?.patient,
    rule: exchange.rule,
    interaction: request?.interaction,
    resource: request?.resource,
    // The files have it of a write alone, as a pseudonym.
    resourceId: request?.id ?? exchange.savedId,
    operation: request?.operation,
    parameters: parametersOf(exchange),
    version: said.version,
    status: said.status,
    upstreamStatus: exchange.upstreamStatus,
    count: said.count,
    bytes: said.bytes,
    ms: Math.round(performance.now() - exchange.startedAt),
    reason: said.reason,
  }
}

/** What was asked, then what was narrowed by us, marked. */
function parametersOf({ request, narrowed }: Exchange): AuditEvent['parameters'] {
  if (request === undefined) return undefined
  const { parameters } = request
  if (parameters.length === 0 && narrowed.length === 0) return undefined
  return [
    ...parameters.map((one) => ({ name: parameterName(one), value: one.value })),
    ...narrowed.map((one) => ({ name: `+${parameterName(one)}`, value: one.value })),
  ]
}
