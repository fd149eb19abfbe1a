import { errorTable } from '../errors.ts'
import { isJsonObject } from '../smart/json.ts'
import type { JsonObject } from '../smart/json.ts'
import { type Interaction, isWrite } from '../smart/interactions.ts'
import { copyIssues, operationOutcome, saysFault } from '../smart/outcome.ts'
import { passedHeaders } from './answer-headers.ts'
import { isRefusal, refuse } from './decision.ts'
import type { Refusal } from './decision.ts'
import type { Reply } from './exchange.ts'
import { refuseBy, refuseWrite, uncertain } from './ehr-status.ts'
import type { Expectation } from './expectation.ts'
import { judgeAnswer } from './judge-bundle.ts'
import { typeOf } from './judge.ts'
import type { Rewriter } from './rewriter.ts'
import { outcomeOf } from './steps/respond.ts'
import { rewriteValue } from './steps/rewrite.ts'

/** By what one entry of a batch is judged and rewritten. */
export interface BatchPart {
  readonly expected: Expectation
  readonly rewriter: Rewriter
  /** A create, update, patch or delete has been sent. */
  readonly interaction: Interaction
}

export interface JudgedBatch {
  readonly body: Buffer
  readonly count: number
  readonly patients: readonly string[]
  /** One for each entry, for its record. */
  readonly outcomes: readonly EntryOutcome[]
}

export type EntryOutcome =
  (Omit<Reply, 'body' | 'kind'> & { readonly kind: 'done'; readonly savedId?: string }) | Refusal

/** Answers and entries are paired by their order (FHIR R4 http.html, batch). */
export function judgeBatchAnswer(
  value: unknown,
  type: string,
  parts: readonly BatchPart[],
): JudgedBatch | Refusal {
  if (!isJsonObject(value) || typeOf(value) !== 'Bundle' || value['type'] !== type) {
    return unreadable()
  }
  const list: unknown = value['entry']
  if (!Array.isArray(list) || list.length !== parts.length) return unreadable()
  const judged = judgeEntries(list as unknown[], parts)
  if (isRefusal(judged)) return judged
  // All of it or nothing: a transaction of which one write failed contradicts itself.
  const torn = judged.some(({ outcome }, index) => {
    const part = parts[index]
    return isRefusal(outcome) && part !== undefined && isWrite(part.interaction)
  })
  if (torn && type === 'transaction-response') return unreadable()
  const outcomes = judged.map(({ outcome }) => outcome)
  const done = outcomes.filter((outcome) => outcome.kind === 'done')
  return {
    body: Buffer.from(
      JSON.stringify({ resourceType: 'Bundle', type, entry: judged.map(({ entry }) => entry) }),
    ),
    count: done.reduce((sum, { count = 0 }) => sum + count, 0),
    patients: [...new Set(done.flatMap(({ patients }) => patients))],
    outcomes,
  }
}

interface JudgedEntry {
  readonly entry: JsonObject
  readonly outcome: EntryOutcome
}

function judgeEntries(
  list: readonly unknown[],
  parts: readonly BatchPart[],
): readonly JudgedEntry[] | Refusal {
  const judged: JudgedEntry[] = []
  for (const [index, part] of parts.entries()) {
    const one = judgeEntry(list[index], part)
    if (isRefusal(one)) return one
    judged.push(one)
  }
  return judged
}

function judgeEntry(item: unknown, part: BatchPart): JudgedEntry | Refusal {
  if (!isJsonObject(item) || !isJsonObject(item['response'])) return unreadable()
  const { status: told, outcome } = item['response']
  const status = Number(typeof told === 'string' ? /^\d{3}(?!\d)/.exec(told)?.[0] : undefined)
  if (Number.isNaN(status)) return unreadable()
  const otherwise = (): Refusal => refuseBy(status, () => copyIssues(outcome))
  if (isWrite(part.interaction)) {
    const saved = status === 200 || status === 201 || status === 204
    if (!saved) return failed(refuseWrite(status, part.interaction, otherwise))
    return judgeSaved(item, item['response'], status, part)
  }
  if (status !== 200) return failed(otherwise())
  const read = judgeResource(item['resource'], part)
  // A record of somebody else reads like a missing one, here too.
  if (isRefusal(read)) return read.code === 'FHIR_RESOURCE_UNKNOWN' ? failed(read) : read
  const { resource, ...rest } = read
  const entry = { resource, response: { status: '200' } }
  return { entry, outcome: { ...done, ...rest, status } }
}

/** A write that was done; what the EHR says of it is judged like the answer to any other. */
function judgeSaved(
  item: JsonObject,
  response: JsonObject,
  status: number,
  part: BatchPart,
): JudgedEntry | Refusal {
  const { etag, lastModified, location, outcome } = response
  // A status that says saved, and an error: only the chart can tell.
  if (saysFault(outcome) || saysFault(item['resource'])) return failed(uncertain(false))
  const headers = passedHeaders({ etag: textOf(etag), lastModified: undefined })
  const ours = typeof location === 'string' ? part.rewriter.location(location) : undefined
  const savedId = /\/([A-Za-z0-9.-]{1,64})(?:\/_history\/[^/]+)?$/.exec(ours ?? '')?.[1]
  const said = copyIssues(outcome)
  const answer = {
    status: String(status),
    ...headers,
    ...(typeof lastModified === 'string' && instant.test(lastModified) ? { lastModified } : {}),
    ...(ours === undefined ? {} : { location: ours }),
    ...(said.length === 0 ? {} : { outcome: operationOutcome(said) }),
  }
  const saved = { ...done, status, headers, ...(savedId === undefined ? {} : { savedId }) }
  const { resource } = item
  const remark = isJsonObject(resource) && typeOf(resource) === 'OperationOutcome'
  if (resource === undefined || remark) return { entry: { response: answer }, outcome: saved }
  const returned = judgeResource(resource, part)
  if (isRefusal(returned)) return returned
  const { resource: value, ...rest } = returned
  return { entry: { resource: value, response: answer }, outcome: { ...saved, ...rest } }
}

interface JudgedResource extends Pick<Reply, 'count' | 'patients' | 'reason'> {
  readonly resource: JsonObject
}

function judgeResource(
  value: unknown,
  { expected, rewriter }: BatchPart,
): JudgedResource | Refusal {
  const judged = judgeAnswer(value, expected)
  if (isRefusal(judged)) return judged
  const { value: resource, links } = rewriteValue(judged.value, rewriter)
  if (links.nextLost) return refuse('FHIR_ANSWER_UNREADABLE', 'link_outside')
  const { count, patients, dropped } = judged
  return { resource, count, patients, reason: dropped > 0 ? 'dropped' : undefined }
}

const done = {
  kind: 'done',
  headers: {},
  count: undefined,
  patients: [],
  reason: undefined,
} as const

/** The EHR's own text stays behind, as everywhere. */
function failed(refusal: Refusal): JudgedEntry {
  const status = String(errorTable[refusal.code].status)
  return { entry: { response: { status, outcome: outcomeOf(refusal) } }, outcome: refusal }
}

/** FHIR R4 datatypes, instant. */
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function unreadable(): Refusal {
  return refuse('FHIR_ANSWER_UNREADABLE', 'malformed')
}
