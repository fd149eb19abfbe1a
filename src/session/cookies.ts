import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Secret } from '../config/secret.ts'
import { hashSession } from '../vault/names.ts'

/**
 * The session cookie: `__Host-smart-bff=<id>.<signature>`. Its value is signed so that a stranger's guess costs no store
 * trip. Every Set-Cookie line of the public listener is made here or in pending-cookies.ts, with exactly these attributes
 * (DESIGN, Cookies): a browser ignores a line for a `__Host-` name without Secure, and drops one without Partitioned in a
 * cross-site frame, so that clearing must repeat them all.
 */
export const sessionCookieName = '__Host-smart-bff'
const cookieAttributes = 'Path=/; Secure; HttpOnly; SameSite=None; Partitioned'
const unpartitionedAttributes = 'Path=/; Secure; HttpOnly; SameSite=None'

/** What a Cookie header says of the session. */
export type SessionCookieReading =
  | { readonly kind: 'none' }
  /** Forged, truncated, oversized, or signed under a secret that was retired. */
  | { readonly kind: 'invalid' }
  /** Two different valid sessions under one name: neither may be chosen. */
  | { readonly kind: 'ambiguous' }
  /** `renew`: signed under an older secret than the first. */
  | ({ readonly kind: 'valid' } & Verified)

export interface SessionCookies {
  /** The session id, or undefined when there is none that may be trusted. */
  read(cookieHeader: string | undefined): string | undefined
  /** No I/O: this is on the way of every FHIR request. */
  inspect(cookieHeader: string | undefined): SessionCookieReading
  /** The cookie's value for an id, signed under the first secret. */
  sign(id: string): string
  /** The Set-Cookie line that gives the browser a session. */
  set(id: string): string
}

const idPattern = /^[A-Za-z0-9_-]{43}$/
const idLength = 43
const valueLength = idLength + 1 + 43
/** More cookies of our name than this are an attack, not a leftover; each costs a signature check. */
const candidatesMax = 4
/** A request is one of hundreds with the same cookie: its signature costs ten times as much as to look it up. */
const knownMax = 2000
/** Longer ones are read anew each time: what is kept must stay small. */
const headerCharsMax = 2048

export function createSessionCookies(options: { secrets: readonly Secret[] }): SessionCookies {
  const keys = options.secrets.map((secret) =>
    createSecretKey(Buffer.from(secret.reveal(), 'base64url')),
  )
  const [first] = keys
  if (first === undefined) throw new TypeError('a session secret is required')

  /** A browser sends the same header with every request; what it said is known again. Those of strangers are not kept. */
  const headers = new Map<string, SessionCookieReading>()
  const inspect = (header: string | undefined): SessionCookieReading => {
    const before = headers.get(header ?? '')
    if (before !== undefined) return before
    const reading = judge(header)
    if (header !== undefined && header.length <= headerCharsMax && reading.kind === 'valid') {
      if (headers.size >= knownMax) headers.clear()
      headers.set(header, reading)
    }
    return reading
  }

  const judge = (header: string | undefined): SessionCookieReading => {
    const values = cookieValues(header, sessionCookieName, candidatesMax + 1)
    if (values.length === 0) return { kind: 'none' }
    if (values.length > candidatesMax) return { kind: 'invalid' }
    const found = values.map((value) => verify(value, keys)).filter((one) => one !== undefined)
    const [valid] = found
    if (valid === undefined) return { kind: 'invalid' }
    if (found.some((one) => one.id !== valid.id)) return { kind: 'ambiguous' }
    return { kind: 'valid', ...valid, renew: found.every((one) => one.renew) }
  }

  const sign = (id: string): string => `${id}.${signature(id, first)}`

  return {
    inspect,
    read: (header) => {
      const reading = inspect(header)
      return reading.kind === 'valid' ? reading.id : undefined
    },
    sign,
    set: (id) => setCookie(sessionCookieName, sign(id)),
  }
}

/** 256 random bits. */
export function newSessionId(): string {
  return randomBytes(32).toString('base64url')
}

export function setCookie(name: string, value: string): string {
  return `${name}=${value}; ${cookieAttributes}`
}

export function clearCookie(name: string): string {
  return `${name}=; Max-Age=0; ${cookieAttributes}`
}

/**
 * Removes a leftover from the time before this browser knew Partitioned. Both jars' cookies are sent under one name, so
 * a leftover would make every request ambiguous for as long as the browser runs.
 */
export function clearUnpartitioned(name: string): string {
  return `${name}=; Max-Age=0; ${unpartitionedAttributes}`
}

/** True for the lines that this module makes, and for no others. */
export function isOwnSetCookie(line: string): boolean {
  if (line.endsWith(`; ${cookieAttributes}`)) return true
  return line.includes('=; Max-Age=0; ') && line.endsWith(`; ${unpartitionedAttributes}`)
}

/** The distinct values sent under a name, at most `max` (RFC 6265 4.2.1; quoted values are not ours). */
function cookieValues(header: string | undefined, name: string, max: number): string[] {
  const values: string[] = []
  if (header === undefined || !header.includes(name)) return values
  for (const pair of header.split(';')) {
    const text = pair.trim()
    if (!text.startsWith(name) || text.charAt(name.length) !== '=') continue
    const value = text.slice(name.length + 1)
    if (values.includes(value)) continue
    values.push(value)
    if (values.length === max) break
  }
  return values
}

interface Verified {
  readonly id: string
  /** The store's name of the session, asked for with every request of it. */
  readonly session: string
  readonly renew: boolean
}

function verify(value: string, keys: readonly KeyObject[]): Verified | undefined {
  if (value.length !== valueLength || value.charAt(idLength) !== '.') return undefined
  const id = value.slice(0, idLength)
  if (!idPattern.test(id)) return undefined
  const presented = Buffer.from(value.slice(idLength + 1), 'latin1')
  let match = -1
  // Every key is tried, so that the time tells nothing of which one fits.
  for (const [index, key] of keys.entries()) {
    const equal = timingSafeEqual(presented, Buffer.from(signature(id, key), 'latin1'))
    if (equal && match < 0) match = index
  }
  return match < 0 ? undefined : { id, session: hashSession(id), renew: match > 0 }
}

/** The cookie's name is part of what is signed: a value of one cookie is never good for another. */
function signature(id: string, key: KeyObject): string {
  return createHmac('sha256', key).update(`${sessionCookieName}=${id}`).digest('base64url')
}
