import { scopeAction } from '../../smart/interactions.ts'
import type { Coverage, ScopeParameter } from '../../smart/scopes.ts'
import { refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import type { FhirRequest, Parameter } from '../request.ts'
import type { LaunchView } from '../view.ts'
import type { Permit } from './allow.ts'

/**
 * scope: a granted scope must cover the interaction (SMART App Launch 2.2). A granular scope narrows a search to the
 * records it grants, and is held against the answer of a read.
 */
export interface Covered extends Permit {
  readonly coverage: Coverage
}

export function scope(permit: Permit, view: LaunchView): Covered | Refusal {
  const { interaction, resource } = permit.request
  const action = scopeAction[interaction]
  // An operation has no letter: each type in its answer needs read and search (1.12, row 23), which the guard asks.
  if (interaction === 'capabilities' || interaction === 'operation') {
    return { ...permit, coverage: { kind: 'all' } }
  }
  if (action === undefined || resource === undefined) return refuse('FHIR_NOT_ALLOWED')
  const coverage = view.covers(resource, action)
  if (coverage.kind === 'none') return refuse('FHIR_SCOPE_INSUFFICIENT')
  if (coverage.kind === 'all' || interaction !== 'search-type') return { ...permit, coverage }
  const request = narrow(permit.request, coverage.alternatives)
  return request === undefined
    ? refuse('FHIR_SCOPE_INSUFFICIENT')
    : { ...permit, request, coverage }
}

type Alternative = readonly ScopeParameter[]

/**
 * Repeated parameters are joined by "and", commas by "or" (FHIR R4 search): one alternative is added as it stands, and
 * several that differ in one parameter's value become one list. What a search cannot say, it must ask for by itself.
 */
function narrow(
  request: FhirRequest,
  alternatives: readonly Alternative[],
): FhirRequest | undefined {
  if (alternatives.some((alternative) => asksFor(request.parameters, alternative))) return request
  const [first, ...others] = alternatives
  if (first === undefined) return undefined
  if (others.length === 0) return withParameters(request, first)
  const [parameter] = first
  const sameName = alternatives.every((one) => one.length === 1 && one[0]?.name === parameter?.name)
  if (parameter === undefined || !sameName) return undefined
  const value = alternatives.map((one) => one[0]?.value ?? '').join(',')
  return withParameters(request, [{ name: parameter.name, value }])
}

function asksFor(parameters: readonly Parameter[], alternative: Alternative): boolean {
  return alternative.every((asked) =>
    parameters.some(
      (one) => one.name === asked.name && one.modifier === '' && one.value === asked.value,
    ),
  )
}

function withParameters(request: FhirRequest, added: Alternative): FhirRequest {
  const more = added.map(({ name, value }) => ({ name, modifier: '', value }))
  return { ...request, parameters: [...request.parameters, ...more] }
}
