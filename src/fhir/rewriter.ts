import { isId } from '../smart/interactions.ts'
import { isRecordPath } from './record-path.ts'
import type { Links } from './links.ts'
import { readBinary, writeAsked, writeBinary, writePage } from './handles.ts'
import { printPath, printQuery } from './request.ts'
import type { FhirRequest, Parameter } from './request.ts'
import type { UpstreamUrls } from './upstream-url.ts'
import type { Restorer } from './write/restore.ts'

/** Turns the EHR's URLs into ours, one at a time; which URLs are asked about is the rewrite step's business. */
export interface Rewriter {
  /** An absolute URL of a record under the EHR's base, as ours. Undefined: not such a URL, left as it is. */
  record(url: string): string | undefined
  /** What comes to stand in place of the EHR's base. */
  readonly base: string
  /** A Location header, which may be relative to the base. Undefined: it names no record of ours, and is dropped. */
  location(url: string): string | undefined
  /** A paging link, sealed. Undefined: it leads outside the EHR's base, and is dropped. */
  page(link: string): string | undefined
  /** The URL of an attachment that is a Binary under the base, as a sealed handle. Undefined: left as it is. */
  attachment(url: string, contentType: unknown): string | undefined
  /** What was asked, as our URL: `Bundle.link` with relation self. */
  self(): string
}

/** What the rewrite step makes of a judged answer. */
export interface Rewritten {
  readonly body: Buffer
  readonly count: number
  readonly dropped: number
  readonly patients: readonly string[]
  /** Paging links that led outside the EHR's base. */
  readonly linksDropped: number
  /** The next page's was one of them: what is here must not look like all there is. */
  readonly nextLost: boolean
}

export interface RewriterOptions {
  readonly publicUrl: string
  readonly launch: string
  readonly base: string
  readonly urls: UpstreamUrls
  readonly links: Pick<Links, 'seal'>
  readonly request: FhirRequest
}

/** Longer page tokens would not fit into a request line (src/fhir/steps/parse.ts). */
const maxTokenLength = 12_288

export function createRewriter(options: RewriterOptions): Rewriter {
  const { links, launch, request, urls, base } = options
  const ours = `${options.publicUrl}/fhir/${launch}`
  let asked: string | undefined
  const record = (url: string): string | undefined => {
    if (!url.startsWith(`${base}/`)) return undefined
    const rest = url.slice(base.length)
    return isRecordPath(rest) ? ours + rest : undefined
  }
  return {
    record,
    base: ours,
    location: (url) => {
      const target = urls.resolveLink(url)
      return target?.startsWith(`${urls.prefix}/`) === true
        ? record(base + target.slice(urls.prefix.length))
        : undefined
    },
    page: (link) => {
      const target = urls.resolveLink(link)
      if (target === undefined) return undefined
      asked ??= writeAsked(request)
      const token = links.seal('page', launch, writePage(target, asked))
      return token.length > maxTokenLength ? undefined : `${ours}/_page/${token}`
    },
    attachment: (url, contentType) => {
      const id = binaryIdOf(url, urls)
      if (id === undefined) return undefined
      const type = typeof contentType === 'string' ? contentType : ''
      const payload = writeBinary({ id, contentType: type, url })
      return `${ours}/_binary/${links.seal('binary', launch, payload)}`
    },
    self: () => {
      const got = request.post ? { ...request, post: false } : request
      return `${ours}/${printPath(got)}${queryOf(request.parameters)}`
    },
  }
}

/** The id of the Binary under the base that a URL leads to. */
export function binaryIdOf(url: string, urls: UpstreamUrls): string | undefined {
  const target = urls.resolveLink(url)
  const path = `${urls.prefix}/Binary/`
  const id = target?.startsWith(path) === true ? target.slice(path.length) : ''
  return isId(id) ? id : undefined
}

/** The way back, for what an app writes (write/restore.ts). */
export function createRestorer(
  options: Pick<RewriterOptions, 'publicUrl' | 'launch' | 'base'> & {
    readonly links: Pick<Links, 'open'>
  },
): Restorer {
  const { publicUrl, launch, base, links } = options
  const ours = `${publicUrl}/fhir/${launch}/`
  const attachments = new Set<string>()
  return {
    ours: `${publicUrl}/fhir/`,
    attachments,
    restore: (url) => {
      if (!url.startsWith(ours)) return undefined
      const rest = url.slice(ours.length)
      if (isRecordPath(`/${rest}`)) return `${base}/${rest}`
      if (!rest.startsWith('_binary/')) return undefined
      const payload = links.open('binary', launch, rest.slice('_binary/'.length))
      const attachment = payload === undefined ? undefined : readBinary(payload)?.url
      if (attachment !== undefined) attachments.add(attachment)
      return attachment
    },
  }
}

function queryOf(parameters: readonly Parameter[]): string {
  return parameters.length === 0 ? '' : `?${printQuery(parameters)}`
}
