import { bareScope, covers, parseScope, parseScopes, type ScopeAction } from './scopes.ts'

const actions: readonly ScopeAction[] = ['c', 'r', 'u', 'd', 's']

/**
 * Whether a list of scopes gives all that one scope asks, in whatever spelling: v1 for v2, a wildcard for a type, a URI
 * (SMART @219, @220). What is no resource scope must stand in the list by its name.
 */
export function listGives(list: readonly string[], scope: string): boolean {
  if (list.includes(scope)) return true
  const asked = parseScope(scope)
  if (asked === undefined) return list.some((one) => bareScope(one) === bareScope(scope))
  const given = parseScopes(list.join(' ')).filter(({ level }) => level === asked.level)
  return actions
    .filter((action) => asked.actions.includes(action))
    .every(
      (action) => covers(given, { resource: asked.resource, action, patient: true }).kind === 'all',
    )
}
