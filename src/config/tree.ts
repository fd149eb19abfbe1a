import type { Path } from './fault.ts'

/** The configuration file as plain values, before the schema has judged them. */

export type PlainMap = Readonly<Record<string, unknown>>

export const isPlainMap = (value: unknown): value is PlainMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const asMap = (value: unknown): PlainMap => (isPlainMap(value) ? value : {})

export const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

export function valueAt(tree: unknown, path: Path): unknown {
  let value = tree
  for (const part of path) {
    value = typeof part === 'number' ? asList(value)[part] : ownValue(asMap(value), part)
  }
  return value
}

const ownValue = (map: PlainMap, key: string): unknown =>
  Object.hasOwn(map, key) ? map[key] : undefined
