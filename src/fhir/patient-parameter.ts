import { isId } from '../smart/interactions.ts'
import { parseReference, referenceTargets } from '../smart/references.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'
import { subjects } from '../smart/tables/subjects.ts'
import type { FhirRequest, Parameter } from './request.ts'
import type { LaunchView } from './view.ts'

/**
 * What a search parameter says about patients. Of the many forms a patient can be named in (fhir-access-and-audit.md
 * 1.12) two are understood, `P` and `Patient/P`; the rest counts as another patient.
 */
export type PatientMention =
  /** Names no patient. */
  | 'none'
  /** The subject is the patient in context. */
  | 'binding'
  /** Another element points at the patient in context: `performer=Patient/P`. */
  | 'own'
  | 'foreign'

export function patientMention(
  resource: string,
  parameter: Parameter,
  patient: string,
): PatientMention {
  const bindings = resource === 'Patient' ? ['_id'] : (subjects[resource]?.bindings ?? [])
  const binding = bindings.includes(parameter.name)
  const own = binding ? 'binding' : 'own'
  if (binding && resource === 'Patient') {
    return parameter.modifier === '' && parameter.value === patient ? own : 'foreign'
  }
  const targets = referenceTargets(resource, parameter.name)
  if (targets === undefined || !(targets.includes('Patient') || targets.includes('*'))) {
    return mentionsAnother(parameter.value, patient) ? 'foreign' : 'none'
  }
  if (isOwnPatient(parameter, targets, patient)) return own
  return parameter.value.split(',').every((value) => isOtherType(value, parameter.modifier))
    ? 'none'
    : 'foreign'
}

/** Accepted without being listed in a rule (DESIGN, Fine print). */
export function namesPatientInContext(
  request: FhirRequest,
  parameter: Parameter,
  view: LaunchView,
): boolean {
  if (view.patient === undefined || request.resource === undefined) return false
  return patientMention(request.resource, parameter, view.patient) === 'binding'
}

export function namesAnotherPatient(request: FhirRequest, view: LaunchView): boolean {
  const { patient } = view
  const { resource, parameters } = request
  if (patient === undefined || resource === undefined) return false
  return parameters.some((parameter) => patientMention(resource, parameter, patient) === 'foreign')
}

function isOwnPatient(parameter: Parameter, targets: readonly string[], patient: string): boolean {
  if (parameter.modifier !== '' && parameter.modifier !== 'Patient') return false
  if (parameter.value === `Patient/${patient}`) return true
  // A bare id may be any type's where the parameter points at several.
  const onlyPatients = targets.length === 1 || parameter.modifier === 'Patient'
  return onlyPatients && parameter.value === patient
}

/** A parameter that R4 does not know as a reference, an EHR's own perhaps, whose value names a patient all the same. */
function mentionsAnother(value: string, patient: string): boolean {
  if (!value.includes('Patient/')) return false
  const named = value.matchAll(/(?:^|[^A-Za-z])Patient\/([^,/|]*)/g)
  return [...named].some(([, id]) => id !== patient)
}

/** `Practitioner/7`, or a bare id under the modifier `:Practitioner`. */
function isOtherType(value: string, modifier: string): boolean {
  if (modifier === '') {
    const reference = parseReference(value, undefined)
    return reference !== undefined && reference.type !== 'Patient'
  }
  return modifier !== 'Patient' && resourceTypes.has(modifier) && isId(value)
}
