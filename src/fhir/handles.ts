import { quoted } from '../smart/json.ts'
import { isId } from '../smart/interactions.ts'
import { emptyRequest } from './request.ts'
import type { FhirRequest, Parameter } from './request.ts'

/** What stands in the handles that a browser may hold but not read (links.ts): page links and attachments. */

/** What a page token holds: the search as it was asked, to be decided anew, and where the EHR says its next page is. */
export interface PagePayload {
  readonly request: FhirRequest
  readonly target: string
}

/** JSON, short because it travels in a URL: undefined members are null. `asked` is what `writeAsked` made. */
export function writePage(target: string, asked: string): string {
  return `[${quoted(target)},${asked}]`
}

/** The same for all links of an answer. */
export function writeAsked(request: FhirRequest): string {
  const { interaction, resource, id, operation, compartment, parameters } = request
  let asked = ''
  for (const { name, modifier, value } of parameters) {
    if (asked !== '') asked += ','
    asked += `[${quoted(name)},${quoted(modifier)},${quoted(value)}]`
  }
  const what = `${quoted(interaction)},${orNull(resource)},${orNull(id)}`
  return `${what},${orNull(operation)},${orNull(compartment)},[${asked}]`
}

const orNull = (text: string | undefined): string => (text === undefined ? 'null' : quoted(text))

/** Only what was sealed by us comes here; it may still be of an older release. */
export function readPage(text: string): PagePayload | undefined {
  const value: unknown = JSON.parse(text)
  if (!Array.isArray(value)) return undefined
  const [target, interaction, resource, id, operation, compartment, asked] = value as unknown[]
  if (typeof target !== 'string' || !isPaged(interaction) || !Array.isArray(asked)) return undefined
  const parameters: Parameter[] = []
  for (const row of asked as unknown[]) {
    const [name, modifier, text_] = Array.isArray(row) ? (row as unknown[]) : []
    if (typeof name !== 'string' || typeof modifier !== 'string' || typeof text_ !== 'string') {
      return undefined
    }
    parameters.push({ name, modifier, value: text_ })
  }
  const request: FhirRequest = {
    ...emptyRequest,
    interaction,
    resource: optional(resource),
    id: optional(id),
    operation: optional(operation),
    compartment: optional(compartment),
    parameters,
  }
  return { request, target }
}

const pagedInteractions = ['search-type', 'history-instance', 'history-type', 'operation'] as const

function isPaged(value: unknown): value is (typeof pagedInteractions)[number] {
  return pagedInteractions.some((one) => one === value)
}

function optional(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** What a binary handle holds: the id, the type that the judged resource gave it, and the URL as it stood there. */
export interface BinaryPayload {
  readonly id: string
  readonly contentType: string
  readonly url: string
}

const maxTypeLength = 100

export function writeBinary({ id, contentType, url }: BinaryPayload): string {
  return JSON.stringify([id, contentType.slice(0, maxTypeLength), url])
}

export function readBinary(text: string): BinaryPayload | undefined {
  const value: unknown = JSON.parse(text)
  const [id, contentType, url] = Array.isArray(value) ? (value as unknown[]) : []
  if (typeof id !== 'string' || !isId(id) || typeof contentType !== 'string') return undefined
  return { id, contentType, url: typeof url === 'string' ? url : `Binary/${id}` }
}
