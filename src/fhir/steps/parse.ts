import { isId } from '../../smart/interactions.ts'
import type { Interaction } from '../../smart/interactions.ts'
import { resourceTypes } from '../../smart/tables/resource-types.ts'
import { isRefusal, refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import { parseQuery } from '../query.ts'
import { emptyRequest } from '../request.ts'
import type { FhirRequest, Parameter } from '../request.ts'

/**
 * parse: raw method and raw target to one FHIR interaction, by a strict grammar on the raw bytes (DESIGN, The way of a
 * FHIR request; fhir-access-and-audit.md 1.12). There is no decoding of paths and no normalising: every legal path has
 * one spelling, but for `$`, which careful clients send as `%24`. What does not fit is refused.
 */

/** What the target says before anything is known of the launch. */
export interface Target {
  readonly launch: string
  /** Below the FHIR base, without a slash in front. */
  readonly path: string
  readonly query: string
}

export type Parsed =
  | { readonly kind: 'request'; readonly request: FhirRequest; readonly body: BodyKind }
  /** A handle of ours: what it means was sealed when it was given out. */
  | { readonly kind: 'page'; readonly token: string }
  | { readonly kind: 'binary'; readonly token: string }

/** What a request's body must be. */
export type BodyKind = 'none' | 'search' | 'resource' | 'patch' | 'bundle' | 'parameters'

const maxTargetLength = 16_384
/** Launch ids are random base64url. */
const targetPattern = /^\/fhir\/([A-Za-z0-9_-]{1,128})(?:\/([^?]*))?(?:\?(.*))?$/
const segmentPattern = /^(?:[A-Za-z0-9._-]+|(?:\$|%24)[A-Za-z][A-Za-z0-9-]*)$/
const tokenPattern = /^[A-Za-z0-9_-]{16,12288}$/

/** Splits the raw request target. Absolute form, fragments and strange bytes do not match. */
export function splitTarget(url: string): Target | Refusal {
  if (url.length > maxTargetLength || url.includes('#')) return invalid()
  const match = targetPattern.exec(url)
  if (match === null) return invalid()
  const [, launch = '', path = '', query = ''] = match
  return { launch, path, query }
}

export function parseRequest(method: string, target: Target): Parsed | Refusal {
  const segments = target.path === '' ? [] : target.path.split('/', 6)
  if (segments.length > 5) return invalid()
  for (const segment of segments) if (!isSegment(segment)) return invalid()
  const handle = parseHandle(method, segments, target.query)
  if (handle !== undefined) return handle

  const parameters = parseQuery(target.query)
  if (isRefusal(parameters)) return parameters
  const found = shapeOf(method, target.path.includes('%') ? segments.map(plainSegment) : segments)
  if (found === undefined) return invalid()
  if (isRefusal(found)) return found
  return withParameters(found, parameters)
}

const plainSegment = (segment: string): string => segment.replace(/^%24/, '$')

/** Adds the parameters of a search form to those of the URL (FHIR R4 http.html, search: they count alike). */
export function addForm(parsed: FhirRequest, form: string): FhirRequest | Refusal {
  const more = parseQuery(form)
  if (isRefusal(more)) return more
  const all = withParameters(parsed, [...parsed.parameters, ...more])
  return isRefusal(all) ? all : all.request
}

function isSegment(segment: string): boolean {
  return segmentPattern.test(segment) && segment !== '.' && segment !== '..'
}

function parseHandle(
  method: string,
  segments: readonly string[],
  query: string,
): Parsed | Refusal | undefined {
  const [name, token] = segments
  if (name !== '_page' && name !== '_binary') return undefined
  if (segments.length !== 2 || token === undefined || !tokenPattern.test(token)) return invalid()
  // A client may add its usual `_format=json` to the link it follows.
  const parameters = parseQuery(query)
  if (isRefusal(parameters)) return parameters
  if (!isGet(method) || !parameters.every((parameter) => isFormat(parameter))) return invalid()
  return { kind: name === '_page' ? 'page' : 'binary', token }
}

type Shape = Omit<FhirRequest, 'parameters'>

/** Rows of fhir-access-and-audit.md 1.12, by method and segments. Undefined: no FHIR at all. */
function shapeOf(method: string, segments: readonly string[]): Shape | Refusal | undefined {
  const [first = '', second = ''] = segments
  if (segments.length === 0) return systemShape(method)
  if (first === 'metadata' && segments.length === 1) {
    return isGet(method) ? shape('capabilities', {}) : undefined
  }
  if (isOperation(first) && segments.length === 1) {
    return operationShape(method, { operation: first })
  }
  if (!resourceTypes.has(first)) return first === '_history' ? notOffered() : undefined
  if (segments.length === 1) return typeShape(method, first)
  if (isId(second)) return instanceShape(method, first, second, segments.slice(2))
  if (segments.length > 2) return undefined
  return typeExtraShape(method, first, second)
}

/** Rows 6, 9 and 22: searches and histories across all types are not offered; the kind of a bundle stands in its body. */
function systemShape(method: string): Shape | Refusal | undefined {
  return method === 'POST' ? shape('batch', {}) : notOffered()
}

/** Rows 7, 13, 14, and the conditional forms of 16, 19 and 21, which are refused. */
function typeShape(method: string, resource: string): Shape | Refusal | undefined {
  if (isGet(method)) return shape('search-type', { resource })
  return method === 'POST' ? shape('create', { resource }) : notOffered()
}

/** Rows 5, 8 and 24. */
function typeExtraShape(
  method: string,
  resource: string,
  extra: string,
): Shape | Refusal | undefined {
  if (extra === '_search') {
    return method === 'POST' ? shape('search-type', { resource, post: true }) : undefined
  }
  if (extra === '_history') return isGet(method) ? shape('history-type', { resource }) : undefined
  return isOperation(extra) ? operationShape(method, { resource, operation: extra }) : undefined
}

/** Rows 2, 3, 4, 10, 15, 17, 20 and 23. */
function instanceShape(
  method: string,
  resource: string,
  id: string,
  rest: readonly string[],
): Shape | Refusal | undefined {
  const [extra = '', last = ''] = rest
  if (rest.length === 0) {
    const interaction = instanceInteractions[method]
    return interaction === undefined ? notOffered() : shape(interaction, { resource, id })
  }
  if (extra === '_history' && isGet(method)) {
    if (rest.length === 1) return shape('history-instance', { resource, id })
    const version = rest.length === 2 && isId(last)
    return version ? shape('vread', { resource, id, version: last }) : undefined
  }
  if (isOperation(extra) && rest.length === 1) {
    return operationShape(method, { resource, id, operation: extra })
  }
  return compartmentShape(method, resource, id, rest)
}

const instanceInteractions: Readonly<Record<string, Interaction>> = {
  GET: 'read',
  HEAD: 'read',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}

/** Only the patient's own compartment; Encounter/…/Observation and the like are refused (row 12), `*` too (row 11). */
function compartmentShape(
  method: string,
  owner: string,
  compartment: string,
  rest: readonly string[],
): Shape | Refusal | undefined {
  const [resource = '', search] = rest
  if (!resourceTypes.has(resource)) return undefined
  if (owner !== 'Patient') return notOffered()
  if (rest.length === 1 && isGet(method)) return shape('search-type', { resource, compartment })
  const form = rest.length === 2 && search === '_search' && method === 'POST'
  return form ? shape('search-type', { resource, compartment, post: true }) : undefined
}

/** What GET may call changes nothing (FHIR R4 operations.html, affectsState); of a POST nobody knows. */
function operationShape(method: string, parts: Partial<Shape>): Shape | Refusal {
  if (method === 'POST') return shape('operation', { ...parts, post: true })
  return isGet(method) ? shape('operation', parts) : notOffered()
}

function isOperation(segment: string): boolean {
  return segment.startsWith('$')
}

function shape(interaction: Interaction, parts: Partial<Shape>): Shape {
  return { ...emptyRequest, interaction, ...parts }
}

function withParameters(
  found: Shape,
  parameters: readonly Parameter[],
): (Parsed & { kind: 'request' }) | Refusal {
  const kept: Parameter[] = []
  for (const parameter of parameters) {
    const { name } = parameter
    if (name === '_format' && !isFormat(parameter)) return invalid()
    if (name !== '_format' && name !== '_pretty') kept.push(parameter)
  }
  const request: FhirRequest = { ...found, parameters: kept }
  return { kind: 'request', request, body: bodyKind(found) }
}

function bodyKind({ interaction, post }: Shape): BodyKind {
  if (post) return interaction === 'operation' ? 'parameters' : 'search'
  if (interaction === 'create' || interaction === 'update') return 'resource'
  if (interaction === 'patch') return 'patch'
  return interaction === 'batch' ? 'bundle' : 'none'
}

/** The answer is always JSON: nothing else could be checked (1.12, row 30). */
function isFormat({ name, value }: Parameter): boolean {
  if (name === '_pretty') return true
  return name === '_format' && jsonFormats.includes(value)
}

const jsonFormats = ['json', 'application/json', 'application/fhir+json', 'application/fhir json']

function isGet(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

function invalid(): Refusal {
  return refuse('FHIR_PATH_INVALID', 'malformed')
}

/** Known to FHIR, and refused whatever the rules say. */
function notOffered(): Refusal {
  return refuse('FHIR_NOT_ALLOWED')
}
