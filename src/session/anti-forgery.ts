import type { IncomingHttpHeaders } from 'node:http'
import { isNavigation, isServiceWorkerScript } from '../web/fetch-metadata.ts'

/**
 * Whether a request to /fhir, /launches or /session comes from our own page (DESIGN, Requests from a browser). The
 * cookie is SameSite=None, so that it travels with a forged request too; this is what tells them apart. Reads are judged
 * like writes: what they answer is patient data.
 */
export type BrowserDecision =
  { readonly kind: 'allow' } | { readonly kind: 'refuse'; readonly reason: BrowserRefusal }

/** Closed list: stands in the audit as `reason`. */
export type BrowserRefusal =
  'service_worker' | 'navigation' | 'cross_site' | 'destination' | 'header_missing' | 'origin'

export interface BrowserRequest {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  /** The origin of publicUrl; never taken from a header. */
  readonly publicOrigin: string
  /** True for binary handles alone, which an `img` may show. */
  readonly allowImage: boolean
}

const fetchModes = new Set(['cors', 'no-cors', 'same-origin'])
export function judgeBrowserRequest(request: BrowserRequest): BrowserDecision {
  const { headers } = request
  if (isServiceWorkerScript(headers)) return refuse('service_worker')

  const site = headers['sec-fetch-site']
  const mode = headers['sec-fetch-mode']
  const destination = headers['sec-fetch-dest']
  if (site === undefined && mode === undefined && destination === undefined) {
    // A form or an `img` cannot send this header, and a script of another origin needs a preflight that we never answer.
    if (headers['smart-bff'] !== '1') return refuse('header_missing')
  } else {
    // W3C Fetch Metadata 2: a browser that sends one of them sends Sec-Fetch-Site and Sec-Fetch-Dest.
    if (isNavigation(headers)) return refuse('navigation')
    if (site !== 'same-origin') return refuse('cross_site')
    const wanted = destination === 'empty' || (request.allowImage && destination === 'image')
    if (!wanted) return refuse('destination')
    if (mode !== undefined && !fetchModes.has(text(mode))) return refuse('destination')
  }
  // Asked of unsafe methods; a foreign Origin on a safe one is no page of ours either.
  if (headers.origin !== undefined && headers.origin !== request.publicOrigin) {
    return refuse('origin')
  }
  return { kind: 'allow' }
}

function text(value: string | string[] | undefined): string {
  return typeof value === 'string' ? value : ''
}

function refuse(reason: BrowserRefusal): BrowserDecision {
  return { kind: 'refuse', reason }
}
