import type { IncomingHttpHeaders } from 'node:http'

/** What a browser says of its request (W3C Fetch Metadata). A script cannot set these headers, another client can. */

const documentDestinations = new Set([
  'document',
  'embed',
  'fencedframe',
  'frame',
  'iframe',
  'object',
])

/** A browser that would show the answer: as a tab, a frame or an embedded document. */
export function isNavigation(headers: IncomingHttpHeaders): boolean {
  return (
    headers['sec-fetch-mode'] === 'navigate' ||
    documentDestinations.has(text(headers['sec-fetch-dest']))
  )
}

/**
 * A service worker would outlive the launch and see every request of the next one: its script is refused at any path
 * (Service Workers, "Service-Worker: script").
 */
export function isServiceWorkerScript(headers: IncomingHttpHeaders): boolean {
  return (
    headers['service-worker'] !== undefined ||
    text(headers['sec-fetch-dest']).includes('serviceworker')
  )
}

/** Whether a person would read the answer: a navigation, or a client without Sec-Fetch headers that asks for HTML. */
export function wantsPage(headers: IncomingHttpHeaders): boolean {
  if (isNavigation(headers)) return true
  if (headers['sec-fetch-mode'] !== undefined || headers['sec-fetch-dest'] !== undefined)
    return false
  return headers['smart-bff'] === undefined && (headers.accept ?? '').includes('text/html')
}

function text(value: string | string[] | undefined): string {
  return typeof value === 'string' ? value : ''
}
