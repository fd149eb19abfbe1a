import { isId } from './interactions.ts'
import { referenceParameters } from './tables/reference-parameters.ts'
import { resourceTypes } from './tables/resource-types.ts'

/** A literal reference, relative or under the EHR's own base (FHIR R4 references.html). */
export interface LiteralReference {
  readonly type: string
  readonly id: string
  readonly version: string | undefined
}

/**
 * Reads `Type/id`, `Type/id/_history/v`, and the same under `base` (without a slash at its end) where one is given. Everything else,
 * `#contained`, `urn:uuid:…`, conditional and foreign absolute references, is undefined: it proves nothing.
 */
export function parseReference(
  text: string,
  base: string | undefined,
): LiteralReference | undefined {
  const underBase = base !== undefined && text.startsWith(`${base}/`)
  const relative = underBase ? text.slice(base.length + 1) : text
  const parts = relative.split('/', 5)
  const [type = '', id = '', history, version] = parts
  if (!resourceTypes.has(type) || !isId(id)) return undefined
  if (parts.length === 2) return { type, id, version: undefined }
  if (parts.length !== 4 || history !== '_history') return undefined
  if (version === undefined || !isId(version)) return undefined
  return { type, id, version }
}

/** The types a reference search parameter may point at, '*' for any; undefined where it is no reference parameter. */
export function referenceTargets(type: string, parameter: string): readonly string[] | undefined {
  // A type may be any word that an app wrote.
  if (!Object.hasOwn(referenceParameters, type)) return undefined
  const row = referenceParameters[type]?.split(' ').find((text) => text.startsWith(`${parameter}=`))
  return row?.slice(parameter.length + 1).split('|')
}
