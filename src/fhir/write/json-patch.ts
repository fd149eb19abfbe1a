import { isJsonObject } from '../../smart/json.ts'

/**
 * JSON Patch (RFC 6902) on a copy, to see what a patch would make of the stored resource before the EHR sees it. The
 * libraries at hand change their input, or keep half of a patch that fails (fhir-access-and-audit.md 5).
 */
export type PatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly path: string; readonly from: string }

const maxOperations = 200
const maxPathLength = 500
const forbidden = new Set(['__proto__', 'constructor', 'prototype'])

/** Undefined for whatever is not a list of operations; the empty path, a new document, is none of ours. */
export function parsePatch(value: unknown): readonly PatchOperation[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > maxOperations) return undefined
  const operations: PatchOperation[] = []
  for (const item of value as unknown[]) {
    const operation = parseOperation(item)
    if (operation === undefined) return undefined
    operations.push(operation)
  }
  return operations
}

function parseOperation(item: unknown): PatchOperation | undefined {
  if (!isJsonObject(item)) return undefined
  const { op, path, from } = item
  if (!isPath(path)) return undefined
  if (op === 'remove') return { op, path }
  if (op === 'move' || op === 'copy') return isPath(from) ? { op, path, from } : undefined
  if (op !== 'add' && op !== 'replace' && op !== 'test') return undefined
  return Object.hasOwn(item, 'value') ? { op, path, value: item['value'] } : undefined
}

function isPath(path: unknown): path is string {
  if (typeof path !== 'string' || path.length > maxPathLength) return false
  return /^(?:\/(?:[^~/]|~[01])*)+$/.test(path) && !tokens(path).some((one) => forbidden.has(one))
}

/** RFC 6901: `~1` is a slash, `~0` a tilde. */
function tokens(path: string): string[] {
  return path
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The patched copy; undefined when an operation cannot be done, or a test fails. */
export function applyPatch(document: unknown, operations: readonly PatchOperation[]): unknown {
  const copy = copyOf(document)
  return operations.every((operation) => applyOne(copy, operation)) ? copy : undefined
}

/** A number that keeps the form it came in (exact-json.ts) is a frozen object, which structuredClone would spoil. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf)
  if (!isJsonObject(value) || Object.isFrozen(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, copyOf(inner)]))
}

function applyOne(document: unknown, operation: PatchOperation): boolean {
  const { path } = operation
  switch (operation.op) {
    case 'add':
      return add(document, path, copyOf(operation.value))
    case 'remove':
      return remove(document, path) !== absent
    case 'replace':
      return replace(document, path, copyOf(operation.value))
    case 'test':
      return isEqual(valueAt(document, tokens(path)), operation.value)
    case 'copy': {
      const value = valueAt(document, tokens(operation.from))
      return value !== absent && add(document, path, copyOf(value))
    }
    case 'move': {
      // RFC 6902 4.4: a place cannot be moved into itself.
      if (path === operation.from) return true
      if (path.startsWith(`${operation.from}/`)) return false
      const value = remove(document, operation.from)
      return value !== absent && add(document, path, value)
    }
  }
}

const absent = Symbol('absent')
type Member = Record<string, unknown> | unknown[]

function valueAt(document: unknown, path: readonly string[]): unknown {
  let value = document
  for (const token of path) {
    if (Array.isArray(value)) {
      const index = indexOf(token, value.length - 1)
      if (index === undefined) return absent
      value = value[index]
    } else if (isJsonObject(value) && Object.hasOwn(value, token)) value = value[token]
    else return absent
  }
  return value
}

/** The object or list that holds the last token. */
function holderOf(document: unknown, path: string): { holder: Member; last: string } | undefined {
  const names = tokens(path)
  const last = names.pop() ?? ''
  const holder = valueAt(document, names)
  return isMember(holder) ? { holder, last } : undefined
}

function isMember(value: unknown): value is Member {
  return typeof value === 'object' && value !== null
}

function add(document: unknown, path: string, value: unknown): boolean {
  const place = holderOf(document, path)
  if (place === undefined) return false
  const { holder, last } = place
  if (!Array.isArray(holder)) {
    holder[last] = value
    return true
  }
  const index = last === '-' ? holder.length : indexOf(last, holder.length)
  if (index === undefined) return false
  holder.splice(index, 0, value)
  return true
}

function replace(document: unknown, path: string, value: unknown): boolean {
  const place = holderOf(document, path)
  if (place === undefined) return false
  const { holder, last } = place
  if (Array.isArray(holder)) {
    const index = indexOf(last, holder.length - 1)
    if (index === undefined) return false
    holder[index] = value
    return true
  }
  if (!Object.hasOwn(holder, last)) return false
  holder[last] = value
  return true
}

function remove(document: unknown, path: string): unknown {
  const place = holderOf(document, path)
  if (place === undefined) return absent
  const { holder, last } = place
  if (Array.isArray(holder)) {
    const index = indexOf(last, holder.length - 1)
    return index === undefined ? absent : holder.splice(index, 1)[0]
  }
  if (!Object.hasOwn(holder, last)) return absent
  const value = holder[last]
  Reflect.deleteProperty(holder, last)
  return value
}

function indexOf(token: string, max: number): number | undefined {
  if (!/^(?:0|[1-9]\d{0,8})$/.test(token)) return undefined
  const index = Number(token)
  return index <= max ? index : undefined
}

/** RFC 6902 4.6: the order of members does not matter. */
export function isEqual(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => isEqual(item, right[index]))
  }
  if (!isJsonObject(left) || !isJsonObject(right)) return false
  const names = Object.keys(left)
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && isEqual(left[name], right[name]))
  )
}
