import { isRefusal, refuse } from './decision.ts'
import type { Refusal } from './decision.ts'
import type { PipelineDeps } from './deps.ts'
import type { Exchange, OpenedLaunch } from './exchange.ts'
import { expectationOf } from './expectation.ts'
import type { Expectation } from './expectation.ts'
import { awayBytes, lookAt, partOf } from './away/away.ts'
import type { Looked, RewrittenAway } from './away/messages.ts'
import type { Merge } from './merged.ts'
import type { Proved } from './guard/prove.ts'
import type { JudgedValue } from './judge-bundle.ts'
import { emptyRequest } from './request.ts'
import type { FhirRequest } from './request.ts'
import { forward, outboundOf, pageOf } from './steps/forward.ts'
import type { Outbound } from './steps/forward.ts'
import { guard } from './steps/guard.ts'
import type { Large } from './steps/guard.ts'
import { traced } from './traced.ts'
import type { Bound } from './steps/bind.ts'
import type { Made, MakeQuestion } from './write/make.ts'
import type { AnswerHeaders, Listener, UpstreamAnswer, UpstreamFault } from './upstream.ts'

/** One request and everything that is needed to take it to the EHR. */
export interface Trip {
  readonly exchange: Exchange
  readonly launch: OpenedLaunch
  readonly deps: PipelineDeps
}

export interface Fetched {
  readonly judged: JudgedValue | Proved | RewrittenAway
  readonly headers: AnswerHeaders
}

/** token, forward, guard: asks the EHR and judges what it says. `target` is where a page link leads. */
export async function fetchJudged(
  bound: Bound,
  target: string | undefined,
  trip: Trip,
): Promise<Fetched | Refusal> {
  return judgeReceived(await fetchAnswer(bound, target, trip), bound, trip)
}

/** token, forward. */
export function fetchAnswer(
  bound: Bound,
  target: string | undefined,
  trip: Trip,
): Promise<UpstreamAnswer | UpstreamFault> {
  const { urls } = trip.deps.upstreams.of(trip.launch.view.tenant)
  const outbound =
    target === undefined ? outboundOf(bound.sent, urls) : pageOf(target, bound.sent, urls)
  return sendOutbound(outbound, trip)
}

/** guard. Without a promise where nothing is waited for. */
export function judgeReceived(
  received: UpstreamAnswer | UpstreamFault,
  bound: Bound,
  trip: Trip,
): Fetched | Refusal | Promise<Fetched | Refusal> {
  const expected = expectationOf(bound, trip.launch.view)
  const judged = guard(received, expected, trip.deps.prove)
  const headers = received.kind === 'answer' ? received.headers : noHeaders
  if (judged.kind === 'large') return judgeLarge(judged, expected, headers, bound, trip)
  return isRefusal(judged) ? explainForeign(judged, trip) : { judged, headers }
}

async function judgeLarge(
  { body }: Large,
  expected: Expectation,
  headers: AnswerHeaders,
  { request }: Bound,
  trip: Trip,
): Promise<Fetched | Refusal> {
  const judged = await judgeAwayFrom(body, [{ expected, request }], undefined, trip)
  return isRefusal(judged) ? explainForeign(judged, trip) : { judged, headers }
}

export function sendOutbound(
  outbound: Outbound,
  { exchange, launch, deps }: Trip,
  listener: Listener = exchange.listener,
): Promise<UpstreamAnswer | UpstreamFault> {
  const { upstream } = deps.upstreams.of(launch.view.tenant)
  const parts = traced({ tokens: deps.tokens, upstream }, exchange.trace)
  return forward(outbound, { launch, listener, told: exchange }, parts)
}

/**
 * An older record may still stand under an id that the EHR has merged into this patient's. It is not shown either, but
 * the clinician is told what is the matter: `patient_merged`.
 */
export async function explainForeign(refusal: Refusal, trip: Trip): Promise<Refusal> {
  const { patient } = trip.launch.view
  if (refusal.foreign === undefined || patient === undefined) return refusal
  // A read of somebody else's record must not even take longer than one of a missing record.
  if (refusal.code !== 'FHIR_ANSWER_FOREIGN') return refusal
  if (trip.launch.view.covers('Patient', 'r').kind !== 'all') return refusal
  const status = trip.exchange.upstreamStatus
  const { urls } = trip.deps.upstreams.of(trip.launch.view.tenant)
  const read = { ...emptyRequest, interaction: 'read', resource: 'Patient', id: patient } as const
  const received = await sendOutbound(outboundOf(read, urls), trip)
  trip.exchange.upstreamStatus = status
  if (received.kind === 'fault' || received.status !== 200) return refusal
  const merge = { other: refusal.foreign, patient, base: trip.launch.view.base }
  const looked = await look(received.body, merge, trip)
  return looked.kind === 'looked' && looked.replaced
    ? refuse('FHIR_PATIENT_MERGED', 'patient_merged')
    : refusal
}

/** What an answer that is not passed on says: here, or in the worker when it is large. */
export async function look(
  bytes: Buffer,
  merge: Merge | undefined,
  { deps }: Pick<Trip, 'deps'>,
): Promise<Looked | Refusal> {
  return bytes.length > awayBytes ? deps.away.look({ bytes, merge }) : lookAt(bytes, merge)
}

/** In the worker: what is too large to be parsed here. */
export function judgeAwayFrom(
  bytes: Buffer,
  parts: readonly { readonly expected: Expectation; readonly request: FhirRequest }[],
  batch: string | undefined,
  { launch, deps }: Pick<Trip, 'launch' | 'deps'>,
): Promise<RewrittenAway | Refusal> {
  const { tenant, base } = launch.view
  return deps.away.judge({
    bytes,
    iss: tenant.iss,
    base,
    publicUrl: deps.publicUrl,
    launch: launch.key.launch,
    linkKeys: deps.links.keysOf(launch.key.launch),
    parts: parts.map(({ expected, request }) => partOf(expected, request)),
    batch,
  })
}

/** A write whose records are too large to be parsed here (write/make.ts). */
export function makeAwayFrom(
  { body, stored, ...question }: MakeQuestion,
  { expected, request }: { readonly expected: Expectation; readonly request: FhirRequest },
  { launch, deps }: Pick<Trip, 'launch' | 'deps'>,
): Promise<Made | Refusal> {
  return deps.away.make({
    bytes: body,
    stored: stored?.bytes,
    question: { ...question, etag: stored?.etag },
    make: partOf(expected, request),
    iss: launch.view.tenant.iss,
    publicUrl: deps.publicUrl,
    launch: launch.key.launch,
    linkKeys: deps.links.keysOf(launch.key.launch),
  })
}

const noHeaders: AnswerHeaders = {
  contentType: '',
  etag: undefined,
  lastModified: undefined,
  location: undefined,
  contentLocation: undefined,
  retryAfter: undefined,
}
