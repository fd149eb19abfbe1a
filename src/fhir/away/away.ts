import { resourceTypes } from '../../smart/tables/resource-types.ts'
import { copyIssues, isAllWell } from '../../smart/outcome.ts'
import type { Coverage } from '../../smart/scopes.ts'
import { isRefusal, refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import { readStatement } from '../capability.ts'
import { parseExact } from '../exact-json.ts'
import type { Expectation } from '../expectation.ts'
import { judgeBatchAnswer } from '../judge-batch.ts'
import { judgeAnswer } from '../judge-bundle.ts'
import { linksUnder } from '../links.ts'
import { isReplacedBy } from '../merged.ts'
import type { Merge } from '../merged.ts'
import type { FhirRequest } from '../request.ts'
import { createRestorer, createRewriter } from '../rewriter.ts'
import { rewrite } from '../steps/rewrite.ts'
import { splitBundle } from '../split-bundle.ts'
import type { SplitBundle } from '../split-bundle.ts'
import { createUpstreamUrls } from '../upstream-url.ts'
import { makeWrite } from '../write/make.ts'
import type { Made } from '../write/make.ts'
import { isSamePerson } from '../write/same-person.ts'
import type {
  AwayAsk,
  AwayPart,
  Looked,
  MakeAsk,
  PersonAsk,
  RewrittenAway,
  SplitAsk,
} from './messages.ts'

/**
 * A large answer is parsed, judged and rewritten in a worker thread, so that the event loop goes on. What crosses the
 * border is plain data (messages.ts): everything that decides was decided before, and the launch's own link key goes
 * along. So many bytes are parsed there and not here.
 */
export const awayBytes = 1_048_576

export function partOf(expectation: Expectation, request: FhirRequest): AwayPart {
  const { shape, resource, id, version, patient, base, onForeign } = expectation
  const coverage: Record<string, Coverage> = {}
  for (const type of resourceTypes) {
    const covered = expectation.permits(type)
    if (covered.kind !== 'none') coverage[type] = covered
  }
  const expected = { shape, resource, id, version, patient, base, onForeign }
  return { expected, coverage, request }
}

/** So many values fit the worker's heap, whatever they are, with the copy that rewriting makes of them (measured). */
const maxValues = 3_000_000

/**
 * Counted on the bytes, before anything is made of them: each value but the first follows one of these three, and what
 * stands in a text counts too, which is harmless at seven bytes a value in the largest answer by default.
 */
function isTooDense(bytes: Uint8Array): boolean {
  let count = 0
  for (const byte of bytes) if (byte === comma || byte === brace || byte === bracket) count += 1
  return count > maxValues
}

const comma = 0x2c
const brace = 0x7b
const bracket = 0x5b

/** What the worker parses: undefined for what is no JSON, as ever. */
function parseLarge(bytes: Uint8Array): unknown {
  return parseExact(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
}

/** The same steps as on the main thread (steps/guard.ts, steps/rewrite.ts, batch.ts), from plain data. */
export function judgeAway(ask: AwayAsk): RewrittenAway | Refusal {
  const { bytes, iss, base, publicUrl, launch, parts, batch } = ask
  if (isTooDense(bytes)) return refuse('FHIR_ANSWER_TOO_LARGE')
  const value = parseLarge(bytes)
  const urls = createUpstreamUrls(iss)
  const links = linksUnder(ask.linkKeys.map((key) => Buffer.from(key)))
  const judges = parts.map(({ expected, coverage, request }) => ({
    expected: { ...expected, permits: (type: string): Coverage => coverage[type] ?? none },
    rewriter: createRewriter({ publicUrl, launch, base, urls, links, request }),
    interaction: request.interaction,
  }))
  if (batch !== undefined) {
    const judged = judgeBatchAnswer(value, batch, judges)
    if (isRefusal(judged)) return judged
    return { kind: 'rewritten', ...judged, dropped: 0, linksDropped: 0, nextLost: false }
  }
  const [only] = judges
  if (only === undefined) throw new TypeError('nothing to judge by')
  const judged = judgeAnswer(value, only.expected)
  return isRefusal(judged) ? judged : { kind: 'rewritten', ...rewrite(judged, only.rewriter) }
}

export function lookAt(
  bytes: Uint8Array,
  merge: Merge | undefined,
  person?: PersonAsk,
): Looked | Refusal {
  if (isTooDense(bytes)) return refuse('FHIR_ANSWER_TOO_LARGE')
  const value = parseLarge(bytes)
  const replaced = merge !== undefined && isReplacedBy(value, merge)
  const samePerson = person === undefined ? false : judgePerson(value, person)
  if (typeof samePerson === 'object') return samePerson
  return {
    kind: 'looked',
    issues: copyIssues(value),
    allWell: isAllWell(value),
    replaced,
    samePerson,
    statement: readStatement(value),
  }
}

export function makeAway(ask: MakeAsk): Made | Refusal {
  const { bytes, stored, question, make, publicUrl, launch, linkKeys } = ask
  if (isTooDense(bytes)) return refuse('FHIR_BODY_TOO_LARGE')
  if (stored !== undefined && isTooDense(stored)) return refuse('FHIR_ANSWER_TOO_LARGE')
  const { expected, coverage } = make
  const permits = (type: string): Coverage => coverage[type] ?? none
  const links = linksUnder(linkKeys.map((key) => Buffer.from(key)))
  const restorer = createRestorer({ publicUrl, launch, base: expected.base, links })
  const { etag, ...rest } = question
  const whole = { ...rest, body: bytes, stored: stored && { bytes: stored, etag } }
  const urls = createUpstreamUrls(ask.iss)
  return makeWrite(whole, { ...expected, permits }, { restorer, urls })
}

export function splitAway({ bytes }: SplitAsk): SplitBundle | Refusal {
  return isTooDense(bytes) ? refuse('FHIR_BODY_TOO_LARGE') : splitBundle(bytes)
}

function judgePerson(value: unknown, { part, shown }: PersonAsk): boolean | Refusal {
  const { expected, coverage } = part
  const permits = (type: string): Coverage => coverage[type] ?? none
  const judged = judgeAnswer(value, { ...expected, permits })
  return isRefusal(judged) ? judged : isSamePerson(judged.value, shown)
}

const none: Coverage = { kind: 'none' }
