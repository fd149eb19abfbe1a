import { isJsonObject } from '../smart/json.ts'
import type { JsonObject } from '../smart/json.ts'
import { refuse } from './decision.ts'
import type { Refusal } from './decision.ts'
import { parseExact } from './exact-json.ts'
import { typeOf } from './judge.ts'

/**
 * A Bundle that the app posts, taken apart into the requests of its entries (FHIR R4 http.html, batch/transaction). Each
 * is then decided like a request of its own; what stands beside them in the Bundle goes nowhere. No I/O: a large one is
 * taken apart in the worker.
 */
export interface SplitBundle {
  readonly kind: 'split'
  readonly type: 'batch' | 'transaction'
  readonly entries: readonly SplitEntry[]
}

export interface SplitEntry {
  readonly method: EntryMethod
  readonly url: string
  readonly ifMatch: string | undefined
  readonly ifNoneExist: string | undefined
  /** `urn:uuid:…`, by which other entries of a transaction may refer to it. */
  readonly urn: string | undefined
  /** The record or the patch, as bytes. */
  readonly body: Uint8Array | undefined
}

export type EntryMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

const maxEntries = 100
const maxUrlLength = 8192
/** The members of entry.request that are understood, by method; what else stands there would be lost unsaid. */
const members: Readonly<Record<EntryMethod, readonly string[]>> = {
  GET: ['method', 'url', 'ifNoneMatch', 'ifModifiedSince'],
  POST: ['method', 'url', 'ifNoneExist'],
  PUT: ['method', 'url', 'ifMatch'],
  PATCH: ['method', 'url', 'ifMatch'],
  DELETE: ['method', 'url', 'ifMatch'],
}
const withBody: ReadonlySet<EntryMethod> = new Set(['POST', 'PUT', 'PATCH'])

export function splitBundle(bytes: Uint8Array): SplitBundle | Refusal {
  const value = parseExact(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  if (!isJsonObject(value) || typeOf(value) !== 'Bundle') return malformed()
  const { type, entry: list } = value
  if (type !== 'batch' && type !== 'transaction') return malformed()
  if (!Array.isArray(list) || list.length === 0 || list.length > maxEntries) return malformed()
  const entries: SplitEntry[] = []
  for (const item of list as unknown[]) {
    const entry = splitEntry(item)
    if ('kind' in entry) return entry
    entries.push(entry)
  }
  return { kind: 'split', type, entries }
}

function splitEntry(item: unknown): SplitEntry | Refusal {
  const request: unknown = isJsonObject(item) ? item['request'] : undefined
  if (!isJsonObject(item) || !isJsonObject(request)) return malformed()
  const { method, url, ifMatch, ifNoneExist } = request
  if (typeof url !== 'string' || url.length > maxUrlLength) return malformed()
  if (!isMethod(method)) return refuse('FHIR_NOT_ALLOWED')
  if (!Object.keys(request).every((name) => members[method].includes(name))) return malformed()
  if (!isTextOrNone(ifMatch) || !isTextOrNone(ifNoneExist)) return malformed()
  const { resource, fullUrl } = item
  if (withBody.has(method) !== (resource !== undefined)) return malformed()
  const body = method === 'PATCH' ? patchOf(resource) : bytesOf(resource)
  if (body === undefined && resource !== undefined) return malformed()
  const urn = typeof fullUrl === 'string' && urnPattern.test(fullUrl) ? fullUrl : undefined
  return { method, url, ifMatch, ifNoneExist, urn, body }
}

/** RFC 9562, in the lower case that FHIR wants (R4 datatypes, uuid). */
const urnPattern = /^urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function isMethod(value: unknown): value is EntryMethod {
  return typeof value === 'string' && Object.hasOwn(members, value)
}

function isTextOrNone(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string'
}

function bytesOf(resource: unknown): Uint8Array | undefined {
  return isJsonObject(resource) ? Buffer.from(JSON.stringify(resource)) : undefined
}

/** A JSON Patch comes as a Binary, which is its envelope only (FHIR R4 http.html, patch). */
function patchOf(resource: unknown): Uint8Array | undefined {
  if (!isJsonObject(resource) || typeOf(resource) !== 'Binary') return undefined
  const { contentType, data }: JsonObject = resource
  if (contentType !== patchType || typeof data !== 'string' || data === '') return undefined
  const bytes = Buffer.from(data, 'base64')
  return bytes.toString('base64') === data ? bytes : undefined
}

const patchType = 'application/json-patch+json'

/** The envelope for a patch that was judged. */
export function wrapPatch(patch: Uint8Array): Buffer {
  const data = Buffer.from(patch).toString('base64')
  return Buffer.from(JSON.stringify({ resourceType: 'Binary', contentType: patchType, data }))
}

function malformed(): Refusal {
  return refuse('FHIR_BODY_INVALID', 'malformed')
}
