import { isJsonObject } from '../smart/json.ts'
import { decide } from './decide.ts'
import { isRefusal, refuse } from './decision.ts'
import type { Refusal } from './decision.ts'
import { parseExact } from './exact-json.ts'
import type { Reply } from './exchange.ts'
import { expectationOf } from './expectation.ts'
import { awayBytes } from './away/away.ts'
import { judgeBatchAnswer } from './judge-batch.ts'
import type { JudgedBatch } from './judge-batch.ts'
import { typeOf } from './judge.ts'
import { judgeCurrent } from './judge-current.ts'
import { emptyRequest, printPath, printQuery } from './request.ts'
import type { FhirRequest } from './request.ts'
import { createRewriter } from './rewriter.ts'
import { isFhirJson, refuseFault, refuseStatus } from './steps/guard.ts'
import type { Bound } from './steps/bind.ts'
import { parseRequest } from './steps/parse.ts'
import { record } from './steps/record.ts'
import { explainForeign, judgeAwayFrom, sendOutbound } from './trip.ts'
import type { Trip } from './trip.ts'
import type { UpstreamAnswer } from './upstream.ts'

/**
 * A batch or transaction of reads and searches. Each entry is one interaction, decided and judged like a request of its
 * own; one refused entry refuses the whole (DESIGN, Fine print). Writes inside a bundle are refused: If-Match, the stored
 * resource and the record of intent belong to one write each.
 */
const maxEntries = 100

export async function answerBatch(body: Buffer, trip: Trip): Promise<Reply | Refusal> {
  const { view } = trip.launch
  const parsed = parseBatch(body)
  if (isRefusal(parsed)) return parsed
  trip.exchange.request = { ...emptyRequest, interaction: parsed.kind }
  const feature = view.bundles.get(parsed.kind)
  if (feature === undefined) return refuse('FHIR_NOT_ALLOWED')
  trip.exchange.rule = feature

  const decided = parsed.entries.map((request) => decide(request, view))
  const refused = decided.find((one) => isRefusal(one))
  if (refused !== undefined && isRefusal(refused)) return refused
  const bounds = decided.filter((one): one is Bound => !isRefusal(one))
  for (const bound of bounds) {
    // oxlint-disable-next-line no-await-in-loop -- rare, and the EHR is spared
    const moved = await judgeCurrent(bound, trip)
    if (moved !== undefined) return moved
  }

  const { urls } = trip.deps.upstreams.of(view.tenant)
  const received = await sendOutbound(
    {
      method: 'POST',
      target: urls.prefix === '' ? '/' : urls.prefix,
      headers: ['content-type', 'application/fhir+json'],
      body: printBatch(parsed.kind, bounds),
    },
    trip,
  )
  if (received.kind === 'fault') return refuseFault(received)
  if (received.status !== 200) return refuseStatus(received)
  return judgeBatch(received, bounds, `${parsed.kind}-response`, trip)
}

interface ParsedBatch {
  readonly kind: 'batch' | 'transaction'
  readonly entries: readonly FhirRequest[]
}

function parseBatch(body: Buffer): ParsedBatch | Refusal {
  const value = parseExact(body)
  if (!isJsonObject(value) || typeOf(value) !== 'Bundle') return invalid()
  const kind = value['type']
  if (kind !== 'batch' && kind !== 'transaction') return invalid()
  const list: unknown = value['entry']
  if (!Array.isArray(list) || list.length === 0 || list.length > maxEntries) return invalid()
  const entries: FhirRequest[] = []
  for (const item of list as unknown[]) {
    const request = parseEntry(item)
    if (isRefusal(request)) return request
    entries.push(request)
  }
  return { kind, entries }
}

function parseEntry(item: unknown): FhirRequest | Refusal {
  const request: unknown = isJsonObject(item) ? item['request'] : undefined
  if (!isJsonObject(request)) return invalid()
  const { method, url } = request
  if (typeof url !== 'string' || url.length > 8192) return invalid()
  if (method !== 'GET') return refuse('FHIR_NOT_ALLOWED')
  // Relative to the base; the grammar knows no scheme and no leading slash.
  const [path = '', ...query] = url.split('?')
  const parsed = parseRequest(method, { launch: '', path, query: query.join('?') })
  if (isRefusal(parsed)) return parsed
  if (parsed.kind !== 'request' || parsed.request.interaction === 'capabilities') {
    return refuse('FHIR_NOT_ALLOWED')
  }
  return parsed.request
}

function printBatch(kind: ParsedBatch['kind'], bounds: readonly Bound[]): Buffer {
  const entry = bounds.map(({ sent }) => {
    const query = sent.parameters.length === 0 ? '' : `?${printQuery(sent.parameters)}`
    return { request: { method: 'GET', url: printPath(sent) + query } }
  })
  return Buffer.from(JSON.stringify({ resourceType: 'Bundle', type: kind, entry }))
}

/** One record for each entry, so that the audit says what was looked at; the one of the whole follows. */
async function judgeBatch(
  received: UpstreamAnswer,
  bounds: readonly Bound[],
  type: string,
  trip: Trip,
): Promise<Reply | Refusal> {
  if (!isFhirJson(received.headers.contentType)) return unreadable()
  const judged = await judgeBody(received.body, bounds, type, trip)
  if (isRefusal(judged)) return explainForeign(judged, trip)
  const { body, count, patients } = judged
  const none = { headers: {}, reason: undefined }
  const reply: Reply = { kind: 'reply', status: 200, body, count, patients, ...none }
  await Promise.all(
    bounds.map(({ request, rule }) =>
      record({ ...trip.exchange, request, rule }, { ...reply, count: undefined }, trip.deps.audit),
    ),
  )
  return reply
}

/** Here, or in the worker when it is large. */
function judgeBody(
  body: Buffer,
  bounds: readonly Bound[],
  batch: string,
  { launch, deps }: Trip,
): JudgedBatch | Refusal | Promise<JudgedBatch | Refusal> {
  const { base, tenant } = launch.view
  const { urls } = deps.upstreams.of(tenant)
  const parts = bounds.map((bound) => ({
    expected: expectationOf(bound, launch.view),
    request: bound.request,
  }))
  if (body.length > awayBytes) {
    return judgeAwayFrom(body, parts, batch, { launch, deps })
  }
  const judges = parts.map(({ expected, request }) => ({
    expected,
    rewriter: createRewriter({ ...deps, launch: launch.key.launch, base, urls, request }),
  }))
  return judgeBatchAnswer(parseExact(body), batch, judges)
}

function invalid(): Refusal {
  return refuse('FHIR_BODY_INVALID', 'malformed')
}

function unreadable(): Refusal {
  return refuse('FHIR_ANSWER_UNREADABLE', 'malformed')
}
