import { z } from 'zod'
import { configSchema } from '../../src/config/schema/config.ts'
import { mayHoldSecret } from '../../src/config/schema-walk.ts'

/** The schema as rows, one for each value that can be written into the file. */

export interface ReferenceRow {
  /** `tenants[].upstream.timeoutMs`; `[]` is every entry of a list, `*` every name of a map. */
  readonly path: string
  /** In words: `whole number, 100 to 120000`. */
  readonly value: string
  /** As it would be written; undefined where there is none. */
  readonly fallback: string | undefined
  readonly need: Need
}

/** `always`, `never`, or only where the optional map around it is written: that map's name. */
export type Need = 'always' | 'never' | { readonly within: string }

interface Place {
  readonly path: string
  readonly need: Need
  readonly fallback: unknown
}

type Shape = z.core.JSONSchema.BaseSchema

export function referenceRows(): readonly ReferenceRow[] {
  const whole = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' })
  return merge(rowsOf(whole, { path: '', need: 'always', fallback: undefined }))
}

function rowsOf(shape: Shape | boolean, place: Place): ReferenceRow[] {
  if (typeof shape === 'boolean') return []
  const choices = shape.anyOf ?? shape.oneOf
  if (choices !== undefined) return rowsOfChoices(choices, place)
  if (shape.properties !== undefined) return rowsOfMap(shape, place)
  if (typeof shape.additionalProperties === 'object') {
    return rowsOf(shape.additionalProperties, { ...place, path: `${place.path}.*` })
  }
  const { items } = shape
  if (items !== undefined) {
    return [items].flat().flatMap((item) => rowsOf(item, { ...place, path: `${place.path}[]` }))
  }
  const { path, need, fallback } = place
  return [{ path, value: inWords(shape, path), fallback: asWritten(fallback), need }]
}

function rowsOfMap(shape: Shape, { path, need, fallback }: Place): ReferenceRow[] {
  const around = need === 'never' ? { within: lastNameOf(path) } : need
  return Object.entries(shape.properties ?? {}).flatMap(([name, child]) =>
    rowsOf(child, {
      path: path === '' ? name : `${path}.${name}`,
      need: shape.required?.includes(name) ? around : 'never',
      fallback: memberOf(child, 'default') ?? memberOf(fallback, name),
    }),
  )
}

/** What not every choice has is needed in none of the others. */
function rowsOfChoices(choices: readonly Shape[], place: Place): ReferenceRow[] {
  const each = choices.map((choice) => rowsOf(choice, place))
  const isEverywhere = ({ path }: ReferenceRow): boolean =>
    each.every((rows) => rows.some((row) => row.path === path))
  return each.flat().map((row) => (isEverywhere(row) ? row : { ...row, need: 'never' }))
}

const lastNameOf = (path: string): string => path.replaceAll('[]', '').split('.').at(-1) ?? path

/** A default that stands at a whole map is that of its members. */
const memberOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined

/** A union gives one path several times: its values are alternatives. */
function merge(rows: readonly ReferenceRow[]): ReferenceRow[] {
  const byPath = Map.groupBy(rows, ({ path }) => path)
  return [...byPath.values()].flatMap((same) => {
    const [first] = same
    if (first === undefined) return []
    const value = [...new Set(same.map((row) => row.value))].join(', ')
    return [{ ...first, value }]
  })
}

function inWords(shape: Shape, path: string): string {
  if (mayHoldSecret(partsOf(path))) return 'secret'
  if (shape.const !== undefined) return `\`${String(shape.const)}\``
  if (shape.enum !== undefined) return shape.enum.map((one) => `\`${String(one)}\``).join(', ')
  if (shape.type === 'integer') return `${shape.minimum} to ${shape.maximum}`
  return shape.type === 'boolean' ? '`true`, `false`' : 'text'
}

const partsOf = (path: string): (string | number)[] =>
  path
    .replaceAll('[]', '.0')
    .split('.')
    .map((part) => (part === '0' ? 0 : part))

function asWritten(value: unknown): string | undefined {
  if (value === undefined) return undefined
  return JSON.stringify(value)?.replaceAll('"', '')
}
