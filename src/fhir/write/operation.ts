import { isJsonObject } from '../../smart/json.ts'
import type { JsonObject } from '../../smart/json.ts'
import { decide } from '../decide.ts'
import { isRefusal, refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import { parseExact } from '../exact-json.ts'
import type { Reply } from '../exchange.ts'
import { expectationOf } from '../expectation.ts'
import { idOf, typeOf } from '../judge.ts'
import { judgeCurrent } from '../judge-current.ts'
import type { FhirRequest } from '../request.ts'
import { createRestorer } from '../rewriter.ts'
import { allow } from '../steps/allow.ts'
import type { Permit } from '../steps/allow.ts'
import { outboundOf } from '../steps/forward.ts'
import type { Trip } from '../trip.ts'
import type { LaunchView } from '../view.ts'
import { sendWrite } from './answer-write.ts'
import { bringsBinary } from './attachments.ts'
import { judgeBody } from './judge-body.ts'
import type { MakeTools } from './make.ts'
import { readParameters } from './operation-parameters.ts'
import { restoreUrls } from './restore.ts'

/**
 * A named operation by POST (fhir-access-and-audit.md 1.12, rows 23 to 25): the rule names it, its parameters are judged
 * one by one, and the record it is about is read and judged first. Whether it changes anything (`affectsState`) only the
 * EHR knows, so it leaves the records of a write, and what is lost after it was sent is `write_uncertain`.
 */
export async function answerOperation(
  request: FhirRequest,
  body: Buffer,
  trip: Trip,
): Promise<Reply | Refusal> {
  const { exchange, launch, deps } = trip
  const { view } = launch
  // FHIR has them in the body; in two places they could contradict each other.
  if (request.parameters.length > 0) return refuse('FHIR_PARAMETER_NOT_ALLOWED')
  // A promise that is not kept is better refused.
  if (exchange.incoming.headers['idempotency-key'] !== undefined) return refuse('FHIR_NOT_ALLOWED')
  const named = allow(request, view)
  if (isRefusal(named)) return named

  const { base, patient } = view
  const restorer = createRestorer({ ...deps, launch: launch.key.launch, base })
  const { urls } = deps.upstreams.of(view.tenant)
  const value = restoreUrls(parseExact(body), restorer)
  const parameters = readParameters(value, {
    patient,
    base,
    resource: (record) => judgeRecordIn(record, named, view, { restorer, urls }),
  })
  if (isRefusal(parameters)) return parameters
  const asked = { ...request, parameters }
  exchange.request = asked
  const bound = decide(asked, view)
  if (isRefusal(bound)) return bound
  exchange.rule = bound.rule
  exchange.narrowed = bound.sent.parameters.filter((one) => !parameters.includes(one))

  const unproved = await judgeCurrent(bound, trip)
  if (unproved !== undefined) return unproved
  return sendWrite(outboundOf(bound.sent, urls), bound, undefined, trip)
}

/** A record given to the operation: of a type that its answer might have, this patient's, and of the type asked about. */
function judgeRecordIn(
  value: unknown,
  permit: Permit,
  view: LaunchView,
  { restorer, urls }: MakeTools,
): JsonObject | Refusal {
  const { resource, operation } = permit.request
  const type = isJsonObject(value) ? typeOf(value) : undefined
  if (!isJsonObject(value) || type === undefined) return refuse('FHIR_BODY_INVALID', 'malformed')
  if (operation === '$validate' && type !== resource) {
    return refuse('FHIR_BODY_INVALID', 'wrong_type')
  }
  const id = idOf(value)
  if (id === undefined && Object.hasOwn(value, 'id')) return refuse('FHIR_BODY_INVALID', 'wrong_id')
  const whole = { ...permit, coverage: { kind: 'all' }, sent: permit.request } as const
  const expected = { ...expectationOf(whole, view), resource: type, id }
  const judged = judgeBody(value, expected)
  if (isRefusal(judged) || view.patient === undefined) return judged
  return bringsBinary(judged, restorer.attachments, urls)
    ? refuse('FHIR_PATIENT_FOREIGN', 'no_subject')
    : judged
}
