import { maxPatients } from '../audit/event.ts'
import { isJsonObject } from '../smart/json.ts'
import type { JsonObject } from '../smart/json.ts'
import { copyIssues, operationOutcome } from '../smart/outcome.ts'
import { refuse } from './decision.ts'
import type { Refusal } from './decision.ts'
import type { Expectation } from './expectation.ts'
import { idOf, judgeNested, judgeResource, newNotes, typeOf } from './judge.ts'
import type { Fault, Notes } from './judge.ts'

/** A whole answer, judged on its parsed value: what may be passed on, or why not. */
export interface JudgedValue {
  readonly kind: 'judged'
  readonly value: JsonObject
  readonly count: number
  readonly dropped: number
  readonly patients: readonly string[]
}

const bundleTypes: Readonly<Record<Expectation['shape'], readonly string[]>> = {
  resource: [],
  search: ['searchset', 'collection'],
  history: ['history'],
  any: ['searchset', 'collection', 'document'],
}

export function judgeAnswer(value: unknown, expected: Expectation): JudgedValue | Refusal {
  const judged = judgeShape(value, expected)
  // Without a patient in context the audit lists whom an answer was about, all of them (DESIGN rule 6).
  const countless = judged.kind === 'judged' && judged.patients.length > maxPatients
  return countless ? refuse('FHIR_ANSWER_TOO_LARGE') : judged
}

function judgeShape(value: unknown, expected: Expectation): JudgedValue | Refusal {
  if (!isJsonObject(value)) return refuse('FHIR_ANSWER_UNREADABLE', 'malformed')
  if (expected.shape === 'resource') return judgeSingle(value, expected)
  if (expected.shape === 'any' && typeOf(value) !== 'Bundle') return judgeAny(value, expected)
  return judgeBundle(value, expected)
}

/** An operation's answer that is no bundle: Parameters, or one resource such as an expanded ValueSet. */
function judgeAny(value: JsonObject, expected: Expectation): JudgedValue | Refusal {
  const notes = newNotes()
  const fault =
    typeOf(value) === 'Parameters'
      ? judgeNested(value, expected, notes)
      : judgeResource(value, expected, notes)
  if (fault !== undefined) return refuseAnswer(fault, notes)
  return { kind: 'judged', value, count: 1, dropped: 0, patients: [...notes.patients] }
}

function judgeSingle(value: JsonObject, expected: Expectation): JudgedValue | Refusal {
  if (typeOf(value) !== expected.resource) return refuse('FHIR_ANSWER_UNREADABLE', 'wrong_type')
  // A create learns the id from the answer.
  if (expected.id !== undefined && idOf(value) !== expected.id)
    return refuse('FHIR_ANSWER_UNREADABLE', 'wrong_id')
  if (!versionFits(value, expected)) return refuse('FHIR_ANSWER_UNREADABLE', 'wrong_id')
  const notes = newNotes()
  const fault = judgeResource(value, expected, notes)
  if (fault !== undefined) return refuseRead(fault, notes)
  return { kind: 'judged', value, count: 1, dropped: 0, patients: [...notes.patients] }
}

/** vread: the version that was asked for, where the answer names one. */
function versionFits(value: JsonObject, expected: Expectation): boolean {
  if (expected.version === undefined) return true
  const meta = value['meta']
  const version = isJsonObject(meta) ? meta['versionId'] : undefined
  return version === undefined || version === expected.version
}

/** Another patient's record reads like one that does not exist (fhir-access-and-audit.md 1.12, row 2). */
function refuseRead(fault: Fault, notes: Notes): Refusal {
  if (fault === 'wrong_patient' || fault === 'no_subject') {
    return { ...refuse('FHIR_RESOURCE_UNKNOWN', fault), ...foreignOf(notes) }
  }
  if (fault === 'scope') return refuse('FHIR_SCOPE_INSUFFICIENT', 'scope')
  return refuse('FHIR_ANSWER_UNREADABLE', fault)
}

function judgeBundle(value: JsonObject, expected: Expectation): JudgedValue | Refusal {
  const types = bundleTypes[expected.shape]
  const { type } = value
  if (typeOf(value) !== 'Bundle' || typeof type !== 'string' || !types.includes(type)) {
    return refuse('FHIR_ANSWER_UNREADABLE', 'wrong_type')
  }
  const { entry: entries = [], ...frame } = value
  if (!Array.isArray(entries)) return refuse('FHIR_ANSWER_UNREADABLE', 'malformed')
  const notes = newNotes()
  const frameFault = judgeNested(frame, expected, notes)
  if (frameFault !== undefined) return refuseAnswer(frameFault, notes)
  const kept: unknown[] = []
  let dropped = 0
  for (const judged of judgeEntries(entries, expected, notes)) {
    if (judged === undefined) continue
    if ('fault' in judged) {
      if (expected.onForeign === 'refuse') return refuseAnswer(judged.fault, notes)
      dropped += 1
    } else kept.push(judged.entry)
  }
  const whole = dropped === 0 ? { ...value } : withoutDropped(value, dropped, kept)
  if (value['entry'] !== undefined || dropped > 0) Object.assign(whole, { entry: kept })
  return {
    kind: 'judged',
    value: whole,
    count: kept.length - (dropped === 0 ? 0 : 1),
    dropped,
    patients: [...notes.patients],
  }
}

/** In their order. A Provenance is about its targets, so it is judged when they are. */
function judgeEntries(
  entries: readonly unknown[],
  expected: Expectation,
  notes: Notes,
): (JudgedEntry | undefined)[] {
  const judge = (entry: unknown): JudgedEntry | undefined => {
    if (expected.shape === 'history' && isDeletion(entry)) return undefined
    const judged = judgeEntry(entry, expected, notes)
    if ('entry' in judged) noteRecord(judged.entry, notes)
    return judged
  }
  const first = entries.map((entry) => (isProvenance(entry) ? undefined : judge(entry)))
  return entries.map((entry, index) => (isProvenance(entry) ? judge(entry) : first[index]))
}

function isProvenance(entry: unknown): boolean {
  const resource = isJsonObject(entry) ? entry['resource'] : undefined
  return isJsonObject(resource) && resource['resourceType'] === 'Provenance'
}

function noteRecord(entry: JsonObject, notes: Notes): void {
  const { resource } = entry
  if (!isJsonObject(resource)) return
  const type = typeOf(resource)
  const id = idOf(resource)
  if (type !== undefined && id !== undefined) notes.records.add(`${type}/${id}`)
}

type JudgedEntry = { readonly entry: JsonObject } | { readonly fault: Fault }

/** A deletion has no body, and so no proof of whom it was about: it is left out (1.12, row 4). */
function isDeletion(entry: unknown): boolean {
  return isJsonObject(entry) && entry['resource'] === undefined
}

function judgeEntry(entry: unknown, expected: Expectation, notes: Notes): JudgedEntry {
  if (!isJsonObject(entry)) return { fault: 'malformed' }
  const { resource, ...frame } = entry
  if (!isJsonObject(resource)) return { fault: 'malformed' }
  const outside = judgeNested(frame, expected, notes)
  if (outside !== undefined) return { fault: outside }
  // The EHR's own remarks on the search: severity, code and expression (DESIGN, "What a user is told").
  if (typeOf(resource) === 'OperationOutcome') {
    return { entry: { ...frame, resource: operationOutcome(copyIssues(resource)) } }
  }
  // An instance's history is of that instance alone.
  const sameId =
    expected.shape !== 'history' || expected.id === undefined || idOf(resource) === expected.id
  if (!sameId) return { fault: 'wrong_id' }
  const fault = judgeResource(resource, expected, notes)
  return fault === undefined ? { entry } : { fault }
}

/** Says in the answer that something is missing; a total would tell how much. */
function withoutDropped(
  value: JsonObject,
  dropped: number,
  kept: unknown[],
): Record<string, unknown> {
  const { total: _, ...rest } = value
  const text = `${dropped} entries were removed, because they could not be shown to belong to this patient.`
  const outcome = operationOutcome([{ severity: 'warning', code: 'suppressed', text }])
  kept.push({ resource: outcome, search: { mode: 'outcome' } })
  return rest
}

function refuseAnswer(fault: Fault, notes: Notes): Refusal {
  const foreign = fault === 'wrong_patient' || fault === 'no_subject'
  const code = foreign ? 'FHIR_ANSWER_FOREIGN' : 'FHIR_ANSWER_UNREADABLE'
  return { ...refuse(code, fault), ...foreignOf(notes) }
}

function foreignOf({ foreign }: Notes): { foreign?: string } {
  return foreign === undefined ? {} : { foreign }
}
