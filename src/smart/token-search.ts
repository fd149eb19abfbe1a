import { isJsonObject } from './json.ts'
import type { JsonObject } from './json.ts'
import type { ScopeParameter } from './scopes.ts'
import { tokenParameters } from './tables/token-parameters.ts'

/**
 * Does a resource match a token search parameter (FHIR R4 search, token)? Needed to hold a granular scope against a
 * record that was read. What cannot be judged here does not match: deny is the default.
 */

const common: Readonly<Record<string, string>> = {
  _id: 'id',
  _tag: 'meta.tag',
  _security: 'meta.security',
}

/** True when the resource satisfies all parameters of at least one alternative. */
export function matchesScope(
  resource: JsonObject,
  type: string,
  alternatives: readonly (readonly ScopeParameter[])[],
): boolean {
  return alternatives.some((parameters) =>
    parameters.every((parameter) => matchesToken(resource, type, parameter)),
  )
}

export function matchesToken(resource: JsonObject, type: string, asked: ScopeParameter): boolean {
  const paths = tokenPaths(type, asked.name)
  if (paths === undefined) return false
  const values = paths.flatMap((path) => elementsAt(resource, path.split('.')))
  return splitAlternatives(asked.value).some((token) =>
    values.some((value) => hasToken(value, token)),
  )
}

/** The elements a token parameter looks at, such as `category` or `component.code`. */
export function tokenPaths(type: string, name: string): readonly string[] | undefined {
  const own = Object.hasOwn(common, name) ? common[name] : undefined
  if (own !== undefined) return [own]
  const row = tokenParameters[type]?.split(' ').find((text) => text.startsWith(`${name}=`))
  return row?.slice(name.length + 1).split('|')
}

/** Splits at commas that are not escaped (FHIR R4 search, escaping). */
export function splitAlternatives(value: string): readonly string[] {
  const parts = value.match(/(?:\\.|[^,\\])+/g) ?? []
  return parts.map((part) => part.replaceAll(/\\(.)/g, '$1'))
}

/** Every value at a path, arrays flattened. */
export function elementsAt(value: unknown, path: readonly string[]): readonly unknown[] {
  if (Array.isArray(value)) return value.flatMap((item) => elementsAt(item, path))
  const [head, ...rest] = path
  if (head === undefined) return value === undefined ? [] : [value]
  if (!isJsonObject(value) || !Object.hasOwn(value, head)) return []
  return elementsAt(value[head], rest)
}

function hasToken(value: unknown, token: string): boolean {
  if (typeof value === 'string' || typeof value === 'boolean') return token === String(value)
  if (!isJsonObject(value)) return false
  const codings = value['coding']
  if (Array.isArray(codings)) return codings.some((coding) => hasToken(coding, token))
  return pairMatches(value['system'], value['code'] ?? value['value'], token)
}

/** `code`, `system|code`, `|code` (no system), `system|` (any code). */
function pairMatches(system: unknown, code: unknown, token: string): boolean {
  const bar = token.indexOf('|')
  if (bar === -1) return code === token
  const askedSystem = token.slice(0, bar)
  const askedCode = token.slice(bar + 1)
  if (askedSystem === '' ? system !== undefined : system !== askedSystem) return false
  return askedCode === '' ? askedSystem !== '' : code === askedCode
}
