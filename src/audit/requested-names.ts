import { modifiers, operations, searchParameters } from './known-names.ts'
import { unknown } from './members.ts'
import { safeValue } from './safe-values.ts'
import type { Vocabulary } from './vocabulary.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'

/**
 * What a request or an EHR brought, as it may stand in a record: operations, search parameters and scopes, each made of
 * names that FHIR or the configuration knows (DESIGN rule 9). All else is written as `?`.
 */
const maxScopes = 500

export function operationName(name: string, vocabulary: Vocabulary): string {
  if (vocabulary.operations.has(name)) return name
  const slash = name.indexOf('/')
  const type = slash === -1 ? undefined : name.slice(0, slash)
  const operation = name.slice(slash + 1)
  const known = operations.has(operation) && (type === undefined || resourceTypes.has(type))
  return known ? name : unknown
}

/** `+category=vital-signs`: a scope, or the patient in context, narrowed the search by it. */
export function searchParameter(name: string, value: string, vocabulary: Vocabulary): string {
  if (name.startsWith('+')) return `+${searchParameter(name.slice(1), value, vocabulary)}`
  const shown = parameterName(name, vocabulary)
  const safe = shown === unknown ? undefined : safeValue(shown, value)
  return safe === undefined ? shown : `${shown}=${safe}`
}

/** `subject:Patient.name:exact`: each part of a chain must be known by itself. */
function parameterName(name: string, vocabulary: Vocabulary): string {
  if (vocabulary.parameters.has(name) || searchParameters.has(name)) return name
  if (name.length > 200) return unknown
  const known = name.split(/[.:]/).every((part) => partIsKnown(part, vocabulary.parameters))
  return known ? name : unknown
}

function partIsKnown(part: string, own: ReadonlySet<string>): boolean {
  return (
    searchParameters.has(part) || modifiers.has(part) || resourceTypes.has(part) || own.has(part)
  )
}

/** A scope's query part (`?category=…`) stands only if that scope is configured: a granted one is foreign text. */
export function scopeWriter(configuredScopes: ReadonlySet<string>): (text: string) => string {
  const plain =
    /^(?:openid|profile|fhirUser|launch(?:\/[a-z]{1,20})?|offline_access|online_access)$/
  const clinical =
    /^(?<access>(?:patient|user|system)\/(?:[A-Z][A-Za-z]{1,63}|\*)\.(?:c?r?u?d?s?|read|write|\*))(?:\?.*)?$/
  const written = (scope: string): string => {
    if (configuredScopes.has(scope) && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)) return scope
    if (plain.test(scope)) return scope
    const access = clinical.exec(scope)?.groups?.['access']
    if (access === undefined || !resourceKnown(access)) return unknown
    return access === scope ? scope : `${access}?${unknown}`
  }
  return (text) => text.split(' ', maxScopes).filter(Boolean).map(written).join(' ')
}

function resourceKnown(access: string): boolean {
  const resource = access.slice(access.indexOf('/') + 1, access.lastIndexOf('.'))
  return resource === '*' || resourceTypes.has(resource)
}
