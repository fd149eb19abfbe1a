import { printPath, printQuery } from './request.ts'
import type { FhirRequest } from './request.ts'

/**
 * Request targets for the EHR, built from parsed parts, and the test whether a URL lies under the FHIR base: origin and
 * path prefix, compared on parsed URLs, never as strings (DESIGN rule 7; `https://ehr.example.com.evil`, `/fhir/R4evil`).
 */
export interface UpstreamUrls {
  readonly origin: string
  /** The base's path without a slash at its end; '' for the root. */
  readonly prefix: string
  /** Path and query of a request. A search by POST has its parameters in the body. */
  target(request: FhirRequest): string
  /** True for a path and query that stay what they are when parsed, under the base. */
  contains(target: string): boolean
  /**
   * Path and query of a link in an answer, resolved against the base; undefined outside it. Relative links and links
   * without a scheme are resolved first, as the servers that write them mean them (fhir-access-and-audit.md 2.2, 2.4).
   */
  resolveLink(link: string): string | undefined
}

const maxLinkLength = 8192

/**
 * Path and query that a URL parser leaves as they are: letters no parser changes, no segment that is empty or begins
 * with a dot, no escape in the path. Nearly every URL is like that, and needs no parser then.
 */
const plainTarget =
  /^(?:\/[A-Za-z0-9_~$-][A-Za-z0-9._~$-]*)+\/?(?:\?[A-Za-z0-9._~!$&()*+,;=:@/?%|-]+)?$/

export function createUpstreamUrls(iss: string): UpstreamUrls {
  const base = new URL(iss)
  const { origin, host } = base
  const prefix = base.pathname.replace(/\/+$/, '')
  const below = `${prefix}/`
  const rooted = `${origin}/`

  const inside = (target: string): boolean =>
    target.startsWith(below) || target === prefix || target.startsWith(`${prefix}?`)

  const contains = (target: string): boolean => {
    if (!inside(target)) return false
    if (plainTarget.test(target)) return true
    if (!isPlainPath(target)) return false
    const url = URL.parse(origin + target)
    if (url === null || url.origin !== origin) return false
    return url.pathname + url.search === target
  }

  const resolveLink = (link: string): string | undefined => {
    if (link === '' || link.length > maxLinkLength) return undefined
    if (link.startsWith(rooted)) {
      const target = link.slice(origin.length)
      if (plainTarget.test(target)) return inside(target) ? target : undefined
    }
    const absolute = link.startsWith(`${host}/`) ? `${base.protocol}//${link}` : link
    const url = URL.parse(absolute, `${origin}${prefix}/`)
    if (url === null || url.origin !== origin || url.username !== '' || url.password !== '') {
      return undefined
    }
    const target = relativeToBase(link, url, prefix)
    return contains(target) ? target : undefined
  }

  return {
    origin,
    prefix,
    target: (request) => {
      const path = `${prefix}/${printPath(request)}`
      if (request.parameters.length === 0 || request.post) return path
      return `${path}?${printQuery(request.parameters)}`
    },
    contains,
    resolveLink,
  }
}

/** Canvas writes `/Observation?_offset=10` and means the FHIR base (fhir-access-and-audit.md 2.2). */
function relativeToBase(link: string, url: URL, prefix: string): string {
  const target = url.pathname + url.search
  const rooted = link.startsWith('/') && !link.startsWith('//')
  const inside =
    target === prefix || target.startsWith(`${prefix}/`) || target.startsWith(`${prefix}?`)
  return rooted && !inside ? prefix + target : target
}

/**
 * Encoded dots, slashes and backslashes are read differently by different servers, and so are dots with a parameter
 * (RFC 3986 3.3): Tomcat takes `/..;x/` for `/../`.
 */
function isPlainPath(target: string): boolean {
  const path = target.split('?', 1)[0] ?? ''
  return !/%(?:2e|2f|5c|00)|\\|\/\/|\/\.{1,2};|[^\u0021-\u007e]/i.test(path)
}
