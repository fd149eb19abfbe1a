import { tokenPaths } from '../../smart/token-search.ts'
import { patientFreeTypes } from '../../smart/patient-free.ts'
import { patientCompartment } from '../../smart/tables/patient-compartment.ts'
import { subjects } from '../../smart/tables/subjects.ts'
import { refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import { isAboutAnother } from '../operation-patient.ts'
import { namesAnotherPatient, patientMention } from '../patient-parameter.ts'
import type { FhirRequest, Parameter } from '../request.ts'
import type { LaunchView } from '../view.ts'
import type { Covered } from './scope.ts'

/**
 * bind: with a patient in context a request leaves here bound to that patient, once, by us (DESIGN rule 6). Any other
 * patient, a list, a second binding or a form that is not understood is refused.
 */
export interface Bound extends Covered {
  /** As the EHR gets it; `request` is as the app asked, with the scopes' narrowing. */
  readonly sent: FhirRequest
}

export function bind(covered: Covered, view: LaunchView): Bound | Refusal {
  const { request } = covered
  const { resource, interaction, id } = request
  if (interaction === 'operation' && !namesNobodyElse(request, view)) {
    return refuse('FHIR_PATIENT_FOREIGN', 'wrong_patient')
  }
  if (resource === undefined) return bindSystem(covered, view)
  // A Binary says nothing about whom it is; only a sealed handle leads to one (DESIGN, Fine print).
  if (resource === 'Binary') return refuse('FHIR_NOT_ALLOWED', 'no_subject')
  if (view.patient === undefined) return bindNobody(covered)
  const isSubjectType = resource === 'Patient' || subjects[resource] !== undefined
  if (!isSubjectType && !patientFreeTypes.has(resource)) {
    return refuse('FHIR_NOT_ALLOWED', 'no_subject')
  }
  // Rows 7 and 24: an operation on a type searches it.
  const searches =
    interaction === 'search-type' || (interaction === 'operation' && id === undefined)
  if (searches) return bindSearch(covered, view.patient)
  // Row 5: nothing binds it to a patient.
  if (interaction === 'history-type' && isSubjectType)
    return refuse('FHIR_NOT_ALLOWED', 'no_subject')
  // The same answer as for a record that does not exist (1.12, row 2).
  if (resource === 'Patient' && id !== undefined && id !== view.patient) {
    return refuse('FHIR_RESOURCE_UNKNOWN', 'wrong_patient')
  }
  if (namesAnotherPatient(request, view)) return refuse('FHIR_PATIENT_FOREIGN', 'wrong_patient')
  const parameters = request.parameters.map((parameter) => withSubject(parameter, covered))
  return { ...covered, sent: { ...request, parameters } }
}

function namesNobodyElse({ parameters }: FhirRequest, { patient }: LaunchView): boolean {
  if (patient === undefined) return true
  return !parameters.some(({ name, value }) => isAboutAnother(name, value, patient))
}

/**
 * An operation on the whole system is on no record. Where its rule says that it takes a patient it gets the one in
 * context, named by the app or not; a bare id may be anybody's, and a modifier asks for something else.
 */
function bindSystem(covered: Covered, view: LaunchView): Bound | Refusal {
  const { request } = covered
  const { patient } = view
  if (patient === undefined || request.interaction !== 'operation') {
    return { ...covered, sent: request }
  }
  const unclear = request.parameters.some(
    ({ name, modifier, value }) => modifier !== '' || (/^_?ids?$/i.test(name) && value !== patient),
  )
  if (unclear) return refuse('FHIR_PATIENT_FOREIGN', 'wrong_patient')
  const { parameters: listed = [] } = view.operations.get(request.operation ?? '') ?? {}
  const name = ['patient', 'subject'].find((one) => listed.includes(one))
  if (name === undefined || request.parameters.some((one) => one.name === name)) {
    return { ...covered, sent: request }
  }
  const value = name === 'patient' ? patient : `Patient/${patient}`
  const parameters = [{ name, modifier: '', value }, ...request.parameters]
  return { ...covered, sent: { ...request, parameters } }
}

/** A compartment names a patient: without one in context nothing could have granted it. */
function bindNobody(covered: Covered): Bound | Refusal {
  const { request } = covered
  return request.compartment === undefined
    ? { ...covered, sent: request }
    : refuse('FHIR_PATIENT_MISSING')
}

function bindSearch(covered: Covered, patient: string): Bound | Refusal {
  const { request } = covered
  const resource = request.resource ?? ''
  // `Patient/$everything` is about everybody; with an id it is about one.
  if (request.interaction === 'operation' && resource === 'Patient') {
    return refuse('FHIR_NOT_ALLOWED', 'no_subject')
  }
  // It searches nothing: the record to be validated was judged to be about this patient.
  const { operation, parameters: given } = request
  const record = given.some(
    ({ name, typed }) => name === 'resource' && typed?.member === 'resource',
  )
  if (operation === '$validate' && record) return { ...covered, sent: request }
  if (!compartmentFits(request, patient)) return refuse('FHIR_PATIENT_FOREIGN', 'wrong_patient')
  const rest: Parameter[] = []
  let bindings = request.compartment === undefined ? 0 : 1
  let typed: Parameter | undefined
  for (const parameter of request.parameters) {
    const mention = patientMention(resource, parameter, patient)
    if (mention === 'foreign') return refuse('FHIR_PATIENT_FOREIGN', 'wrong_patient')
    if (mention === 'binding') {
      bindings += 1
      // An operation by POST may want it as a Reference; the value was judged to be this patient's.
      if (parameter.typed !== undefined) typed = parameter
    } else rest.push(withSubject(parameter, covered))
  }
  if (bindings > 1) return refuse('FHIR_PATIENT_FOREIGN', 'wrong_patient')
  const binding = bindingParameter(resource, patient)
  const parameters = binding === undefined ? rest : [typed ?? binding, ...rest]
  return { ...covered, sent: { ...request, compartment: undefined, parameters } }
}

/** `Patient/P/Observation` is a search for Observations about P; what else the compartment holds the guard would refuse. */
function compartmentFits(request: FhirRequest, patient: string): boolean {
  if (request.compartment === undefined) return true
  if (request.compartment !== patient) return false
  return patientCompartment[request.resource ?? ''] !== undefined
}

/** Undefined for patient-free types, which are searched as they are. */
function bindingParameter(resource: string, patient: string): Parameter | undefined {
  if (resource === 'Patient') return { name: '_id', modifier: '', value: patient }
  const subject = subjects[resource]
  if (subject === undefined) return undefined
  const value = subject.parameter === 'patient' ? patient : `Patient/${patient}`
  return { name: subject.parameter, modifier: '', value }
}

/** `_elements` never loses the subject, nor what a granular scope is held against. */
function withSubject(parameter: Parameter, covered: Covered): Parameter {
  if (parameter.name !== '_elements') return parameter
  const resource = covered.request.resource ?? ''
  const wanted = [subjects[resource]?.path, ...scopeElements(resource, covered)]
  const elements = new Set(parameter.value.split(','))
  for (const path of wanted) if (path !== undefined) elements.add(path.split('.', 1)[0] ?? path)
  return { ...parameter, value: [...elements].join(','), typed: undefined }
}

function scopeElements(resource: string, { coverage }: Covered): readonly string[] {
  if (coverage.kind !== 'part') return []
  return coverage.alternatives.flatMap((alternative) =>
    alternative.flatMap((parameter) => tokenPaths(resource, parameter.name) ?? []),
  )
}
