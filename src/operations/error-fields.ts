import { errorTable } from '../errors.ts'

/**
 * What may be said of an error: its class, its code, a status, where in our own code it was thrown, and the same of
 * its causes. Never its message, its stack or any member that a library or an EHR filled: an upstream's answer stands
 * in there, and so may a patient (fhir-access-and-audit.md 3.7).
 */
export interface ErrorFields {
  readonly class: string
  readonly code?: string
  readonly status?: number
  readonly syscall?: string
  /** `vault/refresh.ts:44`. */
  readonly at?: string
  readonly cause?: ErrorFields
}

const maxDepth = 4

export function errorFields(error: unknown, depth = 1): ErrorFields {
  if (!(error instanceof Error)) return { class: typeof error }
  const { cause } = error
  return {
    class: className(error),
    ...codeOf(member(error, 'code')),
    ...oauthError(member(error, 'error')),
    ...statusOf(member(error, 'statusCode') ?? member(error, 'status')),
    ...syscallOf(member(error, 'syscall')),
    ...placeOf(error),
    ...(cause === undefined || depth >= maxDepth ? {} : { cause: errorFields(cause, depth + 1) }),
  }
}

/** Reading a member of a foreign error may run foreign code. */
function member(error: Error, name: string): unknown {
  try {
    return Reflect.get(error, name)
  } catch {
    return undefined
  }
}

function className(error: Error): string {
  const { name } = error.constructor
  return /^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(name) ? name : 'Error'
}

/** `ECONNRESET`, `UND_ERR_HEADERS_TIMEOUT`, `ERR_TLS_CERT_ALTNAME_INVALID`, our own codes. */
function codeOf(code: unknown): { code?: string } {
  if (typeof code !== 'string') return {}
  const ours = Object.hasOwn(errorTable, code)
  const system = /^(?:E[A-Z0-9]{2,20}|[A-Z][A-Z0-9]{1,15}(?:_[A-Z0-9]{1,24}){1,8})$/.test(code)
  return ours || system ? { code } : {}
}

/** RFC 6749, 4.1.2.1 and 5.2; OpenID Connect Core, 3.1.2.6. An EHR's own words are not printed. */
const oauthErrors = new Set([
  'access_denied',
  'consent_required',
  'interaction_required',
  'invalid_client',
  'invalid_grant',
  'invalid_request',
  'invalid_scope',
  'login_required',
  'server_error',
  'temporarily_unavailable',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
])

function oauthError(code: unknown): { code?: string } {
  return typeof code === 'string' && oauthErrors.has(code) ? { code } : {}
}

function statusOf(status: unknown): { status?: number } {
  return typeof status === 'number' && status >= 100 && status <= 599 ? { status } : {}
}

function syscallOf(syscall: unknown): { syscall?: string } {
  return typeof syscall === 'string' && /^[a-z]{2,20}$/.test(syscall) ? { syscall } : {}
}

/** The text before the first frame repeats the message, so it is cut off by its length and not looked for. */
function placeOf(error: Error): { at?: string } {
  const { stack, message } = error
  if (typeof stack !== 'string' || typeof message !== 'string') return {}
  const messageAt = stack.indexOf(message)
  if (messageAt === -1) return {}
  const frames = stack.slice(messageAt + message.length)
  const frame = /^\s+at [^\n]*\/(?:src|dist)\/((?:[a-z-]+\/)*[a-z-]+\.[tj]s:\d{1,5}):\d+\)?$/m
  const place = frame.exec(frames)?.[1]
  return place === undefined ? {} : { at: place }
}
