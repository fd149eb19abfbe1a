import { resourceTypes } from './tables/resource-types.ts'

/**
 * SMART scopes, versions 1 and 2 (SMART App Launch 2.2, scopes-and-launch-context; smart-conformance.md 1.10). A
 * scope that is not understood grants nothing. Scopes add up: what one grants, no other takes away.
 */

/** c = create, r = read, u = update, d = delete, s = search. */
export type ScopeAction = 'c' | 'r' | 'u' | 'd' | 's'

export interface ResourceScope {
  readonly level: 'patient' | 'user' | 'system'
  /** A resource type, or '*'. */
  readonly resource: string
  /** An in-order subset of `cruds`. */
  readonly actions: string
  /** What a granular scope asks of each record; empty: nothing. */
  readonly parameters: readonly ScopeParameter[]
}

export interface ScopeParameter {
  readonly name: string
  /** As a search would have it: alternatives stand with commas between them. */
  readonly value: string
}

export interface Need {
  readonly resource: string
  readonly action: ScopeAction
  /** True when the request is bound to the patient in context; `patient/` scopes cover nothing else (DESIGN rule 6). */
  readonly patient: boolean
}

/** `part`: each record must satisfy all parameters of one alternative. */
export type Coverage =
  | { readonly kind: 'all' }
  | { readonly kind: 'part'; readonly alternatives: readonly (readonly ScopeParameter[])[] }
  | { readonly kind: 'none' }

const maxScopeLength = 2000
const maxScopes = 500
/** SMART @219, @220; Cerner writes `FHIR`. */
const prefix =
  /^(https?:\/\/smarthealthit\.org\/fhir\/scopes\/|http:\/\/openid\.net\/specs\/openid-connect-core-1_0#)/i
/** Entra ID knows no slash in a scope: `patient.Condition.read` (Azure-Samples, smartonfhir). */
const dotted = /^(patient|user|system)\.(?=[A-Za-z*]+\.)/i
const v2 = /^(patient|user|system)\/(\*|[A-Z][A-Za-z]+)\.(?=[cruds])(c?r?u?d?s?)(?:\?([^\s?]+))?$/
/** Epic mixes cases within one answer: `user/AdverseEvent.Read` (smart-conformance.md, vendors). */
const v1 = /^(patient|user|system)\/(\*|[A-Za-z]+)\.(read|write|\*)$/i
const levels: Readonly<Record<string, ResourceScope['level']>> = {
  patient: 'patient',
  user: 'user',
  system: 'system',
}
const typesInAnyCase = new Map([...resourceTypes].map((type) => [type.toLowerCase(), type]))
const v1Actions: Readonly<Record<string, string>> = { read: 'rs', write: 'cud', '*': 'cruds' }

/** The resource scopes of a token answer's `scope`; launch, openid and the like concern other stations. */
export function parseScopes(granted: string): readonly ResourceScope[] {
  const scopes: ResourceScope[] = []
  for (const text of granted.split(' ', maxScopes)) {
    const scope = parseScope(text)
    if (scope !== undefined) scopes.push(scope)
  }
  return scopes
}

export function parseScope(text: string): ResourceScope | undefined {
  if (text.length > maxScopeLength) return undefined
  const bare = bareScope(text).replace(dotted, '$1/')
  return parseV2(bare) ?? parseV1(bare)
}

/** Without the prefix of its URI form: `openid` for `http://openid.net/specs/openid-connect-core-1_0#openid`. */
export const bareScope = (text: string): string => text.replace(prefix, '')

export function covers(scopes: readonly ResourceScope[], need: Need): Coverage {
  const alternatives: (readonly ScopeParameter[])[] = []
  for (const scope of scopes) {
    if (!applies(scope, need)) continue
    if (scope.parameters.length === 0) return { kind: 'all' }
    alternatives.push(scope.parameters)
  }
  return alternatives.length === 0 ? { kind: 'none' } : { kind: 'part', alternatives }
}

/**
 * The scopes of an earlier answer that a later one no longer covers, as they were written. The same right in another
 * spelling is not lost; a record filter is held to be kept only where it stands there again.
 */
export function lostScopes(before: string, after: string): readonly string[] {
  const words = wordsOf(after).map(bareScope)
  const scopes = parseScopes(after)
  return wordsOf(before).filter((word) => {
    const scope = parseScope(word)
    if (scope === undefined) return !words.includes(bareScope(word))
    return scope.actions
      .split('')
      .some((action) => !scopes.some((one) => contains(one, scope, action)))
  })
}

/** `outer` grants an action at least as widely as `inner` does. */
function contains(outer: ResourceScope, inner: ResourceScope, action: string): boolean {
  const asWide = outer.resource === '*' || outer.resource === inner.resource
  if (outer.level !== inner.level || !asWide || !outer.actions.includes(action)) return false
  return outer.parameters.every(({ name, value }) =>
    inner.parameters.some((one) => one.name === name && one.value === value),
  )
}

const wordsOf = (text: string): readonly string[] =>
  text.split(' ', maxScopes).filter((word) => word !== '')

function applies(scope: ResourceScope, need: Need): boolean {
  // `system/` is for clients without a user; a launch always has one.
  if (scope.level === 'system') return false
  if (scope.level === 'patient' && !need.patient) return false
  if (scope.resource !== '*' && scope.resource !== need.resource) return false
  return scope.actions.includes(need.action)
}

function parseV2(text: string): ResourceScope | undefined {
  const match = v2.exec(text)
  if (match === null) return undefined
  const [, levelText = '', resource = '', actions = '', query] = match
  const level = levels[levelText]
  if (level === undefined || !isType(resource)) return undefined
  const parameters = query === undefined ? [] : parseQuery(query)
  if (parameters === undefined) return undefined
  return { level, resource, actions, parameters }
}

function parseV1(text: string): ResourceScope | undefined {
  const match = v1.exec(text)
  if (match === null) return undefined
  const [, levelText = '', typeText = '', action = ''] = match
  const level = levels[levelText.toLowerCase()]
  const actions = v1Actions[action.toLowerCase()]
  const resource = typeText === '*' ? '*' : typesInAnyCase.get(typeText.toLowerCase())
  if (level === undefined || actions === undefined || resource === undefined) return undefined
  return { level, resource, actions, parameters: [] }
}

function isType(resource: string): boolean {
  return resource === '*' || resourceTypes.has(resource)
}

/** Modifiers, chains and `_filter` within a scope are experimental (SMART App Launch 2.2): such a scope grants nothing. */
function parseQuery(query: string): readonly ScopeParameter[] | undefined {
  const parameters: ScopeParameter[] = []
  for (const part of query.split('&')) {
    const match = /^(_?[A-Za-z][A-Za-z0-9-]*)=(.+)$/.exec(part)
    const name = match?.[1]
    const value = decoded(match?.[2])
    if (name === undefined || value === undefined || name === '_filter' || name === '_has') {
      return undefined
    }
    parameters.push({ name, value })
  }
  return parameters
}

function decoded(value: string | undefined): string | undefined {
  if (value === undefined || !value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}
