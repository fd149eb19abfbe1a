import { maxPatients } from '../audit/event.ts'
import { isId } from '../smart/interactions.ts'
import { isJsonObject } from '../smart/json.ts'
import type { JsonObject } from '../smart/json.ts'
import { patientFreeTypes } from '../smart/patient-free.ts'
import { parseReference } from '../smart/references.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'
import { subjects } from '../smart/tables/subjects.ts'
import { elementsAt, matchesScope } from '../smart/token-search.ts'
import type { Expectation } from './expectation.ts'

/**
 * Judges one resource of an answer: its type, its scope, its id, and above all whom it is about (DESIGN rule 6). Every
 * resource inside it, contained or nested however deep, is judged too. What cannot be proved does not pass.
 */
export type Fault =
  'malformed' | 'wrong_type' | 'wrong_id' | 'wrong_patient' | 'no_subject' | 'scope'

/** What is learned by the way. */
export interface Notes {
  /** Patients that an answer without a patient in context was about; the audit lists them (DESIGN rule 6). */
  readonly patients: Set<string>
  /** The first other patient that was met. Never shown: an earlier id of this patient may be recognised by it. */
  foreign: string | undefined
  /** `Type/id` of the records in this answer that passed; a Provenance is judged by them. */
  readonly records: Set<string>
}

export function newNotes(): Notes {
  return { patients: new Set(), foreign: undefined, records: new Set() }
}

const maxDepth = 100
const referenceMembers = new Set(['reference', 'type', 'identifier', 'display', 'extension'])

export function judgeResource(
  value: unknown,
  expected: Expectation,
  notes: Notes,
): Fault | undefined {
  if (!isJsonObject(value)) return 'malformed'
  const type = typeOf(value)
  if (type === undefined) return 'malformed'
  return (
    judgeSubject(value, type, expected, notes) ??
    judgePermission(value, type, expected) ??
    judgeNested(value, expected, notes)
  )
}

export function typeOf(resource: JsonObject): string | undefined {
  if (!Object.hasOwn(resource, 'resourceType')) return undefined
  const type = resource['resourceType']
  return typeof type === 'string' && resourceTypes.has(type) ? type : undefined
}

export function idOf(resource: JsonObject): string | undefined {
  const id = Object.hasOwn(resource, 'id') ? resource['id'] : undefined
  return typeof id === 'string' && isId(id) ? id : undefined
}

function judgePermission(
  resource: JsonObject,
  type: string,
  expected: Expectation,
): Fault | undefined {
  if (idOf(resource) === undefined) return 'wrong_id'
  const coverage = expected.permits(type)
  if (coverage.kind === 'none') return 'wrong_type'
  if (coverage.kind === 'all') return undefined
  return matchesScope(resource, type, coverage.alternatives) ? undefined : 'scope'
}

function judgeSubject(
  resource: JsonObject,
  type: string,
  expected: Expectation,
  notes: Notes,
): Fault | undefined {
  if (expected.patient === undefined) {
    collectPatients(resource, type, expected.base, notes)
    return undefined
  }
  if (patientFreeTypes.has(type)) return undefined
  if (type === 'Patient') {
    if (resource['id'] === expected.patient) return undefined
    notes.foreign ??= idOf(resource)
    return 'wrong_patient'
  }
  if (type === 'Provenance') return judgeTargets(resource, expected, notes)
  const path = subjects[type]?.path
  if (path === undefined) return 'no_subject'
  return judgeReferences(
    elementsAt(resource, path.split('.')),
    expected.patient,
    expected.base,
    notes,
  )
}

/** A Provenance is about this patient when a target is, or is a record of this answer that was judged so. */
function judgeTargets(
  resource: JsonObject,
  expected: Expectation,
  notes: Notes,
): Fault | undefined {
  let found = false
  for (const value of elementsAt(resource, ['target'])) {
    const text = isJsonObject(value) ? value['reference'] : undefined
    const reference = typeof text === 'string' ? parseReference(text, expected.base) : undefined
    if (reference === undefined) return 'no_subject'
    const { type, id } = reference
    if (type === 'Patient' && id !== expected.patient) return 'wrong_patient'
    if (type === 'Patient' || notes.records.has(`${type}/${id}`)) found = true
  }
  return found ? undefined : 'no_subject'
}

/** At least one reference is the patient in context, and none is another patient or of a kind that proves nothing. */
function judgeReferences(
  values: readonly unknown[],
  patient: string,
  base: string,
  notes: Notes,
): Fault | undefined {
  let found = false
  for (const value of values) {
    const text =
      isJsonObject(value) && Object.hasOwn(value, 'reference') ? value['reference'] : undefined
    const reference = typeof text === 'string' ? parseReference(text, base) : undefined
    // `#contained`, `urn:uuid:…`, identifiers alone and other servers' URLs prove nothing.
    if (reference === undefined) return 'no_subject'
    if (reference.type === 'Group') return 'no_subject'
    if (reference.type !== 'Patient') continue
    if (reference.id !== patient) {
      notes.foreign ??= reference.id
      return 'wrong_patient'
    }
    found = true
  }
  return found ? undefined : 'no_subject'
}

function collectPatients(resource: JsonObject, type: string, base: string, notes: Notes): void {
  // One more than a record can name says that it is too many (judge-bundle.ts).
  if (notes.patients.size > maxPatients) return
  if (type === 'Patient') {
    const id = idOf(resource)
    if (id !== undefined) notes.patients.add(id)
    return
  }
  const path = subjects[type]?.path
  if (path === undefined) return
  for (const value of elementsAt(resource, path.split('.'))) {
    const text = isJsonObject(value) ? value['reference'] : undefined
    const reference = typeof text === 'string' ? parseReference(text, base) : undefined
    if (reference?.type === 'Patient') notes.patients.add(reference.id)
  }
}

/** Looks into everything an object holds; each object with a resourceType in it is a resource of its own. */
export function judgeNested(
  object: JsonObject,
  expected: Expectation,
  notes: Notes,
): Fault | undefined {
  for (const [name, value] of Object.entries(object)) {
    const fault = walk(value, name, expected, notes, 1)
    if (fault !== undefined) return fault
  }
  return undefined
}

function walk(
  value: unknown,
  name: string,
  expected: Expectation,
  notes: Notes,
  depth: number,
): Fault | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (depth > maxDepth) return 'malformed'
  if (Array.isArray(value)) {
    for (const item of value) {
      const fault = walk(item, name, expected, notes, depth + 1)
      if (fault !== undefined) return fault
    }
    return undefined
  }
  if (!isJsonObject(value)) return 'malformed'
  const isResource = Object.hasOwn(value, 'resourceType')
  const holdsResource = name === 'contained' || name === 'resource'
  if (holdsResource && !isResource && !isPlainElement(name, value)) return 'malformed'
  if (isResource) {
    const fault =
      name === 'contained'
        ? judgeContained(value, expected, notes)
        : judgeResource(value, expected, notes)
    if (fault !== undefined) return fault
    // judgeResource has looked inside already.
    if (name !== 'contained') return undefined
  }
  for (const [member, inner] of Object.entries(value)) {
    const fault = walk(inner, member, expected, notes, depth + 1)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** A few types have an element called `resource` that is a Reference (RequestGroup.action, Linkage.item). */
function isPlainElement(name: string, value: JsonObject): boolean {
  return name === 'resource' && Object.keys(value).every((member) => referenceMembers.has(member))
}

/**
 * A contained resource is part of its parent and has no id of its own on the server (FHIR R4 references.html). About a
 * patient, it must be allowed and about the patient in context; a contained Patient can be proved to be nobody.
 */
function judgeContained(
  resource: JsonObject,
  expected: Expectation,
  notes: Notes,
): Fault | undefined {
  const type = typeOf(resource)
  if (type === undefined) return 'malformed'
  if (patientFreeTypes.has(type)) return undefined
  if (expected.patient !== undefined && type === 'Patient') return 'wrong_patient'
  const fault = judgeSubject(resource, type, expected, notes)
  if (fault !== undefined) return fault
  const coverage = expected.permits(type)
  if (coverage.kind === 'none') return 'wrong_type'
  if (coverage.kind === 'all') return undefined
  return matchesScope(resource, type, coverage.alternatives) ? undefined : 'scope'
}
