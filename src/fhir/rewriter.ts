import { isId } from '../smart/interactions.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'
import { isIdAt, sameBytes } from './guard/members.ts'
import type { Links } from './links.ts'
import { emptyRequest, printPath, printQuery } from './request.ts'
import type { FhirRequest, Parameter } from './request.ts'
import type { UpstreamUrls } from './upstream-url.ts'

/** Turns the EHR's URLs into ours, one at a time; which URLs are asked about is the rewrite step's business. */
export interface Rewriter {
  /** An absolute URL of a record under the EHR's base, as ours. Undefined: not such a URL, left as it is. */
  record(url: string): string | undefined
  /** The same for a URL that stands in bytes: where the EHR's base ends in it. Undefined: left as it is. */
  recordAt(bytes: Buffer, start: number, end: number): number | undefined
  /** What comes to stand in place of the EHR's base. */
  readonly base: string
  /** A Location header, which may be relative to the base. Undefined: it names no record of ours, and is dropped. */
  location(url: string): string | undefined
  /** A paging link, sealed. Undefined: it leads outside the EHR's base, and is dropped. */
  page(link: string): string | undefined
  /** The URL of an attachment that is a Binary under the base, as a sealed handle. Undefined: left as it is. */
  attachment(url: string, contentType: unknown): string | undefined
  /** What was asked, as our URL: `Bundle.link` with relation self. */
  readonly self: string
}

/** What a page token holds: the search as it was asked, to be decided anew, and where the EHR says its next page is. */
export interface PagePayload {
  readonly request: FhirRequest
  readonly target: string
}

export interface RewriterOptions {
  readonly publicUrl: string
  readonly launch: string
  readonly base: string
  readonly urls: UpstreamUrls
  readonly links: Links
  readonly request: FhirRequest
}

/** Longer page tokens would not fit into a request line (src/fhir/steps/parse.ts). */
const maxTokenLength = 12_288

export function createRewriter(options: RewriterOptions): Rewriter {
  const { links, launch, request, urls, base } = options
  const ours = `${options.publicUrl}/fhir/${launch}`
  const prefix = Buffer.from(`${base}/`)
  const isInstancePath = createInstancePath()
  const binaryPath = `${urls.prefix}/Binary/`
  const record = (url: string): string | undefined => {
    if (!url.startsWith(`${base}/`)) return undefined
    const rest = url.slice(base.length)
    return isRecordPath(rest) ? ours + rest : undefined
  }
  return {
    record,
    base: ours,
    recordAt: (bytes, start, end) => {
      if (!sameBytes(prefix, bytes, start)) return undefined
      const rest = start + prefix.length - 1
      const known =
        isInstancePath(bytes, rest, end) || isRecordPath(bytes.toString('latin1', rest, end))
      return known ? rest : undefined
    },
    location: (url) => {
      const target = urls.resolveLink(url)
      return target?.startsWith(`${urls.prefix}/`) === true
        ? record(base + target.slice(urls.prefix.length))
        : undefined
    },
    page: (link) => {
      const target = urls.resolveLink(link)
      if (target === undefined) return undefined
      const token = links.seal('page', launch, writePage({ request, target }))
      return token.length > maxTokenLength ? undefined : `${ours}/_page/${token}`
    },
    attachment: (url, contentType) => {
      const target = urls.resolveLink(url)
      const id = target?.startsWith(binaryPath) === true ? target.slice(binaryPath.length) : ''
      if (!isId(id)) return undefined
      const payload = writeBinary({
        id,
        contentType: typeof contentType === 'string' ? contentType : '',
      })
      return `${ours}/_binary/${links.seal('binary', launch, payload)}`
    },
    self: `${ours}/${printPath({ ...request, post: false })}${queryOf(request.parameters)}`,
  }
}

function queryOf(parameters: readonly Parameter[]): string {
  return parameters.length === 0 ? '' : `?${printQuery(parameters)}`
}

/** `/Type/id` in bytes, for the type that the last one had; a search answers with one type mostly. */
function createInstancePath(): (bytes: Buffer, start: number, end: number) => boolean {
  let last: Uint8Array = new Uint8Array(0)
  return (bytes, start, end) => {
    const slash = bytes.indexOf(0x2f, start + 1)
    if (slash === -1 || slash >= end || !isIdAt(bytes, slash + 1, end)) return false
    if (last.length === slash + 1 - start && sameBytes(last, bytes, start)) return true
    if (!resourceTypes.has(bytes.toString('latin1', start + 1, slash))) return false
    last = Buffer.from(bytes.subarray(start, slash + 1))
    return true
  }
}

function isRecordPath(path: string): boolean {
  const [, type = '', id = '', history, version, ...rest] = path.split('/')
  if (!resourceTypes.has(type) || !isId(id) || rest.length > 0) return false
  if (history === undefined) return true
  return history === '_history' && version !== undefined && isId(version)
}

/** Short, because it travels in a URL: undefined members are left out. */
function writePage({ request, target }: PagePayload): string {
  const { interaction, resource, id, operation, compartment, parameters } = request
  const asked = parameters.map(({ name, modifier, value }) => [name, modifier, value])
  return JSON.stringify([target, interaction, resource, id, operation, compartment, asked])
}

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

/** What a binary handle holds: the id, and the type that the judged resource gave it. */
export interface BinaryPayload {
  readonly id: string
  readonly contentType: string
}

const maxTypeLength = 100

function writeBinary({ id, contentType }: BinaryPayload): string {
  return JSON.stringify([id, contentType.slice(0, maxTypeLength)])
}

export function readBinary(text: string): BinaryPayload | undefined {
  const value: unknown = JSON.parse(text)
  const [id, contentType] = Array.isArray(value) ? (value as unknown[]) : []
  if (typeof id !== 'string' || !isId(id) || typeof contentType !== 'string') return undefined
  return { id, contentType }
}
