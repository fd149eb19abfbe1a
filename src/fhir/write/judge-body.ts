import { isJsonObject } from '../../smart/json.ts'
import type { JsonObject } from '../../smart/json.ts'
import { parseReference } from '../../smart/references.ts'
import { subjects } from '../../smart/tables/subjects.ts'
import { refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import type { Expectation } from '../expectation.ts'
import { idOf, judgeResource, newNotes, typeOf } from '../judge.ts'
import { isEqual } from './json-patch.ts'
import type { Siblings } from './make.ts'

/**
 * Judges what a write would store: the type and id of the URL, the subject of the patient in context as a plain
 * reference, no other patient anywhere in it (fhir-access-and-audit.md 1.12 rows 13 to 17, and 5).
 */
export function judgeBody(
  value: unknown,
  expected: Expectation,
  siblings: Siblings = {},
): JsonObject | Refusal {
  if (!isJsonObject(value)) return refuse('FHIR_BODY_INVALID', 'malformed')
  if (typeOf(value) !== expected.resource) return refuse('FHIR_BODY_INVALID', 'wrong_type')
  if (expected.id !== undefined && idOf(value) !== expected.id) {
    return refuse('FHIR_BODY_INVALID', 'wrong_id')
  }
  const resolved = resolve(value, siblings)
  // A new record gets its id from the EHR.
  const named = expected.id === undefined ? { ...resolved, id: 'new' } : resolved
  const fault = judgeResource(named, expected, newNotes())
  if (fault === 'wrong_patient' || fault === 'no_subject')
    return refuse('FHIR_PATIENT_FOREIGN', fault)
  if (fault === 'scope') return refuse('FHIR_SCOPE_INSUFFICIENT', fault)
  if (fault !== undefined) return refuse('FHIR_BODY_INVALID', fault)
  if (!judgeReferences(resolved, expected)) return refuse('FHIR_PATIENT_FOREIGN', 'wrong_patient')
  return value
}

/**
 * A reference to what another entry of the same transaction creates is judged as one to a record of that type, whose id
 * nobody has; a patient it can thus never be. What is sent on keeps the `urn:uuid:…` (FHIR R4 http.html, transaction).
 */
function resolve(value: JsonObject, siblings: Siblings): JsonObject {
  const names = Object.keys(siblings)
  if (names.length === 0) return value
  const walk = (one: unknown, member: string): unknown => {
    if (typeof one === 'string') {
      return member === 'reference' && Object.hasOwn(siblings, one)
        ? siblingName(siblings, one)
        : one
    }
    if (Array.isArray(one)) return one.map((item: unknown) => walk(item, member))
    return isJsonObject(one) ? resolveIn(one, walk) : one
  }
  return resolveIn(value, walk)
}

function resolveIn(value: JsonObject, walk: (one: unknown, member: string) => unknown): JsonObject {
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, walk(one, name)]))
}

function siblingName(siblings: Siblings, urn: string): string {
  return `${siblings[urn] ?? ''}/${urn.slice('urn:uuid:'.length)}`
}

/**
 * Only records of this server and what is contained; no other patient, no search in place of a reference, and no
 * patient named by an identifier alone, who may be anybody.
 */
function judgeReferences(value: unknown, expected: Expectation): boolean {
  if (Array.isArray(value)) return value.every((item) => judgeReferences(item, expected))
  if (!isJsonObject(value)) return true
  if (isLogicalPatient(value) && expected.patient !== undefined) return false
  return Object.entries(value).every(([name, inner]) => {
    if (name !== 'reference' || typeof inner !== 'string') return judgeReferences(inner, expected)
    if (/^#[A-Za-z0-9.-]{0,64}$/.test(inner)) return true
    const reference = parseReference(inner, expected.base)
    if (reference === undefined) return false
    if (reference.type !== 'Patient' || expected.patient === undefined) return true
    return reference.id === expected.patient
  })
}

function isLogicalPatient(value: JsonObject): boolean {
  return value['type'] === 'Patient' && value['reference'] === undefined && 'identifier' in value
}

/** What a patch may not touch: who and what the record is, whom it is about, and what it holds inside. */
export function keepsIdentity(before: JsonObject, after: JsonObject, type: string): boolean {
  const subject = subjects[type]?.path.split('.', 1)[0]
  const kept = ['resourceType', 'id', 'contained', ...(subject === undefined ? [] : [subject])]
  return kept.every((name) => isEqual(before[name], after[name]))
}
