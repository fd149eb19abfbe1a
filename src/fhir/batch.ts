import { errorTable } from '../errors.ts'
import { awayBytes } from './away/away.ts'
import { decideEntries } from './batch-entries.ts'
import { isRefusal, refuse } from './decision.ts'
import type { Refusal } from './decision.ts'
import { refuseWrite, uncertain } from './ehr-status.ts'
import { parseExact } from './exact-json.ts'
import type { Exchange, Reply } from './exchange.ts'
import { expectationOf } from './expectation.ts'
import { judgeBatchAnswer } from './judge-batch.ts'
import type { EntryOutcome, JudgedBatch } from './judge-batch.ts'
import { addedTo, emptyRequest } from './request.ts'
import { createRewriter } from './rewriter.ts'
import { splitBundle } from './split-bundle.ts'
import { isFhirJson, refuseFault, refuseStatus } from './steps/guard.ts'
import { judgeStillOpen, refuseError } from './steps/open.ts'
import { record, recordIntent } from './steps/record.ts'
import type { Outbound } from './steps/forward.ts'
import { explainForeign, judgeAwayFrom, sendOutbound } from './trip.ts'
import type { Trip } from './trip.ts'
import type { UpstreamAnswer } from './upstream.ts'
import { sendThrough } from './write/answer-write.ts'
import { reasonOf } from './write/outcome.ts'
import { prepareEntries, printBundle } from './write/prepare-entries.ts'
import type { PreparedEntry } from './write/prepare-entries.ts'

/**
 * A batch or transaction. Each entry is one interaction, decided, bound and judged like a request of its own, with all
 * the care of a write where it is one; one refused entry refuses the whole, and nothing is sent (DESIGN, Fine print;
 * fhir-access-and-audit.md 1.12, row 22).
 *
 *   taken apart → each entry allowed, covered, bound → stored records read, new ones judged → confirmed, validated
 *   → an intent for each write → sent → each answer judged → an outcome for each entry
 */
export async function answerBatch(body: Buffer, trip: Trip): Promise<Reply | Refusal> {
  const { exchange, launch, deps } = trip
  const { view } = launch
  // A promise that is not kept is better refused: what repeats a write safely is the version that it names.
  if (exchange.incoming.headers['idempotency-key'] !== undefined) return refuse('FHIR_NOT_ALLOWED')
  const large = body.length > awayBytes
  const bundle = large ? await deps.away.split(body) : splitBundle(body)
  if (isRefusal(bundle)) return bundle
  exchange.request = { ...emptyRequest, interaction: bundle.type }
  const feature = view.bundles.get(bundle.type)
  if (feature === undefined) return refuse('FHIR_NOT_ALLOWED')
  exchange.rule = feature

  const decided = decideEntries(bundle, view)
  if (isRefusal(decided)) return decided
  const entries = await prepareEntries(bundle.type, decided, large, trip)
  if (isRefusal(entries)) return entries
  const { urls } = deps.upstreams.of(view.tenant)
  const writes = entries.some(({ write }) => write !== undefined)
  const outbound: Outbound = {
    method: 'POST',
    target: urls.prefix === '' ? '/' : urls.prefix,
    headers: [
      'content-type',
      'application/fhir+json',
      ...(writes ? ['prefer', 'return=representation'] : []),
    ],
    body: printBundle(bundle.type, entries),
  }
  const answerType = `${bundle.type}-response`
  return writes
    ? sendWrites(outbound, entries, answerType, trip)
    : sendReads(outbound, entries, answerType, trip)
}

async function sendReads(
  outbound: Outbound,
  entries: readonly PreparedEntry[],
  type: string,
  trip: Trip,
): Promise<Reply | Refusal> {
  const received = await sendOutbound(outbound, trip)
  if (received.kind === 'fault') return refuseFault(received)
  if (received.status !== 200) return refuseStatus(received)
  const judged = await judge(received, entries, type, trip)
  if (isRefusal(judged)) return explainForeign(judged, trip)
  await recordEntries(entries, judged.outcomes, trip)
  return replyOf(judged)
}

/** From here on whatever goes wrong may have been saved (DESIGN rule 8). */
async function sendWrites(
  outbound: Outbound,
  entries: readonly PreparedEntry[],
  type: string,
  trip: Trip,
): Promise<Reply | Refusal> {
  const { exchange, launch, deps } = trip
  const over = await judgeStillOpen(exchange, launch, deps)
  if (over !== undefined) return over
  await Promise.all(
    entries.flatMap((entry) =>
      entry.write === undefined
        ? []
        : [recordIntent({ ...exchange, ...recordedAs(entry) }, entry.ifMatch, deps.audit)],
    ),
  )
  const received = await sendThrough(outbound, trip).catch(async (error: unknown) => {
    const end = exchange.writeSent ? uncertain(false) : refuseError(error)
    await recordEntries(entries, undefined, trip, end)
    throw error
  })
  const result =
    received.kind === 'fault'
      ? received.sent
        ? uncertain(received.fault === 'timeout')
        : refuseFault(received)
      : await judgeWrites(received, entries, type, trip)
  if (!isRefusal(result)) {
    await recordEntries(entries, result.outcomes, trip)
    return replyOf(result)
  }
  exchange.writeSent = errorTable[result.code].state === 'write_uncertain'
  await recordEntries(entries, undefined, trip, result)
  return result
}

async function judgeWrites(
  received: UpstreamAnswer,
  entries: readonly PreparedEntry[],
  type: string,
  trip: Trip,
): Promise<JudgedBatch | Refusal> {
  if (received.status !== 200)
    return refuseWrite(received.status, 'transaction', () => refuseStatus(received))
  const judged = await judge(received, entries, type, trip)
  // It was done, all or in part, but what came back is nothing to show.
  return isRefusal(judged) ? { ...uncertain(false), ...reasonOf(judged) } : judged
}

function replyOf({ body, count, patients }: JudgedBatch): Reply {
  return { kind: 'reply', status: 200, body, headers: {}, count, patients, reason: undefined }
}

/** One record for each entry, so that the audit says what was looked at and written; the one of the whole follows. */
async function recordEntries(
  entries: readonly PreparedEntry[],
  outcomes: readonly EntryOutcome[] | undefined,
  trip: Trip,
  whole?: Refusal,
): Promise<void> {
  const { exchange, deps } = trip
  const records = entries.map(async (entry, index) => {
    const { write } = entry
    const outcome = outcomes?.[index] ?? whole
    // Of a bundle that was refused as a whole, each write has an intent that wants its end.
    if (outcome === undefined || (outcomes === undefined && write === undefined)) return
    const own = { ...exchange, ...recordedAs(entry), writeSent: write !== undefined }
    if (isRefusal(outcome)) return record(own, outcome, deps.audit)
    const { savedId } = outcome
    const reply: Reply = { ...outcome, kind: 'reply', body: Buffer.alloc(0) }
    return record({ ...own, savedId }, reply, deps.audit)
  })
  await Promise.all(records)
}

function recordedAs({
  asked,
  bound: { rule, sent },
}: PreparedEntry): Pick<Exchange, 'request' | 'rule' | 'narrowed'> {
  return { request: asked, rule, narrowed: addedTo(asked, sent) }
}

/** Here, or in the worker when it is large. */
async function judge(
  { headers, body }: UpstreamAnswer,
  entries: readonly PreparedEntry[],
  type: string,
  { launch, deps }: Trip,
): Promise<JudgedBatch | Refusal> {
  if (!isFhirJson(headers.contentType)) return refuse('FHIR_ANSWER_UNREADABLE', 'malformed')
  const { base, tenant } = launch.view
  const { urls } = deps.upstreams.of(tenant)
  const parts = entries.map(({ bound }) => ({
    expected: expectationOf(bound, launch.view),
    request: bound.request,
  }))
  if (body.length > awayBytes) {
    const judged = await judgeAwayFrom(body, parts, type, { launch, deps })
    return isRefusal(judged) ? judged : { ...judged, outcomes: judged.outcomes ?? [] }
  }
  const judges = parts.map(({ expected, request }) => ({
    expected,
    rewriter: createRewriter({ ...deps, launch: launch.key.launch, base, urls, request }),
    interaction: request.interaction,
  }))
  return judgeBatchAnswer(parseExact(body), type, judges)
}
