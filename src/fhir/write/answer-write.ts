import type { ResourceRule } from '../../config/schema/rule.ts'
import { SmartBffError } from '../../errors.ts'
import { isRefusal, refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import type { Reply } from '../exchange.ts'
import type { Bound } from '../steps/bind.ts'
import type { Outbound } from '../steps/forward.ts'
import { refuseFault } from '../steps/guard.ts'
import { judgeStillOpen } from '../steps/open.ts'
import { recordIntent } from '../steps/record.ts'
import { sendOutbound } from '../trip.ts'
import type { Trip } from '../trip.ts'
import { takeConfirmation } from './confirm.ts'
import { opaqueTag } from './if-match.ts'
import { claimOnce } from './once.ts'
import { judgeOutcome } from './outcome.ts'
import { prepareCreate, prepareDelete, preparePatch, prepareUpdate } from './prepare.ts'
import type { PreparedWrite } from './prepare.ts'
import { readStored } from './stored.ts'
import { validate } from './validate.ts'

/**
 * The way of a write (DESIGN, Fine print; rule 8):
 *
 *   version named → stored record read, judged, of that version → new record judged → not asked before → confirmed
 *   → validated → intent recorded → sent
 *
 * Until it is sent nothing has happened and any refusal is plain. From then on whatever goes wrong is `write_uncertain`.
 */
export async function answerWrite(
  body: Buffer,
  bound: Bound,
  trip: Trip,
): Promise<Reply | Refusal> {
  const rule = ruleOf(bound, trip)
  const prepared = await prepare(body, bound, rule, trip)
  if (isRefusal(prepared)) return prepared
  const once = await claimOnce(prepared, bound, trip)
  if (once === undefined) return carryOut(prepared, bound, rule, trip)
  if (once.kind !== 'first') return once
  let result: Reply | Refusal | undefined
  try {
    result = await carryOut(prepared, bound, rule, trip)
  } finally {
    const uncertain = result === undefined && trip.exchange.writeSent
    await once.settle(uncertain ? refuse('FHIR_WRITE_UNCERTAIN') : result)
  }
  return result
}

async function carryOut(
  prepared: PreparedWrite,
  bound: Bound,
  rule: ResourceRule,
  trip: Trip,
): Promise<Reply | Refusal> {
  if (rule.confirm === true) {
    const missing = await takeConfirmation(trip.launch, trip.deps)
    if (missing !== undefined) return missing
  }
  if (rule.validate === true) {
    const invalid = await validate(prepared, bound.request, trip)
    if (invalid !== undefined) return invalid
  }
  return sendWrite(prepared.outbound, bound, trip)
}

/** The intent is recorded, then it is sent; what the EHR says is the outcome. */
export async function sendWrite(
  outbound: Outbound,
  bound: Bound,
  trip: Trip,
): Promise<Reply | Refusal> {
  const over = await judgeStillOpen(trip.exchange, trip.launch, trip.deps)
  if (over !== undefined) return over
  await recordIntent(trip.exchange, trip.deps.audit)
  trip.exchange.writeSent = true
  // The browser may go away; a write that is on its way is seen through.
  const listener = { gone: false, whenGone: undefined, held: 0 }
  const received = await sendOutbound(outbound, trip, listener)
    .catch((error: unknown) => {
      // What is thrown is that there was no token: nothing was sent, or the EHR has refused it for the old one.
      if (error instanceof SmartBffError) trip.exchange.writeSent = false
      throw error
    })
    .finally(() => trip.deps.upstreams.release(trip.launch.view.tenant, listener))
  if (received.kind === 'fault' && !received.sent) {
    trip.exchange.writeSent = false
    return refuseFault(received)
  }
  return judgeOutcome(received, bound, trip)
}

async function prepare(
  body: Buffer,
  bound: Bound,
  rule: ResourceRule,
  trip: Trip,
): Promise<PreparedWrite | Refusal> {
  const { headers } = trip.exchange.incoming
  if (bound.request.interaction === 'create') return prepareCreate(body, bound, trip)
  // What names its version cannot happen twice; better said than silently ignored.
  if (headers['idempotency-key'] !== undefined) return refuse('FHIR_NOT_ALLOWED')

  const asked = opaqueTag(headers['if-match'])
  if (asked === undefined && !mayLackVersion(headers['if-match'], rule)) {
    return refuse('FHIR_VERSION_REQUIRED')
  }
  const stored = await readStored(bound, trip)
  if (stored === 'missing') return prepareUpsert(body, bound, rule, asked, trip)
  if (isRefusal(stored)) return stored
  if (stored.tag === undefined && rule.unversioned !== true) return refuse('FHIR_VERSION_REQUIRED')
  if (asked !== undefined && stored.tag !== asked) return refuse('FHIR_WRITE_STALE')
  if (bound.request.interaction === 'update') return prepareUpdate(body, bound, stored, trip)
  if (bound.request.interaction === 'patch') return preparePatch(body, bound, stored, trip)
  return prepareDelete(bound, stored, trip)
}

/** No header at all, under a rule for EHRs without versions or for records that need not exist yet. */
function mayLackVersion(header: string | undefined, rule: ResourceRule): boolean {
  return header === undefined && (rule.unversioned === true || rule.upsert === true)
}

/** An update that creates needs a rule, and no version, because there is none. */
function prepareUpsert(
  body: Buffer,
  bound: Bound,
  rule: ResourceRule,
  asked: string | undefined,
  trip: Trip,
): PreparedWrite | Refusal {
  const upsert = bound.request.interaction === 'update' && rule.upsert === true
  if (!upsert) return refuse('FHIR_RESOURCE_UNKNOWN')
  return asked === undefined
    ? prepareUpdate(body, bound, undefined, trip)
    : refuse('FHIR_WRITE_STALE')
}

/** The rule that allow found, whose further keys say how strict a write is. */
function ruleOf(bound: Bound, trip: Trip): ResourceRule {
  const rules = trip.launch.view.rules.get(bound.request.resource ?? '') ?? []
  const { interaction } = bound.request
  const rule = rules.find(
    ({ feature, interactions }) =>
      feature === bound.rule && interactions.some((code) => code === interaction),
  )
  if (rule === undefined) throw new TypeError('a permit without its rule')
  return rule
}
