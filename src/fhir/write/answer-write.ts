import type { IncomingHttpHeaders } from 'node:http'
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
import type { UpstreamAnswer, UpstreamFault } from '../upstream.ts'
import { takeConfirmation } from './confirm.ts'
import { claimOnce } from './once.ts'
import { judgeOutcome } from './outcome.ts'
import { outboundOfWrite, prepareWrite } from './prepare.ts'
import type { PreparedWrite, WriteAsk } from './prepare.ts'
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
  const { headers } = trip.exchange.incoming
  const rule = ruleOf(bound, trip)
  // What names its version cannot happen twice; better said than silently ignored.
  const keyed = headers['idempotency-key'] !== undefined
  if (keyed && bound.request.interaction !== 'create') return refuse('FHIR_NOT_ALLOWED')
  const prepared = await prepareWrite(askOf(body, headers), bound, rule, trip)
  if (isRefusal(prepared)) return prepared
  const once = await claimOnce(outboundOfWrite(prepared, bound, trip), bound, trip)
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
  const outbound = outboundOfWrite(prepared, bound, trip)
  return sendWrite(outbound, bound, trip.exchange.incoming.headers['if-match'], trip)
}

function askOf(body: Buffer, headers: IncomingHttpHeaders): WriteAsk {
  const condition = headers['if-none-exist']
  return {
    body,
    ifMatch: headers['if-match'],
    ifNoneExist: Array.isArray(condition) ? '' : condition,
    siblings: {},
    large: false,
  }
}

/** The intent is recorded, then it is sent; what the EHR says is the outcome. */
export async function sendWrite(
  outbound: Outbound,
  bound: Bound,
  ifMatch: string | undefined,
  trip: Trip,
): Promise<Reply | Refusal> {
  const over = await judgeStillOpen(trip.exchange, trip.launch, trip.deps)
  if (over !== undefined) return over
  await recordIntent(trip.exchange, ifMatch, trip.deps.audit)
  const received = await sendThrough(outbound, trip)
  if (received.kind === 'fault' && !received.sent) return refuseFault(received)
  return judgeOutcome(received, bound, trip)
}

/** The browser may go away; a write that is on its way is seen through. */
export async function sendThrough(
  outbound: Outbound,
  trip: Trip,
): Promise<UpstreamAnswer | UpstreamFault> {
  trip.exchange.writeSent = true
  const listener = { gone: false, whenGone: undefined, held: 0 }
  const received = await sendOutbound(outbound, trip, listener)
    .catch((error: unknown) => {
      // What is thrown is that there was no token: nothing was sent, or the EHR has refused it for the old one.
      if (error instanceof SmartBffError) trip.exchange.writeSent = false
      throw error
    })
    .finally(() => trip.deps.upstreams.release(trip.launch.view.tenant, listener))
  if (received.kind === 'fault' && !received.sent) trip.exchange.writeSent = false
  return received
}

/** The rule that allow found, whose further keys say how strict a write is. */
export function ruleOf(bound: Bound, trip: Trip): ResourceRule {
  const rules = trip.launch.view.rules.get(bound.request.resource ?? '') ?? []
  const { interaction } = bound.request
  const rule = rules.find(
    ({ feature, interactions }) =>
      feature === bound.rule && interactions.some((code) => code === interaction),
  )
  if (rule === undefined) throw new TypeError('a permit without its rule')
  return rule
}
