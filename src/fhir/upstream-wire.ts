/** What goes over the wire besides bodies: the headers that may pass, in either direction, and what errors mean. */

export interface AnswerHeaders {
  readonly contentType: string
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  readonly location: string | undefined
  readonly contentLocation: string | undefined
  readonly retryAfter: string | undefined
}

export type ReceivedHeaders = Readonly<Record<string, string | string[] | undefined>>

interface Credentials {
  readonly accessToken: string
  readonly headers: readonly string[]
}

/** Everything the EHR gets to see; nothing of the browser's own headers is passed on. */
export function requestHeaders(
  ask: Credentials,
  accept = 'application/fhir+json',
  encoding = 'gzip',
): string[] {
  return [
    'accept',
    accept,
    'accept-encoding',
    encoding,
    'authorization',
    `Bearer ${ask.accessToken}`,
    'user-agent',
    'smart-bff',
    ...ask.headers,
  ]
}

export function answerHeaders(headers: ReceivedHeaders): AnswerHeaders {
  return {
    contentType: single(headers['content-type']) ?? '',
    etag: single(headers['etag']),
    lastModified: single(headers['last-modified']),
    location: single(headers['location']),
    contentLocation: single(headers['content-location']),
    retryAfter: single(headers['retry-after']),
  }
}

/** The coding of an answer; undefined: none that is read. Its names go by any case, and x-gzip is gzip (RFC 9110 8.4.1). */
export function codingOf(headers: ReceivedHeaders): 'identity' | 'gzip' | undefined {
  const coding = headers['content-encoding']
  if (coding === undefined) return 'identity'
  return typeof coding === 'string' ? codings.get(coding.toLowerCase()) : undefined
}

const codings = new Map<string, 'identity' | 'gzip'>([
  ['identity', 'identity'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
])

/** A header that came twice says nothing. */
function single(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

const timeoutCodes = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
])

export function isTimeout(error: Error): boolean {
  return timeoutCodes.has(errorCode(error) ?? '')
}

function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
