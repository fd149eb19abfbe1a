import type { ServerResponse } from 'node:http'
import { isRefusal, refuse } from './decision.ts'
import type { Refusal } from './decision.ts'
import { emptyRequest } from './request.ts'
import { readBinary } from './handles.ts'
import { allow } from './steps/allow.ts'
import { refuseFault, refuseStatus } from './steps/guard.ts'
import { judgeStillOpen } from './steps/open.ts'
import { recordAborted, recordCompleted, recordPermitted } from './steps/record.ts'
import { beginBinary } from './steps/respond.ts'
import { scope } from './steps/scope.ts'
import { traced } from './traced.ts'
import type { Trip } from './trip.ts'
import type { Begin, Sink, Streamed, UpstreamAsk } from './upstream.ts'
import type { AnswerHeaders } from './upstream-wire.ts'

/**
 * A Binary says nothing about whom it is, so only a handle leads to one: sealed when a resource was judged that has it
 * as an attachment (DESIGN, Fine print; fhir-access-and-audit.md 1.12, row 27). Rule and scope are asked again today.
 * The body is streamed after its record is written.
 */
const shownTypes = new Set([
  'application/pdf',
  'image/png',
  'image/jpeg',
  'text/plain',
  'text/rtf',
  'application/rtf',
])

/** `streamed`: the answer is on its way to the browser and recorded. */
export async function answerBinary(token: string, trip: Trip): Promise<'streamed' | Refusal> {
  const { exchange, launch, deps } = trip
  const text = deps.links.open('binary', launch.key.launch, token)
  const handle = text === undefined ? undefined : readBinary(text)
  if (handle === undefined) return refuse('FHIR_PAGE_GONE', 'malformed')
  const request = {
    ...emptyRequest,
    interaction: 'read',
    resource: 'Binary',
    id: handle.id,
  } as const
  exchange.request = request
  const permit = allow(request, launch.view)
  if (isRefusal(permit)) return permit
  exchange.rule = permit.rule
  const covered = scope(permit, launch.view)
  if (isRefusal(covered)) return covered
  // A granular scope would have to be held against the record, which a Binary cannot show.
  if (covered.coverage.kind !== 'all') return refuse('FHIR_SCOPE_INSUFFICIENT', 'scope')

  const ehr = deps.upstreams.of(launch.view.tenant)
  const { tokens, upstream, urls } = traced({ ...ehr, tokens: deps.tokens }, exchange.trace)
  const sealed = essence(handle.contentType)
  const statuses: number[] = []
  let refused: Refusal | undefined
  let watch: NodeJS.Timeout | undefined
  const begin: Begin = async (status, headers) => {
    exchange.upstreamStatus = status
    statuses.push(status)
    refused = judgeStart(status, headers, sealed) ?? (await judgeStillOpen(exchange, launch, deps))
    if (refused !== undefined) return undefined
    await recordPermitted(exchange, deps.audit)
    return () => {
      watch = watchEnd(trip)
      beginBinary(exchange, shownTypes.has(sealed) ? sealed : 'application/octet-stream')
      return sinkOf(exchange.outgoing)
    }
  }
  const ask = (accessToken: string): UpstreamAsk => ({
    method: 'GET',
    launch: launch.key.launch,
    target: urls.target(request),
    accessToken,
    accept: sealed === '' ? '*/*' : sealed,
    headers: [],
    body: undefined,
    listener: exchange.listener,
  })
  const stream = async (): Promise<Streamed> => {
    const current = await tokens.current(launch.key, launch.opened)
    const streamed = await upstream.stream(ask(current.record.tokens.access), begin)
    // As in steps/forward.ts: one newer token, one more try.
    if (statuses[0] !== 401) return streamed
    const renewed = await tokens.afterRefusal(launch.key, current)
    if (renewed === current) return streamed
    refused = undefined
    const again = await upstream.stream(ask(renewed.record.tokens.access), begin)
    if (statuses[1] !== undefined) await tokens.triedAgain(launch.key, renewed, statuses[1])
    return again
  }
  const streamed = await stream().finally(() => clearInterval(watch))
  if (refused !== undefined) return refused
  if (streamed.kind === 'fault') return refuseFault(streamed)
  if (streamed.whole) {
    exchange.outgoing.end()
    await recordCompleted(exchange, streamed.bytes, deps.audit)
  } else {
    // A short answer must not look like a whole one.
    exchange.outgoing.destroy()
    await recordAborted(exchange, streamed.bytes, deps.audit)
  }
  return 'streamed'
}

/** A stream may take minutes; it ends with its launch. */
function watchEnd({ exchange, launch, deps }: Trip): NodeJS.Timeout {
  const look = async (): Promise<void> => {
    const over = await judgeStillOpen(exchange, launch, deps)
    if (over !== undefined) exchange.listener.whenGone?.()
  }
  // A store that does not answer tells of no end.
  return setInterval(() => void look().catch(() => undefined), 1000)
}

function judgeStart(status: number, headers: AnswerHeaders, sealed: string): Refusal | undefined {
  if (status !== 200) {
    return refuseStatus({ kind: 'answer', status, headers, body: Buffer.alloc(0) })
  }
  // FHIR JSON would be the resource with its bytes inside, which nobody has judged.
  const type = essence(headers.contentType)
  const asSealed =
    sealed === '' ? type !== '' && !type.includes('json') && !type.includes('xml') : type === sealed
  return asSealed ? undefined : refuse('FHIR_ANSWER_UNREADABLE', 'content_type')
}

/** RFC 9110 8.3.1: type and subtype, without parameters and in lower case. */
function essence(contentType: string): string {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  return /^[a-z0-9.+-]+\/[a-z0-9.+-]+$/.test(type) ? type : ''
}

function sinkOf(outgoing: ServerResponse): Sink {
  const sink: Sink = { write: (chunk) => outgoing.write(chunk), whenReady: undefined }
  outgoing.on('drain', () => sink.whenReady?.())
  return sink
}
