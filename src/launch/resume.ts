import { timingSafeEqual } from 'node:crypto'
import type { Ehr, Ehrs } from '../ehr/connection.ts'
import { redirectPathOf } from '../ehr/quirks.ts'
import { SmartBffError } from '../errors.ts'
import { readPendingCookies, type PendingCookie } from '../session/pending-cookies.ts'
import { hashCookie } from '../vault/names.ts'
import type { PendingAuthorization, PendingVault } from '../vault/pending.ts'
import type { Directory, Place } from './directory.ts'

/**
 * The browser comes back from the EHR: finds the pending authorization of its `state`, takes it once, and proves that
 * it is this browser's and this tenant's before any token request (DESIGN rules 3 and 4).
 */
export interface Resumed {
  readonly pending: PendingAuthorization
  readonly place: Place
  readonly ehr: Ehr
  /** The one this launch set, to be cleared with the answer. */
  readonly cookie: PendingCookie
  /** All of this request: the launches that are still on their way in this browser (DESIGN.md, "Many launches, one cookie"). */
  readonly cookies: readonly PendingCookie[]
}

export interface ResumeDeps {
  readonly directory: Directory
  readonly ehrs: Ehrs
  readonly pending: PendingVault
}

export interface ResumeAsk {
  readonly state: string
  readonly callbackPath: string
  readonly cookieHeader: string | undefined
}

/** The story so far, so that a refusal after this point can name its launch. */
export type Taken = Pick<Resumed, 'pending' | 'place' | 'ehr'>

/** Throws LAUNCH_STATE_UNKNOWN: never seen, used, expired, or of a tenant that has left the configuration. */
export async function take(deps: ResumeDeps, state: string): Promise<Taken> {
  const pending = await deps.pending.take(state)
  const place = pending && deps.directory.find(pending.tenant, pending.mode)
  const ehr = pending && deps.ehrs.get(pending.tenant)
  if (pending === undefined || place === undefined || ehr === undefined) {
    throw new SmartBffError('LAUNCH_STATE_UNKNOWN')
  }
  return { pending, place, ehr }
}

/** Throws LAUNCH_CALLBACK_INVALID (another tenant's path) or LAUNCH_STATE_FOREIGN (another browser). */
export function proveOwn(taken: Taken, ask: ResumeAsk): Resumed {
  if (redirectPathOf(taken.place.tenant) !== ask.callbackPath) {
    throw new SmartBffError('LAUNCH_CALLBACK_INVALID', { detail: 'another path' })
  }
  const cookies = readPendingCookies(ask.cookieHeader)
  const cookie = cookies.find((one) => sameHash(hashCookie(one.value), taken.pending.browser))
  if (cookie === undefined) throw new SmartBffError('LAUNCH_STATE_FOREIGN')
  return { ...taken, cookie, cookies }
}

function sameHash(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
