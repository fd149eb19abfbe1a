import { z } from 'zod'
import type { Path } from './fault.ts'
import { secretPlaces } from './schema/common.ts'
import { configSchema } from './schema/config.ts'

/** Questions about a place of the schema. A union means that several schemas may stand at one place. */

type Schema = z.core.$ZodType

/** True unless the place is known and holds no secret at, below or above it: what is not understood is not shown. */
export function mayHoldSecret(path: Path): boolean {
  const here = schemasAt(path)
  return here.length === 0 || here.some((schema) => holdsSecret(schema))
}

/** True where a file must not be readable by everybody who has an account on the machine. */
export const mustBeKept = (path: Path): boolean =>
  schemasAt(path).some((schema) => {
    const place = secretPlaces.get(schema)
    return place !== undefined && place.mayBeReadByAll !== true
  })

/** The keys a map at this place may have. */
export function knownKeys(path: Path): string[] {
  const keys = schemasAt(path).flatMap((schema) =>
    schema instanceof z.ZodObject ? Object.keys(schema.shape) : [],
  )
  return [...new Set(keys)].toSorted()
}

function schemasAt(path: Path): Schema[] {
  let here: Schema[] = [configSchema]
  for (const part of path) here = here.flatMap((schema) => childrenAt(schema, part)).flatMap(unwrap)
  return here
}

/** Looks through optional, default and union to the schemas that can stand there; a secret stays as it is. */
function unwrap(schema: Schema): Schema[] {
  if (secretPlaces.has(schema)) return [schema]
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    return unwrap(schema.unwrap())
  }
  return schema instanceof z.ZodUnion ? schema.options.flatMap(unwrap) : [schema]
}

function childrenAt(schema: Schema, part: string | number): Schema[] {
  if (schema instanceof z.ZodArray) return typeof part === 'number' ? [schema.element] : []
  if (schema instanceof z.ZodRecord) return [schema.valueType]
  if (!(schema instanceof z.ZodObject) || !Object.hasOwn(schema.shape, part)) return []
  const child = schema.shape[part]
  return child === undefined ? [] : [child]
}

function holdsSecret(schema: Schema): boolean {
  if (secretPlaces.has(schema)) return true
  return childrenOf(schema).flatMap(unwrap).some(holdsSecret)
}

function childrenOf(schema: Schema): Schema[] {
  if (schema instanceof z.ZodArray) return [schema.element]
  if (schema instanceof z.ZodRecord) return [schema.valueType]
  return schema instanceof z.ZodObject ? Object.values(schema.shape) : []
}
