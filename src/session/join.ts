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
  readonly ended: readonly EndedLaunch[]
  /** Somebody else has used this browser before: what it keeps of the app is to go. */
  readonly otherUser: boolean
  /** In this order: the session cookie stands before the pending one is cleared. */
  readonly setCookies: readonly string[]
}

export interface EndedLaunch {
  /** The store's name of the session that it was a launch of. */
  readonly session: string
  readonly record: LaunchRecord
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
const attemptsMax = 6
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
    const ended: EndedLaunch[] = []
    let otherUser = false
    let chosen: Chosen =
      reading.kind === 'valid' ? { id: reading.id, bound: false } : await bind(deps, ask)
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      // oxlint-disable-next-line no-await-in-loop -- an attempt follows from the failure of the one before
      const outcome = await attemptJoin(deps, ask, chosen)
      ended.push(...outcome.ended)
      otherUser ||= outcome.kind === 'left' || outcome.ended.length > 0
      if (outcome.kind === 'joined') {
        const { id: sessionId } = chosen
        const setCookies = cookieLines(deps, ask, sessionId)
        const session = hashSession(sessionId)
        return { sessionId, session, begun: outcome.begun, ended, otherUser, setCookies }
      }
      // From here on the bindings decide: the session that follows is ours, or that of a parallel callback.
      // oxlint-disable-next-line no-await-in-loop -- see above
      chosen = await bind(deps, ask, chosen.id)
    }
    throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'join: session ended on each attempt' })
  }
}

interface Chosen {
  readonly id: string
  /** By the pending cookies; else by the session cookie. */
  readonly bound: boolean
}

type Outcome = { readonly ended: readonly EndedLaunch[] } & (
  | { readonly kind: 'joined'; readonly begun: boolean }
  /** The session is over. `left`: its user was another, whose launches have ended with it. */
  | { readonly kind: 'gone' | 'left' }
)

const attemptJoin = (deps: JoinDeps, ask: JoinAsk, chosen: Chosen): Promise<Outcome> =>
  withLease(deps.store, `join:${hashSession(chosen.id)}`, async () => settle(deps, ask, chosen))

/** What was decided on a session that somebody has written meanwhile is decided again. */
async function settle(deps: JoinDeps, ask: JoinAsk, chosen: Chosen): Promise<Outcome> {
  for (let decision = 0; decision < decisionsMax; decision += 1) {
    // oxlint-disable-next-line no-await-in-loop -- a decision follows from the failure of the one before
    const outcome = await decide(deps, ask, chosen)
    if (outcome !== 'changed') return outcome
  }
  throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'join: session changes on' })
}

/** The session as it is decides whether it is joined, begun, or left to its earlier user. */
async function decide(deps: JoinDeps, ask: JoinAsk, chosen: Chosen): Promise<Outcome | 'changed'> {
  const session = hashSession(chosen.id)
  const user = userKey(ask.tenant, ask.user)
  const held = await deps.records.hold(session)
  if (held === undefined) return chosen.bound ? begin(deps, ask, session) : gone
  if (isOtherUser(held.record, ask.tenant, user)) {
    return { kind: 'left', ended: await endSession(deps, ask, session) }
  }
  const changed = withUser(deps.records.renew(held.record), ask.tenant, user)
  if (!(await deps.records.replace(session, held, changed))) return 'changed'
  return chosen.bound ? { kind: 'joined', begun: false, ended: [] } : bindTo(deps, ask, chosen.id)
}

const gone: Outcome = { kind: 'gone', ended: [] }

/** A session that is bound and is not there: never begun, or over. */
async function begin(deps: JoinDeps, ask: JoinAsk, session: string): Promise<Outcome | 'changed'> {
  const fresh = withUser(deps.records.begin(), ask.tenant, userKey(ask.tenant, ask.user))
  if (await deps.records.create(session, fresh)) return { kind: 'joined', begun: true, ended: [] }
  return (await deps.records.hold(session)) === undefined ? gone : 'changed'
}

/**
 * The session of the cookie is what this browser's pending launches belong to. Where they are bound to another one, that
 * has lost its cookie to this one: it ends, for nobody could sign out of it.
 */
async function bindTo(deps: JoinDeps, ask: JoinAsk, id: string): Promise<Outcome> {
  const ended: EndedLaunch[] = []
  let stray: string | undefined
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    // oxlint-disable-next-line no-await-in-loop -- an attempt follows from the answer to the one before
    const bound = await deps.bindings.join({ ...pendingOf(ask), sessionId: id, over: stray })
    if (bound === id) return { kind: 'joined', begun: false, ended }
    stray = bound
    // Ended meanwhile, and the other is what follows it?
    // oxlint-disable-next-line no-await-in-loop -- see above
    if ((await deps.records.hold(hashSession(id))) === undefined) return { kind: 'gone', ended }
    // oxlint-disable-next-line no-await-in-loop -- see above
    ended.push(...(await endSession(deps, ask, hashSession(stray))))
  }
  throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'join: bindings change on' })
}

async function endSession(
  { vault }: JoinDeps,
  ask: JoinAsk,
  session: string,
): Promise<readonly EndedLaunch[]> {
  const records = await vault.endSession(session, 'ended', { ...ask.story, forgetDraft: true })
  return records.map((record) => ({ session, record }))
}

async function bind({ bindings }: JoinDeps, ask: JoinAsk, over?: string): Promise<Chosen> {
  const id = await bindings.join({ ...pendingOf(ask), sessionId: newSessionId(), over })
  return { id, bound: true }
}

const pendingOf = ({ own, pendingCookies }: JoinAsk) => ({
  pendingCookies: [own, ...pendingCookies].map(({ value }) => value),
})

function cookieLines({ cookies }: JoinDeps, ask: JoinAsk, sessionId: string): readonly string[] {
  const ambiguous = cookies.inspect(ask.cookieHeader).kind === 'ambiguous'
  return [
    ...(ambiguous ? [clearUnpartitioned(sessionCookieName)] : []),
    cookies.set(sessionId),
    clearCookie(ask.own.name),
  ]
}
