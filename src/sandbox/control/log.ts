import { createHash } from 'node:crypto'
import type { Request } from '../http.ts'
import { form } from '../http.ts'

/** Where a request arrived; faults are placed by the same names. */
export type Where =
  'discovery' | 'authorize' | 'token' | 'introspect' | 'revoke' | 'jwks' | 'fhir' | 'page'

/** One request as tests read it. Tokens are told apart by their digest; form fields stand as they came. */
export interface LoggedRequest {
  readonly at: string
  readonly where: Where
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, readonly string[]>>
  readonly headers: Readonly<Record<string, string>>
  readonly authorization?: { readonly scheme: string; readonly sha256: string }
  readonly cookie: boolean
  readonly form?: Readonly<Record<string, readonly string[]>>
  readonly body?: string
  /** Filled when the answer has been sent; 0 when the connection was cut. */
  status?: number
  fault?: string
}

const maxEntries = 10_000
const hidden = new Set(['authorization', 'cookie'])

export interface RequestLog {
  add(where: Where, request: Request): LoggedRequest
  entries(): readonly LoggedRequest[]
  clear(): void
}

export function createRequestLog(): RequestLog {
  const entries: LoggedRequest[] = []
  return {
    add(where, request) {
      const entry = logged(where, request)
      entries.push(entry)
      if (entries.length > maxEntries) entries.shift()
      return entry
    },
    entries: () => [...entries],
    clear: () => void entries.splice(0),
  }
}

function logged(where: Where, request: Request): LoggedRequest {
  const { authorization, cookie } = request.headers
  const fields = form(request)
  return {
    at: new Date().toISOString(),
    where,
    method: request.method,
    path: request.url.pathname,
    query: lists(request.url.searchParams),
    headers: Object.fromEntries(
      Object.entries(request.headers).flatMap(([name, value]) =>
        hidden.has(name) || value === undefined ? [] : [[name, String(value)]],
      ),
    ),
    ...(authorization === undefined ? {} : { authorization: digest(authorization) }),
    cookie: cookie !== undefined,
    ...(fields === undefined ? {} : { form: lists(fields) }),
    ...(fields === undefined && request.body.length > 0
      ? { body: request.body.toString('utf8') }
      : {}),
  }
}

function digest(authorization: string): { scheme: string; sha256: string } {
  const [scheme = '', value = ''] = authorization.split(' ')
  return { scheme, sha256: createHash('sha256').update(value).digest('hex') }
}

function lists(parameters: URLSearchParams): Record<string, string[]> {
  return Object.fromEntries([...parameters.keys()].map((name) => [name, parameters.getAll(name)]))
}
