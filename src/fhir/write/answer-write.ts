import type { ResourceRule } from '../../config/schema/rule.ts'
import { copyIssues } from '../../smart/outcome.ts'
import { isRefusal, refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import { parseExact } from '../exact-json.ts'
import type { Reply } from '../exchange.ts'
import type { FhirRequest } from '../request.ts'
import type { Bound } from '../steps/bind.ts'
import { refuseFault } from '../steps/guard.ts'
import { recordIntent } from '../steps/record.ts'
import { sendOutbound } from '../trip.ts'
import type { Trip } from '../trip.ts'
import { opaqueTag } from './if-match.ts'
import { judgeOutcome } from './outcome.ts'
import { prepareCreate, prepareDelete, preparePatch, prepareUpdate } from './prepare.ts'
import type { PreparedWrite } from './prepare.ts'
import { readStored } from './stored.ts'

/**
 * The way of a write (DESIGN, Fine print; rule 8):
 *
 *   version named → stored record read, judged, of that version → new record judged → validated → intent recorded → sent
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
  if (rule.validate === true) {
    const invalid = await validate(prepared, bound.request, trip)
    if (invalid !== undefined) return invalid
  }
  await recordIntent(trip.exchange, trip.deps.audit)
  trip.exchange.writeSent = true
  // The browser may go away; a write that is on its way is seen through.
  const listener = { gone: false, whenGone: undefined, held: 0 }
  const received = await sendOutbound(prepared.outbound, trip, listener)
  trip.deps.upstreams.release(trip.launch.view.tenant, listener)
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
  // Not kept yet, so a repeat would be a second record: better said than silently ignored.
  if (headers['idempotency-key'] !== undefined) return refuse('FHIR_NOT_ALLOWED')
  // A rule that asks for a confirmation cannot be met before the app can give one.
  if (rule.confirm === true) return refuse('FHIR_NOT_ALLOWED')
  if (bound.request.interaction === 'create') return prepareCreate(body, bound, trip)

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

/** Asks the EHR first ($validate, FHIR R4 resource-operation-validate); nothing is stored by it. */
async function validate(
  { result }: PreparedWrite,
  { resource = '', id }: FhirRequest,
  trip: Trip,
): Promise<Refusal | undefined> {
  if (result === undefined) return undefined
  const { urls } = trip.deps.upstreams.of(trip.launch.view.tenant)
  const path = id === undefined ? resource : `${resource}/${id}`
  const received = await sendOutbound(
    {
      method: 'POST',
      target: `${urls.prefix}/${path}/$validate`,
      headers: ['content-type', 'application/fhir+json'],
      body: Buffer.from(JSON.stringify(result)),
    },
    trip,
  )
  if (received.kind === 'fault') return refuseFault(received)
  const issues = copyIssues(parseExact(received.body))
  const faults = issues.filter(({ severity }) => severity === 'fatal' || severity === 'error')
  if (received.status === 200 && issues.length > 0 && faults.length === 0) return undefined
  return { ...refuse('FHIR_VALIDATION_FAILED'), issues: faults }
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
