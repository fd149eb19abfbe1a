import { randomBytes } from 'node:crypto'
import { clearCookie, setCookie } from './cookies.ts'

/**
 * One cookie for each pending launch: `__Host-smart-bff.tx.<n>`. Its value binds the state to this browser (DESIGN
 * rule 4). <n> is the time and 32 random bits, never a slot number: launches that start at the same instant, before any
 * cookie exists, must not choose the same name.
 */
export interface PendingCookie {
  /** The whole cookie name; the pending record keeps it, so that the callback knows which one is its own. */
  readonly name: string
  /** 256 random bits in base64url. */
  readonly value: string
  readonly startedAt: number
}

export const pendingCookiePrefix = '__Host-smart-bff.tx.'
/** As long as a state lives (DESIGN rule 4). */
export const pendingLifeMs = 10 * 60_000
/** A browser may send a few more than are kept, because parallel launches do not see each other's. */
const readMax = 128

const namePattern = /^__Host-smart-bff\.tx\.([0-9a-z]{9})[0-9a-f]{8}$/
const valuePattern = /^[A-Za-z0-9_-]{43}$/
const timeDigits = 9

export function newPendingCookie(now: number): PendingCookie {
  const time = now.toString(36).padStart(timeDigits, '0')
  return {
    name: `${pendingCookiePrefix}${time}${randomBytes(4).toString('hex')}`,
    value: randomBytes(32).toString('base64url'),
    startedAt: now,
  }
}

export function setPendingCookie(cookie: PendingCookie): string {
  return setCookie(cookie.name, cookie.value)
}

/** All well-formed pending cookies of a request, newest first. A name that comes twice counts as neither. */
export function readPendingCookies(cookieHeader: string | undefined): readonly PendingCookie[] {
  if (cookieHeader === undefined || !cookieHeader.includes(pendingCookiePrefix)) return []
  const found = new Map<string, PendingCookie>()
  const doubled = new Set<string>()
  for (const pair of cookieHeader.split(';')) {
    const cookie = parsePair(pair.trim())
    if (cookie === undefined) continue
    const other = found.get(cookie.name)
    if (other !== undefined && other.value !== cookie.value) doubled.add(cookie.name)
    found.set(cookie.name, cookie)
    if (found.size === readMax) break
  }
  return [...found.values()]
    .filter((cookie) => !doubled.has(cookie.name))
    .toSorted((a, b) => b.startedAt - a.startedAt)
}

/**
 * The Set-Cookie lines that keep pending cookies from piling up: those past their life (or from a future that no clock of
 * ours can mean), and the oldest beyond `max`.
 * For /launch, which is about to add one.
 */
export function clearStalePendingCookies(
  cookies: readonly PendingCookie[],
  options: { now: number; max: number },
): readonly string[] {
  return cookies
    .filter((cookie, index) => {
      const alive = Math.abs(options.now - cookie.startedAt) < pendingLifeMs
      return !alive || index >= options.max - 1
    })
    .map((cookie) => clearCookie(cookie.name))
}

function parsePair(text: string): PendingCookie | undefined {
  const equals = text.indexOf('=')
  const name = text.slice(0, equals)
  const time = namePattern.exec(name)?.[1]
  const value = text.slice(equals + 1)
  if (equals < 0 || time === undefined || !valuePattern.test(value)) return undefined
  return { name, value, startedAt: Number.parseInt(time, 36) }
}
