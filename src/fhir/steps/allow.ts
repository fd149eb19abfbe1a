import type { ResourceRule } from '../../config/schema/rule.ts'
import type { Interaction } from '../../smart/interactions.ts'
import { referenceTargets } from '../../smart/references.ts'
import { refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import { namesAnotherPatient, namesPatientInContext } from '../patient-parameter.ts'
import { parameterName } from '../request.ts'
import type { FhirRequest, Parameter } from '../request.ts'
import type { LaunchView } from '../view.ts'

/**
 * allow: a rule of the mode's allowlist must permit the interaction on this type and every search parameter with its
 * modifier (DESIGN rule 5). One rule must permit the whole request: two half permissions do not add up.
 */
export interface Permit {
  readonly kind: 'allow'
  readonly request: FhirRequest
  /** The `feature` of the rule. */
  readonly rule: string
  /** Types that an `_include` of this request may bring along. */
  readonly included: ReadonlySet<string>
}

/**
 * Never, whatever a rule says: they ask about other records than those searched (an oracle), override the method, or
 * take the answer out of the guard's hands (fhir-access-and-audit.md 1.12, search parameter rules).
 */
const neverAllowed = new Set([
  '_has',
  '_filter',
  '_query',
  '_graph',
  '_method',
  '_contained',
  '_containedType',
  '_type',
])
/** What is not a search takes only what shapes its answer (FHIR R4 http.html, read and history). */
const shapingParameters: Readonly<Partial<Record<Interaction, readonly string[]>>> = {
  read: ['_elements', '_summary'],
  vread: ['_elements', '_summary'],
  'history-instance': ['_count', '_since', '_at', '_sort', '_elements', '_summary'],
  'history-type': ['_count', '_since', '_at', '_sort', '_elements', '_summary'],
}
const noTypes: ReadonlySet<string> = new Set()
const sortPattern = /^-?_?[A-Za-z][A-Za-z0-9_-]*(,-?_?[A-Za-z][A-Za-z0-9_-]*)*$/
const elementsPattern = /^[A-Za-z][A-Za-z]*(,[A-Za-z][A-Za-z]*)*$/

export function allow(request: FhirRequest, view: LaunchView): Permit | Refusal {
  const { interaction, resource } = request
  if (interaction === 'capabilities') return allowCapabilities(request)
  if (interaction === 'operation') return allowOperation(request, view)
  if (resource === undefined) return refuse('FHIR_NOT_ALLOWED')
  let ruled = false
  for (const rule of view.rules.get(resource) ?? []) {
    if (!permits(rule, interaction)) continue
    ruled = true
    const included = judgeParameters(rule, request, view)
    if (included !== undefined) return permit(request, rule.feature, included)
  }
  if (!ruled) return refuse(missingPatient(view, request) ?? 'FHIR_NOT_ALLOWED')
  return namesAnotherPatient(request, view)
    ? refuse('FHIR_PATIENT_FOREIGN', 'wrong_patient')
    : refuse('FHIR_PARAMETER_NOT_ALLOWED')
}

/** Always, as DESIGN says, and whole: ours is made of it, whatever else one could ask the EHR for. */
function allowCapabilities(request: FhirRequest): Permit | Refusal {
  return request.parameters.length === 0
    ? permit(request, 'capabilities', noTypes)
    : refuse('FHIR_PARAMETER_NOT_ALLOWED')
}

/** The rule names the operation with its type, `Patient/$everything`, for all records or one of it. */
function allowOperation(request: FhirRequest, view: LaunchView): Permit | Refusal {
  const { resource, operation = '', parameters } = request
  // Row 26: what a query asks for no rule can say.
  if (operation === '$graphql') return refuse('FHIR_NOT_ALLOWED')
  const rule = view.operations.get(resource === undefined ? operation : `${resource}/${operation}`)
  if (rule === undefined) return refuse('FHIR_NOT_ALLOWED')
  const listed = parameters.every(
    (parameter) =>
      namesPatientInContext(request, parameter, view) ||
      // $everything has a `_type` of its own, which narrows what is asked for (1.12, row 23).
      ((parameter.name === '_type' || !neverAllowed.has(parameter.name)) &&
        rule.parameters.includes(parameterName(parameter))),
  )
  if (listed) return permit(request, rule.feature, noTypes)
  return namesAnotherPatient(request, view)
    ? refuse('FHIR_PATIENT_FOREIGN', 'wrong_patient')
    : refuse('FHIR_PARAMETER_NOT_ALLOWED')
}

function permit(request: FhirRequest, rule: string, included: ReadonlySet<string>): Permit {
  return { kind: 'allow', request, rule, included }
}

function permits(rule: ResourceRule, interaction: FhirRequest['interaction']): boolean {
  return rule.interactions.some((allowed) => allowed === interaction)
}

/** A rule exists, but only for a launch with a patient. */
function missingPatient(
  view: LaunchView,
  request: FhirRequest,
): 'FHIR_PATIENT_MISSING' | undefined {
  if (view.patient !== undefined || view.mode.patient === 'none') return undefined
  const exists = view.mode.allow.some(
    (rule) =>
      'resource' in rule &&
      rule.resource === request.resource &&
      permits(rule, request.interaction),
  )
  return exists ? 'FHIR_PATIENT_MISSING' : undefined
}

/** The types that includes may bring, or undefined when a parameter is not allowed. */
function judgeParameters(
  rule: ResourceRule,
  request: FhirRequest,
  view: LaunchView,
): ReadonlySet<string> | undefined {
  if (request.parameters.length === 0) return noTypes
  let included: Set<string> | undefined
  for (const parameter of request.parameters) {
    if (neverAllowed.has(parameter.name)) return undefined
    if (parameter.name === '_include' || parameter.name === '_revinclude') {
      if (request.interaction !== 'search-type') return undefined
      const types = includedTypes(rule, parameter)
      if (types === undefined) return undefined
      included ??= new Set()
      for (const type of types) included.add(type)
    } else if (!allowsParameter(rule, request, parameter, view)) return undefined
  }
  return included ?? noTypes
}

function allowsParameter(
  rule: ResourceRule,
  request: FhirRequest,
  parameter: Parameter,
  view: LaunchView,
): boolean {
  // The patient in context needs no listing (DESIGN, Fine print); another patient is refused by bind.
  if (namesPatientInContext(request, parameter, view)) return true
  const name = parameterName(parameter)
  if (!rule.search.includes(name)) return false
  const shaping = shapingParameters[request.interaction]
  if (shaping !== undefined && !shaping.includes(name)) return false
  if (name === '_sort') return sortPattern.test(parameter.value)
  if (name === '_elements') return elementsPattern.test(parameter.value)
  if (name === '_count') return /^\d{1,5}$/.test(parameter.value)
  if (name === '_total') return /^(none|estimate|accurate)$/.test(parameter.value)
  // `text` takes the subject out of the answer, so that nothing could be checked.
  if (name === '_summary') return /^(true|false|data|count)$/.test(parameter.value)
  return true
}

/**
 * `_include=Observation:encounter` needs `Observation:encounter` in the rule, which permits whatever the parameter may
 * point at, or `Observation:encounter:Encounter`, which permits that type alone. `:iterate` and `*` are not understood.
 */
function includedTypes(rule: ResourceRule, parameter: Parameter): readonly string[] | undefined {
  if (parameter.modifier !== '') return undefined
  const [source = '', name = '', target, ...rest] = parameter.value.split(':')
  if (rest.length > 0) return undefined
  const forward = parameter.name === '_include'
  if (forward !== (source === rule.resource)) return undefined
  const listed = rule.include.some(
    (path) => path === `${source}:${name}` || (target !== undefined && path === parameter.value),
  )
  const targets = referenceTargets(source, name)
  if (!listed || targets === undefined) return undefined
  if (!forward) return [source]
  if (target === undefined) return targets
  return targets.includes(target) || targets.includes('*') ? [target] : undefined
}
