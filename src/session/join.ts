import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { SmartBffError } from '../errors.ts'
import { letGo } from '../store/let-go.ts'
import type { Store } from '../store/store.ts'
import type { BindingVault } from '../vault/bindings.ts'
import { hashSession } from '../vault/names.ts'
import type { EndStory } from '../vault/ends.ts'
import type { LaunchRecord, LaunchUser } from '../vault/record.ts'
import type { Vault } from '../vault/vault.ts'
import {
  clearCookie,
  clearUnpartitioned,
  newSessionId,
  sessionCookieName,
  type SessionCookies,
} from './cookies.ts'
import type { PendingCookie } from './pending-cookies.ts'
import { isOtherUser, userKey, withUser } from './session-record.ts'
import type { SessionRecords } from './session-records.ts'

/** A validated launch that asks for the browser session it belongs to. */
export interface JoinAsk {
  readonly cookieHeader: string | undefined
  /** The pending cookie of this launch. */
  readonly own: PendingCookie
  /** All pending cookies of the request. */
  readonly pendingCookies: readonly PendingCookie[]
  readonly tenant: string
  readonly user: LaunchUser
  /** What the records of ended launches of an earlier user are to say. */
  readonly story?: EndStory
}

export interface Joined {
  readonly sessionId: string
  /** The store's name of the session. */
  readonly session: string
  /** True for the one callback that began the session. */
  readonly begun: boolean
  /**
   * The launches of the earlier user, ended before this returns (DESIGN rule 14): to be audited and revoked at the EHR.
   * With a new user the whole session goes, other tenants' launches too: whoever sat there has left.
   */
  readonly ended: readonly LaunchRecord[]
  /** The session that they were launches of. */
  readonly endedSession?: string
  /** Somebody else has used this browser before: what it keeps of the app is to go. */
  readonly otherUser: boolean
  /** In this order: the session cookie stands before the pending one is cleared. */
  readonly setCookies: readonly string[]
}

export type Join = (ask: JoinAsk) => Promise<Joined>

export interface JoinDeps {
  readonly records: SessionRecords
  readonly store: Pick<Store, 'acquireLease' | 'releaseLease'>
  readonly bindings: BindingVault
  readonly vault: Pick<Vault, 'endSession'>
  readonly cookies: SessionCookies
}

/** Each further attempt needs the session to end while it is being joined. */
const attemptsMax = 4
const leaseLifeMs = 10_000
const leaseWaitMaxMs = 5_000
const leasePollMs = 15

/**
 * Finds the session of a launch (DESIGN, Many launches, one cookie): that of a valid session cookie, else the one bound
 * to any pending cookie of the request, else a new one. Correct when the callbacks of many launches arrive at the same
 * instant without a session cookie: the bindings are read and set in one script, so that all agree on one id, and what
 * follows is done under a lease on that id. Throws STORE_UNAVAILABLE.
 */
export function createJoin(deps: JoinDeps): Join {
  return async (ask) => {
    const reading = deps.cookies.inspect(ask.cookieHeader)
    let known = reading.kind === 'valid' ? reading.id : undefined
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      // oxlint-disable-next-line no-await-in-loop -- an attempt follows from the failure of the one before
      const outcome = await attemptJoin(deps, ask, known)
      if (outcome !== 'gone') {
        return { ...outcome, setCookies: cookieLines(deps, ask, outcome.sessionId) }
      }
      // The cookie's session is over: from here on the bindings decide.
      known = undefined
    }
    throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'join: session ended on each attempt' })
  }
}

type Outcome = Omit<Joined, 'setCookies'>

async function attemptJoin(
  deps: JoinDeps,
  ask: JoinAsk,
  known: string | undefined,
): Promise<Outcome | 'gone'> {
  const id = known ?? (await bind(deps, ask, { sessionId: newSessionId(), prefer: false }))
  return withLease(deps.store, `join:${hashSession(id)}`, async () =>
    settle(deps, ask, { id, bound: known === undefined }),
  )
}

/** Under the lease: the session as it is decides whether it is joined, begun, or left to its earlier user. */
async function settle(
  deps: JoinDeps,
  ask: JoinAsk,
  chosen: { readonly id: string; readonly bound: boolean },
): Promise<Outcome | 'gone'> {
  const session = hashSession(chosen.id)
  const user = userKey(ask.tenant, ask.user)
  const record = await deps.records.read(session)

  if (record === undefined) {
    if (!chosen.bound) return 'gone'
    const fresh = withUser(deps.records.begin(), ask.tenant, user)
    if (await deps.records.create(session, fresh)) {
      return { sessionId: chosen.id, session, begun: true, ended: [], otherUser: false }
    }
    // Bound, but ended since: unless a parallel callback has replaced it meanwhile, this one does.
    const now = await bind(deps, ask, { sessionId: chosen.id, prefer: false })
    return now === chosen.id ? beginAnew(deps, ask, user) : 'gone'
  }

  if (isOtherUser(record, ask.tenant, user)) {
    const ended = await deps.vault.endSession(session, 'ended', {
      ...ask.story,
      forgetDraft: true,
    })
    const begun = await beginAnew(deps, ask, user)
    return { ...begun, ended, endedSession: session, otherUser: true }
  }

  const changed = withUser(deps.records.renew(record), ask.tenant, user)
  if (!(await deps.records.update(session, changed))) return 'gone'
  if (!chosen.bound) await bind(deps, ask, { sessionId: chosen.id, prefer: true })
  return { sessionId: chosen.id, session, begun: false, ended: [], otherUser: false }
}

/** A fresh id, to which all pending launches of this browser are bound from now on. */
async function beginAnew(deps: JoinDeps, ask: JoinAsk, user: string): Promise<Outcome> {
  const sessionId = newSessionId()
  const session = hashSession(sessionId)
  const record = withUser(deps.records.begin(), ask.tenant, user)
  if (!(await deps.records.create(session, record))) {
    throw new SmartBffError('INTERNAL', { detail: 'join: a fresh session id was taken' })
  }
  await bind(deps, ask, { sessionId, prefer: true })
  return { sessionId, session, begun: true, ended: [], otherUser: false }
}

function bind(
  { bindings }: JoinDeps,
  ask: JoinAsk,
  choice: { readonly sessionId: string; readonly prefer: boolean },
): Promise<string> {
  const values = [ask.own, ...ask.pendingCookies].map(({ value }) => value)
  return bindings.join({ pendingCookies: values, ...choice })
}

function cookieLines({ cookies }: JoinDeps, ask: JoinAsk, sessionId: string): readonly string[] {
  const ambiguous = cookies.inspect(ask.cookieHeader).kind === 'ambiguous'
  return [
    ...(ambiguous ? [clearUnpartitioned(sessionCookieName)] : []),
    cookies.set(sessionId),
    clearCookie(ask.own.name),
  ]
}

/** Joins are as rare as launches, so that waiting by asking again is good enough. */
async function withLease<T>(
  store: JoinDeps['store'],
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  const holder = randomBytes(16).toString('base64url')
  const until = performance.now() + leaseWaitMaxMs
  try {
    // oxlint-disable-next-line no-await-in-loop -- one request after the other is the point
    while (!(await store.acquireLease(name, holder, leaseLifeMs))) {
      if (performance.now() > until) {
        throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'join: lease not free in time' })
      }
      // oxlint-disable-next-line no-await-in-loop -- see above
      await sleep(leasePollMs)
    }
    return await work()
  } finally {
    // A lease that cannot be given back runs out by itself.
    await letGo(store, { name, holder })
  }
}
