import type { Interaction } from '../smart/interactions.ts'

/** One FHIR interaction, read from the raw request by the grammar; everything after it works on this alone. */
export interface FhirRequest {
  readonly interaction: Interaction
  /** Undefined for batches, capabilities and operations on the whole system. */
  readonly resource: string | undefined
  readonly id: string | undefined
  /** vread. */
  readonly version: string | undefined
  /** With its `$`. */
  readonly operation: string | undefined
  /** The patient of a compartment search: `Patient/<id>/Observation`. */
  readonly compartment: string | undefined
  readonly parameters: readonly Parameter[]
  /** Its parameters go in the body: POST Type/_search, and operations by POST. */
  readonly post: boolean
}

/** Decoded. `code:in=x` has the modifier `in`; no modifier is ''. */
export interface Parameter {
  readonly name: string
  readonly modifier: string
  readonly value: string
  /** From a Parameters body: the value as it goes to the EHR. */
  readonly typed?: TypedValue | undefined
}

/** `valueReference` and what stands in it, as it was judged. */
export interface TypedValue {
  readonly member: string
  readonly json: unknown
}

export const emptyRequest: FhirRequest = {
  interaction: 'capabilities',
  resource: undefined,
  id: undefined,
  version: undefined,
  operation: undefined,
  compartment: undefined,
  parameters: [],
  post: false,
}

/** As rules and audit write it. */
export function parameterName({ name, modifier }: Parameter): string {
  return modifier === '' ? name : `${name}:${modifier}`
}

/** Parameters that stand in what is sent and did not in what was asked: what narrowed it, for the audit. */
export function addedTo({ parameters }: FhirRequest, sent: FhirRequest): readonly Parameter[] {
  return sent.parameters.filter(
    ({ name, value }) => !parameters.some((one) => one.name === name && one.value === value),
  )
}

/** The path below a FHIR base, as a request to the EHR or to us would have it; never the string that came in. */
export function printPath(request: FhirRequest): string {
  const { resource = '', id } = request
  const record = id === undefined ? resource : `${resource}/${id}`
  const asked = pathOf(request)
  if (record === '') return asked
  return asked === '' ? record : `${record}/${asked}`
}

/** What is asked of a type or a record. */
function pathOf({ interaction, version, operation = '', post }: FhirRequest): string {
  if (interaction === 'search-type') return post ? '_search' : ''
  if (interaction === 'operation') return operation
  if (interaction === 'vread' && version !== undefined) return `_history/${version}`
  return fixedPaths[interaction] ?? ''
}

const fixedPaths: Readonly<Partial<Record<Interaction, string>>> = {
  capabilities: 'metadata',
  'history-instance': '_history',
  'history-type': '_history',
  vread: '_history',
}

export function printQuery(parameters: readonly Parameter[]): string {
  let query = ''
  for (const parameter of parameters) {
    if (query !== '') query += '&'
    query += `${encode(parameterName(parameter))}=${encode(parameter.value)}`
  }
  return query
}

/** Nothing in it to encode, like most names, codes and ids. */
const plainText = /^[A-Za-z0-9_.:,/-]*$/

/**
 * Colon, comma and slash are legal in a query (RFC 3986 3.4) and stay readable; some servers do not decode names. The
 * apostrophe of O'Brien is not legal for URL parsers, which would spell it otherwise than we.
 */
function encode(text: string): string {
  if (plainText.test(text)) return text
  const encoded = encodeURIComponent(text).replaceAll("'", '%27')
  if (!encoded.includes('%')) return encoded
  return encoded.replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%2F', '/')
}
