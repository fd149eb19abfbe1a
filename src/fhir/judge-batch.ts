import { errorTable } from '../errors.ts'
import { isJsonObject } from '../smart/json.ts'
import type { JsonObject } from '../smart/json.ts'
import { operationOutcome } from '../smart/outcome.ts'
import { isRefusal, refuse } from './decision.ts'
import type { Refusal } from './decision.ts'
import type { Expectation } from './expectation.ts'
import { judgeAnswer } from './judge-bundle.ts'
import { typeOf } from './judge.ts'
import type { Rewriter } from './rewriter.ts'
import { rewriteValue } from './steps/rewrite.ts'

/** By what one entry of a batch is judged and rewritten. */
export interface BatchPart {
  readonly expected: Expectation
  readonly rewriter: Rewriter
}

export interface JudgedBatch {
  readonly body: Buffer
  readonly count: number
  readonly patients: readonly string[]
}

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
  const entry: JsonObject[] = []
  const patients = new Set<string>()
  let count = 0
  for (const [index, part] of parts.entries()) {
    const judged = judgeEntry(list[index], part)
    if (isRefusal(judged)) return judged
    entry.push(judged.entry)
    count += judged.count
    for (const patient of judged.patients) patients.add(patient)
  }
  const body = Buffer.from(JSON.stringify({ resourceType: 'Bundle', type, entry }))
  return { body, count, patients: [...patients] }
}

interface JudgedEntry {
  readonly entry: JsonObject
  readonly count: number
  readonly patients: readonly string[]
}

function judgeEntry(item: unknown, { expected, rewriter }: BatchPart): JudgedEntry | Refusal {
  if (!isJsonObject(item) || !isJsonObject(item['response'])) return unreadable()
  const { status: told } = item['response']
  const status = typeof told === 'string' ? /^\d{3}/.exec(told)?.[0] : undefined
  if (status === undefined) return unreadable()
  if (status !== '200') return { entry: failedEntry(Number(status)), count: 0, patients: [] }
  const judged = judgeAnswer(item['resource'], expected)
  if (isRefusal(judged)) {
    // A record of somebody else reads like a missing one, here too.
    const missing = judged.code === 'FHIR_RESOURCE_UNKNOWN'
    return missing ? { entry: failedEntry(404), count: 0, patients: [] } : judged
  }
  const { value, links } = rewriteValue(judged.value, rewriter)
  if (links.nextLost) return refuse('FHIR_ANSWER_UNREADABLE', 'link_outside')
  const { count, patients } = judged
  return { entry: { resource: value, response: { status: '200' } }, count, patients }
}

/** The EHR's own text stays behind, as everywhere. */
function failedEntry(status: number): JsonObject {
  const { sentence } = errorTable[status === 404 ? 'FHIR_RESOURCE_UNKNOWN' : 'FHIR_EHR_FAILED']
  const code = status === 404 ? 'not-found' : 'exception'
  const outcome = operationOutcome([{ severity: 'error', code, text: sentence }])
  return { response: { status: String(status), outcome } }
}

function unreadable(): Refusal {
  return refuse('FHIR_ANSWER_UNREADABLE', 'malformed')
}
