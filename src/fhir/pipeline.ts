import { isWrite } from '../smart/interactions.ts'
import { passedHeaders } from './answer-headers.ts'
import { answerBatch } from './batch.ts'
import { answerBinary } from './binary.ts'
import { readBody, refuseBody } from './body.ts'
import { capabilityStatement } from './capability.ts'
import { decide } from './decide.ts'
import { isRefusal, refuse } from './decision.ts'
import type { Refusal } from './decision.ts'
import type { PipelineDeps } from './deps.ts'
import type { Exchange, Reply } from './exchange.ts'
import { addedTo } from './request.ts'
import type { FhirRequest } from './request.ts'
import { readPage } from './handles.ts'
import { createRewriter } from './rewriter.ts'
import type { Rewritten } from './rewriter.ts'
import { allow } from './steps/allow.ts'
import { bind } from './steps/bind.ts'
import type { Bound } from './steps/bind.ts'
import { outboundOf } from './steps/forward.ts'
import { isFhirJson, refuseFault, refuseStatus } from './steps/guard.ts'
import { isNew, judgeBrowser, judgeStillOpen, openLaunch, refuseError } from './steps/open.ts'
import { addForm, parseRequest, splitTarget } from './steps/parse.ts'
import type { BodyKind, Target } from './steps/parse.ts'
import { record } from './steps/record.ts'
import { respond } from './steps/respond.ts'
import { rewrite } from './steps/rewrite.ts'
import { scope } from './steps/scope.ts'
import { answerWrite } from './write/answer-write.ts'
import { answerOperation } from './write/operation.ts'
import { traceOpening } from './traced.ts'
import { judgeCurrent, needsCurrent } from './judge-current.ts'
import { fetchAnswer, judgeReceived, look, sendOutbound } from './trip.ts'
import type { Trip } from './trip.ts'

/**
 * The way of a FHIR request (DESIGN):
 *
 *   browser, launch → parse → allow → scope → bind → token, forward → guard → rewrite → record → respond
 *
 * Each step is a file under steps/. A step answers what the next one needs, or a refusal; a refusal ends the way and
 * goes to record and respond like an answer does.
 */
export async function serve(exchange: Exchange, deps: PipelineDeps): Promise<void> {
  let result: Reply | Refusal | 'streamed'
  try {
    result = await answer(exchange, deps)
  } catch (error) {
    result = exchange.writeSent ? refuse('FHIR_WRITE_UNCERTAIN') : refuseError(error)
    if (refuseError(error).code === 'INTERNAL') deps.log.fault(error, exchange.incident)
  }
  // A stream has written its record before its first byte.
  if (result === 'streamed') return
  try {
    await record(exchange, result, deps.audit)
  } catch (error) {
    // No record, no answer (DESIGN rule 8).
    result = exchange.writeSent ? refuse('FHIR_WRITE_UNCERTAIN') : refuseError(error)
  }
  if (result.kind === 'refuse') exchange.refused = result.code
  respond(exchange, result)
}

async function answer(
  exchange: Exchange,
  deps: PipelineDeps,
): Promise<Reply | Refusal | 'streamed'> {
  const target = splitTarget(exchange.incoming.url ?? '')
  if (isRefusal(target)) return target
  exchange.launch = target.launch

  const binary = target.path.startsWith('_binary/')
  const browser = judgeBrowser(exchange.incoming, deps.publicUrl, binary)
  if (browser !== undefined) return browser

  const opening = openLaunch(exchange.incoming.headers.cookie, target.launch, deps)
  // Promises only for what is waited for: each costs every request.
  const launch = opening instanceof Promise ? await opening : opening
  if (isRefusal(launch)) return launch
  exchange.opened = launch.opened
  exchange.view = launch.view
  if (exchange.trace !== undefined) traceOpening(exchange, target.launch)
  const waitSeconds = deps.rate.takes(launch.key.launch)
  if (waitSeconds !== undefined) {
    return { ...refuse('FHIR_LAUNCH_BUSY'), retryAfter: String(waitSeconds) }
  }
  const result = await answerOpened(target, { exchange, launch, deps })
  // Of a write the outcome is told whatever has become of its launch.
  if (result === 'streamed' || isRefusal(result) || exchange.writeSent) return result
  if (isNew(exchange)) return result
  return (await judgeStillOpen(exchange, launch, deps)) ?? result
}

type Answering = Reply | Refusal | 'streamed'

/** Without a promise of its own, which each request would pay for. */
function answerOpened(target: Target, trip: Trip): Refusal | Promise<Answering> {
  const { exchange } = trip
  const parsed = parseRequest(exchange.incoming.method ?? '', target)
  if (isRefusal(parsed)) return parsed
  if (parsed.kind === 'page') return answerPage(parsed.token, trip)
  if (parsed.kind === 'binary') return answerBinary(parsed.token, trip)
  exchange.request = parsed.request
  if (parsed.body !== 'none') return answerWithBody(parsed.request, parsed.body, trip)
  const refused = refuseBody(exchange.incoming)
  if (refused !== undefined) return refused
  // Of a write each has a body of its own, be it empty: the worker takes the memory of what it is handed (away/).
  return isWrite(parsed.request.interaction)
    ? answerChange(parsed.request, Buffer.alloc(0), trip)
    : answerRead(parsed.request, undefined, trip)
}

async function answerWithBody(
  request: FhirRequest,
  kind: Exclude<BodyKind, 'none'>,
  trip: Trip,
): Promise<Answering> {
  const { exchange, launch, deps } = trip
  const body = await readBody(exchange.incoming, kind, (bytes) =>
    deps.upstreams.hold(launch.view.tenant, exchange.listener, bytes),
  )
  if (isRefusal(body)) return body
  if (kind === 'bundle') return answerBatch(body, trip)
  if (kind === 'parameters') return answerOperation(request, body, trip)
  if (isWrite(request.interaction)) return answerChange(request, body, trip)
  if (kind !== 'search') return answerRead(request, undefined, trip)
  const search = addForm(request, body.toString('latin1'))
  return isRefusal(search) ? search : answerRead(search, undefined, trip)
}

/** Reads, searches, histories and operations; `page` is where a page link leads. */
async function answerRead(
  request: FhirRequest,
  page: string | undefined,
  trip: Trip,
): Promise<Reply | Refusal> {
  const { exchange, launch, deps } = trip
  exchange.request = request
  const permit = allow(request, launch.view)
  if (isRefusal(permit)) return permit
  exchange.rule = permit.rule
  const covered = scope(permit, launch.view)
  if (isRefusal(covered)) return covered
  const bound = bind(covered, launch.view)
  if (isRefusal(bound)) return bound
  exchange.narrowed = addedTo(request, bound.sent)
  if (request.interaction === 'capabilities') return answerCapabilities(bound, trip)

  const current = needsCurrent(bound, launch.view) ? await judgeCurrent(bound, trip) : undefined
  if (current !== undefined) return current
  const received = await fetchAnswer(bound, page, trip)
  const judging = judgeReceived(received, bound, trip)
  const fetched = judging instanceof Promise ? await judging : judging
  if (isRefusal(fetched)) return fetched

  const { base, tenant } = launch.view
  const { urls } = deps.upstreams.of(tenant)
  const { publicUrl, links } = deps
  const rewriter = createRewriter({
    publicUrl,
    links,
    launch: launch.key.launch,
    base,
    urls,
    request,
  })
  const rewritten = rewrite(fetched.judged, rewriter, (bytes) =>
    deps.upstreams.lend(exchange.listener, bytes),
  )
  deps.upstreams.keepOnly(exchange.listener, rewritten.body)
  if (rewritten.nextLost) return refuse('FHIR_ANSWER_UNREADABLE', 'link_outside')
  return replyOf(rewritten, passedHeaders(fetched.headers))
}

/** Creates, updates, patches and deletes: the same decisions, then the way of a write (write/answer-write.ts). */
async function answerChange(
  request: FhirRequest,
  body: Buffer,
  trip: Trip,
): Promise<Reply | Refusal> {
  // None means anything good here: `_cascade`, `_expunge` and their kin widen what is changed (1.12, row 20).
  if (request.parameters.length > 0) return refuse('FHIR_PARAMETER_NOT_ALLOWED')
  const bound = decide(request, trip.launch.view)
  if (isRefusal(bound)) return bound
  trip.exchange.rule = bound.rule
  return answerWrite(body, bound, trip)
}

/** What a page link means is decided anew, against today's rules and scopes, as if it were asked for the first time. */
async function answerPage(token: string, trip: Trip): Promise<Reply | Refusal> {
  const text = trip.deps.links.open('page', trip.launch.key.launch, token)
  const page = text === undefined ? undefined : readPage(text)
  if (page === undefined) return refuse('FHIR_PAGE_GONE', 'malformed')
  const result = await answerRead(page.request, page.target, trip)
  // The EHR has forgotten its cursor, or never knew it (fhir-access-and-audit.md 2.4).
  const gone = [400, 403, 404, 410, 422].includes(trip.exchange.upstreamStatus ?? 0)
  return gone && result.kind === 'refuse' ? refuse('FHIR_PAGE_GONE') : result
}

function replyOf(rewritten: Rewritten, headers: Reply['headers']): Reply {
  const { body, count, dropped, patients, linksDropped } = rewritten
  let reason: Reply['reason']
  if (dropped > 0) reason = 'dropped'
  else if (linksDropped > 0) reason = 'link_outside'
  return { kind: 'reply', status: 200, body, headers, count, patients, reason }
}

/** Cut down from what the EHR says today; its answers are not kept (DESIGN rule 15). */
async function answerCapabilities(bound: Bound, trip: Trip): Promise<Reply | Refusal> {
  const { view } = trip.launch
  const { urls } = trip.deps.upstreams.of(view.tenant)
  const received = await sendOutbound(outboundOf(bound.sent, urls), trip)
  if (received.kind === 'fault') return refuseFault(received)
  if (received.status !== 200) return refuseStatus(received)
  if (!isFhirJson(received.headers.contentType)) {
    return refuse('FHIR_ANSWER_UNREADABLE', 'malformed')
  }
  const looked = await look(received.body, undefined, trip)
  if (isRefusal(looked)) return looked
  const { statement: ehr } = looked
  if (ehr === undefined) return refuse('FHIR_ANSWER_UNREADABLE', 'malformed')
  const body = Buffer.from(JSON.stringify(capabilityStatement(view, ehr, trip.deps.startedAt)))
  const none = { count: undefined, patients: [], reason: undefined }
  return { kind: 'reply', status: 200, body, headers: {}, ...none }
}
