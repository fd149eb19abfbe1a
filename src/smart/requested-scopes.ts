import { parseScope } from './scopes.ts'

/**
 * The scopes of a mode as this EHR wants them spelled. Pure. For one that knows version 1 alone (Epic before August
 * 2024, apps registered for `smart-v1` at Oracle Health) the letters of version 2 become `.read` and `.write`; all else
 * goes out as configured. More may come back than was meant (`.r` becomes `.read`, which searches too); the mode's
 * rules hold all the same.
 */
export function requestedScopes(
  scopes: readonly string[],
  version: 'v1' | 'v2',
): readonly string[] {
  return version === 'v2' ? scopes : [...new Set(scopes.flatMap(asVersion1))]
}

function asVersion1(text: string): readonly string[] {
  const scope = parseScope(text)
  // A record filter has no words in version 1; the configuration refuses it.
  if (scope === undefined || scope.parameters.length > 0) return [text]
  const place = `${scope.level}/${scope.resource}`
  if (scope.actions === 'cruds') return [`${place}.*`]
  return [
    ...(/[rs]/.test(scope.actions) ? [`${place}.read`] : []),
    ...(/[cud]/.test(scope.actions) ? [`${place}.write`] : []),
  ]
}
