import { errorTable } from '../../errors.ts'
import { copyIssues, saysFault } from '../../smart/outcome.ts'
import { passedHeaders } from '../answer-headers.ts'
import { isRefusal, refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import { parseExact } from '../exact-json.ts'
import type { Reply } from '../exchange.ts'
import { expectationOf } from '../expectation.ts'
import { refuseWrite, uncertain } from '../ehr-status.ts'
import { awayBytes } from '../away/away.ts'
import { judgeAnswer } from '../judge-bundle.ts'
import { isJsonObject } from '../../smart/json.ts'
import { createRewriter } from '../rewriter.ts'
import type { Rewriter, Rewritten } from '../rewriter.ts'
import type { Bound } from '../steps/bind.ts'
import { isFhirJson, refuseStatus } from '../steps/guard.ts'
import { rewrite } from '../steps/rewrite.ts'
import { judgeAwayFrom } from '../trip.ts'
import type { Trip } from '../trip.ts'
import type { UpstreamAnswer, UpstreamFault } from '../upstream.ts'

/** What the EHR said to a write. Saved, refused, in conflict, or nobody knows (DESIGN rule 8). */
export async function judgeOutcome(
  received: UpstreamAnswer | UpstreamFault,
  bound: Bound,
  trip: Trip,
): Promise<Reply | Refusal> {
  if (received.kind === 'fault') return uncertain(received.fault === 'timeout')
  const { status } = received
  if (status === 200 || status === 201 || status === 204) return saved(received, bound, trip)
  const refused = refuseWrite(status, bound.request.interaction, () => refuseStatus(received))
  trip.exchange.writeSent = errorTable[refused.code].state === 'write_uncertain'
  return refused
}

async function saved(received: UpstreamAnswer, bound: Bound, trip: Trip): Promise<Reply | Refusal> {
  const { launch, deps } = trip
  const { urls } = deps.upstreams.of(launch.view.tenant)
  const { base } = launch.view
  const { request } = bound
  const rewriter = createRewriter({ ...deps, launch: launch.key.launch, base, urls, request })
  const headers = { ...passedHeaders(received.headers), ...locationHeaders(received, rewriter) }
  trip.exchange.savedId = /\/([A-Za-z0-9.-]{1,64})(?:\/_history\/[^/]+)?$/.exec(
    headers['location'] ?? '',
  )?.[1]
  const reply: Reply = {
    kind: 'reply',
    status: received.status,
    body: Buffer.alloc(0),
    headers,
    count: undefined,
    patients: [],
    reason: undefined,
  }
  if (received.body.length === 0 || request.interaction === 'delete') return reply
  const returned = await judgeReturned(received, bound, trip, rewriter)
  // It was done, but what came back is nothing to show, or not all of it.
  if (isRefusal(returned)) return { ...uncertain(false), ...reasonOf(returned) }
  if (returned.nextLost) return { ...uncertain(false), reason: 'link_outside' }
  const { body, count, patients, dropped } = returned
  return { ...reply, body, count, patients, reason: dropped > 0 ? 'dropped' : undefined }
}

/** For the audit: another patient's data in an answer is a finding, after a write too. */
export function reasonOf({ reason }: Refusal): Pick<Refusal, 'reason'> {
  return reason === undefined ? {} : { reason }
}

/** `return=representation`: judged like a read, also where an existing record answers a conditional create. */
async function judgeReturned(
  { headers, body }: UpstreamAnswer,
  bound: Bound,
  trip: Trip,
  rewriter: Rewriter,
): Promise<Rewritten | Refusal> {
  if (!isFhirJson(headers.contentType)) return refuse('FHIR_ANSWER_UNREADABLE', 'content_type')
  const expected = expectationOf(bound, trip.launch.view)
  if (body.length > awayBytes) {
    return judgeAwayFrom(body, [{ expected, request: bound.request }], undefined, trip)
  }
  const value = parseExact(body)
  if (isJsonObject(value) && value['resourceType'] === 'OperationOutcome') {
    // A status that says saved, and an error: which of the two is true only the chart can tell.
    if (saysFault(value)) return refuse('FHIR_ANSWER_UNREADABLE')
    const issue = copyIssues(value)
    const told = Buffer.from(JSON.stringify({ resourceType: 'OperationOutcome', issue }))
    return { body: told, count: 1, dropped: 0, patients: [], linksDropped: 0, nextLost: false }
  }
  const judged = judgeAnswer(value, expected)
  return isRefusal(judged) ? judged : rewrite(judged, rewriter)
}

/** Location and Content-Location become ours, or are left out. */
function locationHeaders({ headers }: UpstreamAnswer, rewriter: Rewriter): Record<string, string> {
  const location = headers.location === undefined ? undefined : rewriter.location(headers.location)
  const content =
    headers.contentLocation === undefined ? undefined : rewriter.location(headers.contentLocation)
  return {
    ...(location === undefined ? {} : { location }),
    ...(content === undefined ? {} : { 'content-location': content }),
  }
}
