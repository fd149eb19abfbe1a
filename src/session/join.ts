import { SmartBffError } from '../errors.ts'
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
import { withLease } from './join-lease.ts'
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
/** Each further one needs somebody else to write the session between our reading and our writing. */
const decisionsMax = 5

/**
 * Finds the session of a launch (DESIGN, Many launches, one cookie): that of a valid session cookie, else the one bound
 * to any pending cookie of the request, else a new one. Correct when the callbacks of many launches arrive at the same
 * instant without a session cookie: the bindings are read and set in one script, so that all agree on one id, and what
 * follows is done under a lease on that id. The lease spares them work and no more: a process can stand still for longer
 * than it lasts, so every write is conditional on what was read. Throws STORE_UNAVAILABLE.
 */
export function createJoin(deps: JoinDeps): Join {
  return async (ask) => {
    const reading = deps.cookies.inspect(ask.cookieHeader)
    let known = reading.kind === 'valid' ? reading.id : undefined
    let otherUser = false
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      // oxlint-disable-next-line no-await-in-loop -- an attempt follows from the failure of the one before
      const outcome = await attemptJoin(deps, ask, known)
      if (typeof outcome !== 'string') {
        const setCookies = cookieLines(deps, ask, outcome.sessionId)
        return { ...outcome, otherUser: otherUser || outcome.otherUser, setCookies }
      }
      otherUser ||= outcome === 'left'
      // The cookie's session is over: from here on the bindings decide.
      known = undefined
    }
    throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'join: session ended on each attempt' })
  }
}

type Outcome = Omit<Joined, 'setCookies'>
/** The session is over. `left`: its user was another, and a parallel callback has begun the next one. */
type Over = 'gone' | 'left'

async function attemptJoin(
  deps: JoinDeps,
  ask: JoinAsk,
  known: string | undefined,
): Promise<Outcome | Over> {
  const id = known ?? (await bind(deps, ask, { sessionId: newSessionId(), prefer: false }))
  return withLease(deps.store, `join:${hashSession(id)}`, async () =>
    settle(deps, ask, { id, bound: known === undefined }),
  )
}

interface Chosen {
  readonly id: string
  readonly bound: boolean
}

/** What was decided on a session that somebody has written meanwhile is decided again. */
async function settle(deps: JoinDeps, ask: JoinAsk, chosen: Chosen): Promise<Outcome | Over> {
  for (let decision = 0; decision < decisionsMax; decision += 1) {
    // oxlint-disable-next-line no-await-in-loop -- a decision follows from the failure of the one before
    const outcome = await decide(deps, ask, chosen)
    if (outcome !== 'changed') return outcome
  }
  throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'join: session changes on' })
}

/** The session as it is decides whether it is joined, begun, or left to its earlier user. */
async function decide(
  deps: JoinDeps,
  ask: JoinAsk,
  chosen: Chosen,
): Promise<Outcome | Over | 'changed'> {
  const session = hashSession(chosen.id)
  const user = userKey(ask.tenant, ask.user)
  const held = await deps.records.hold(session)
  if (held === undefined) return chosen.bound ? begin(deps, ask, chosen.id) : 'gone'

  if (isOtherUser(held.record, ask.tenant, user)) {
    const ended = await deps.vault.endSession(session, 'ended', {
      ...ask.story,
      forgetDraft: true,
    })
    // Nothing was left to end: whoever did it has bound the launches of this browser to the session that follows.
    if (ended.length === 0 && !(await stillBound(deps, ask, chosen.id))) return 'left'
    const begun = await beginAnew(deps, ask, user)
    return { ...begun, ended, endedSession: session, otherUser: true }
  }

  const changed = withUser(deps.records.renew(held.record), ask.tenant, user)
  if (!(await deps.records.replace(session, held, changed))) return 'changed'
  if (!chosen.bound) await bind(deps, ask, { sessionId: chosen.id, prefer: true })
  return { sessionId: chosen.id, session, begun: false, ended: [], otherUser: false }
}

/** A session that is bound and is not there. */
async function begin(
  deps: JoinDeps,
  ask: JoinAsk,
  sessionId: string,
): Promise<Outcome | Over | 'changed'> {
  const session = hashSession(sessionId)
  const user = userKey(ask.tenant, ask.user)
  const fresh = withUser(deps.records.begin(), ask.tenant, user)
  if (await deps.records.create(session, fresh)) {
    return { sessionId, session, begun: true, ended: [], otherUser: false }
  }
  if ((await deps.records.hold(session)) !== undefined) return 'changed'
  // Bound, but ended since: unless a parallel callback has replaced it meanwhile, this one does.
  return (await stillBound(deps, ask, sessionId)) ? beginAnew(deps, ask, user) : 'gone'
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

const stillBound = async (deps: JoinDeps, ask: JoinAsk, sessionId: string): Promise<boolean> =>
  (await bind(deps, ask, { sessionId, prefer: false })) === sessionId

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
