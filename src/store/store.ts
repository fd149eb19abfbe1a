/**
 * Everything in the store is behind this one interface (DESIGN.md, Stored records). Two implementations: `embedded.ts`
 * (in memory, for development) and `redis.ts`; one contract suite runs on both (test/contracts/store.ts).
 *
 * Values are opaque strings, sealed by the caller; `sealed` of a launch may hold any byte, as one character (latin1).
 * `session` is always the hash of a session id, never the id.
 * Every method throws SmartBffError STORE_UNAVAILABLE on a store fault, and only on a store fault: what is missing is
 * `undefined` or `false`, because a fault must never look like a logout (DESIGN rule 12).
 */
export interface Store {
  /** `tx:<hash of state>`: a pending authorization. */
  putPending(stateHash: string, sealed: string, lifeMs: number): Promise<void>
  /** Taken once: of two concurrent callers one gets it. */
  takePending(stateHash: string): Promise<string | undefined>

  /**
   * `bind:{b}:<hash of pending cookie>`: one script reads and sets the bindings of all pending cookies of a request.
   * The first existing binding that is not `over` wins, else `sealedSession`; those that are missing or `over` become it,
   * and every other one stays. So of two callers that replace the same binding one does. Answers what has won.
   */
  joinBindings(ask: {
    readonly pendingHashes: readonly string[]
    readonly sealedSession: string
    /** A binding that gives way, as an earlier answer named it. */
    readonly over?: string | undefined
    readonly lifeMs: number
  }): Promise<string>

  /** `sess:{h}`: the @fastify/session blob. */
  readSession(session: string): Promise<string | undefined>
  /** Creates; `false` when it exists already or was ended within `tombstoneMs` (never re-created). */
  createSession(session: string, blob: string, expiresAt: number): Promise<boolean>
  /**
   * Changes it only while its text is still `held`, so that of two writers neither loses what the other wrote, and an end
   * stays one. It lives at least as long as its launches.
   */
  replaceSession(session: string, held: string, blob: string, expiresAt: number): Promise<boolean>

  /**
   * `launch:{h}:<id>` and `launches:{h}` in one script. Refused (`false`) when the session does not exist or the
   * launch does. `expiresAt` is the absolute timeout, until which the session is prolonged too; `idleAt` the first idle
   * deadline. The record stays for `launchKeptAfterMs` longer, so that its end can still be told and audited: whether its
   * time is over is for the reader to judge.
   */
  createLaunch(key: LaunchKey, launch: NewLaunch): Promise<boolean>
  readLaunch(key: LaunchKey): Promise<StoredLaunch | undefined>
  /**
   * Writes only when the version is still `version` and the launch has not ended; then version + 1. With a lease also
   * only while its holder still has it; the lease's name must hold the session in braces (one slot, one script).
   */
  replaceLaunch(key: LaunchKey, version: number, sealed: string, lease?: Lease): Promise<boolean>
  /**
   * Activity: slides the idle deadline of a launch that lives and whose own has not passed, and its session's text with
   * it, in one script; never to an earlier time. `session_changed`: the session's text is not `held` any more, and
   * nothing was written.
   */
  touch(key: LaunchKey, slide: Slide): Promise<'touched' | 'gone' | 'session_changed'>
  /**
   * Marks the launch as ended and keeps a tombstone for the life of the record. Answers what it held; `undefined` when
   * it was not alive, so that of two concurrent callers one ends it. What it held and the caller's `note` stand aside
   * until `settleEnd`: should this answer be lost, somebody else can still tell of the end. `unborn`: a creation of it
   * may still be on its way, which then finds the tombstone (`tombstoneMs`).
   */
  endLaunch(
    key: LaunchKey,
    ended: string,
    note?: string,
    unborn?: 'unborn',
  ): Promise<StoredLaunch | undefined>
  /** Live launches, and perhaps some whose time is over. */
  listLaunches(session: string): Promise<readonly string[]>
  /**
   * Ends every live launch of the session, deletes the session and leaves a tombstone. One script. Answers what they held.
   * The caller's `note` stands aside for each of them, and for the session itself where it lived, until `settleEnd`.
   */
  endSession(
    session: string,
    ended: string,
    note?: string,
  ): Promise<readonly (StoredLaunch & { launch: string })[]>
  /** An end that has not been settled; `undefined` for what lives, is missing, or was told of. */
  readUntold(key: LaunchKey): Promise<UntoldEnd | undefined>
  readUntoldSession(session: string): Promise<UntoldSession | undefined>
  /** The end has been told: what stood aside goes, and the deadline with it. */
  settleEnd(what: Deadline): Promise<void>

  /** `lock:<name>`: a lease held by `holder`. */
  acquireLease(name: string, holder: string, lifeMs: number): Promise<boolean>
  /** `false` when it is not the holder's any more. */
  renewLease(name: string, holder: string, lifeMs: number): Promise<boolean>
  readLease(name: string): Promise<string | undefined>
  releaseLease(name: string, holder: string): Promise<void>

  /** `draft:<name>`. */
  readDraft(name: string): Promise<string | undefined>
  /** Writes only while it is still `held` (undefined: there is none). */
  replaceDraft(
    name: string,
    held: string | undefined,
    sealed: string,
    lifeMs: number,
  ): Promise<boolean>

  /**
   * `idempotent:{h}:<name>`: what is known of a write that must not happen twice. Claims the name with `text`; where it
   * was taken, answers what stands there, and changes nothing. One whose answer is lost is given back: the caller does not
   * write, and a repeat is not to be told that he may have.
   */
  claimIdempotent(
    session: string,
    name: string,
    text: string,
    lifeMs: number,
  ): Promise<string | undefined>
  putIdempotent(session: string, name: string, text: string, lifeMs: number): Promise<void>
  /** Only while it is still `held`. */
  deleteIdempotent(session: string, name: string, held: string): Promise<void>

  /** `confirmed:{h}:<launch>`: the user has confirmed whom the app shows. The newest counts. */
  putConfirmation(of: LaunchKey, text: string, lifeMs: number): Promise<void>
  /** Taken once: one confirmation, one write. */
  takeConfirmation(of: LaunchKey): Promise<string | undefined>

  /** `count:<name>`: one more within a window that begins with the first. Answers how many, and when the window ends. */
  countUp(name: string, windowMs: number): Promise<{ count: number; leftMs: number }>

  /** `due`: sets a deadline; the newest call counts. A launch's first one is set by `createLaunch`. */
  schedule(what: Deadline, at: number): Promise<void>
  /** What is due, hidden from every other replica for `hideMs`, in which it is to be settled. The longest due first. */
  claimDue(ask: { readonly limit: number; readonly hideMs: number }): Promise<readonly Claim[]>
  /** Removes the deadline, or moves it to `nextAt`; nothing when the claim ran out and is somebody else's. */
  settleDue(claim: Claim, nextAt?: number): Promise<void>
  /** Every deadline, and so every live launch and session, a page at a time; what changes meanwhile may come twice. */
  listDue(): AsyncIterable<readonly Deadline[]>

  /** `index:<name>`: launches to be found by another name; each stands there until `until`. */
  addToIndex(name: string, key: LaunchKey, until: number): Promise<void>
  listIndex(name: string): Promise<readonly LaunchKey[]>

  /** `matrix:{tenant}:<mode>`: adds to counters, which are created at 0 and live `lifeMs` from the last addition. */
  addToMatrix(of: MatrixKey, counts: ReadonlyMap<string, number>, lifeMs: number): Promise<void>
  readMatrix(of: MatrixKey): Promise<ReadonlyMap<string, number>>

  /**
   * `checkpoints`: the newest signed checkpoint of an instance's audit, whose second line counts its records. One that
   * counts more is kept beside a new one that counts fewer. `false` when there are `checkpointsMost` already.
   */
  keepCheckpoint(instance: string, note: string): Promise<boolean>
  listCheckpoints(): Promise<readonly string[]>
  /** `audit:batches`: adds to the stream of every replica's newest audit lines, of which about `most` are kept. */
  addAuditBatches(batches: readonly AuditBatch[], most: number): Promise<void>
  /** What came after that id, oldest first; without one from the oldest there is. */
  readAuditBatches(after: string | undefined, limit: number): Promise<readonly AuditEntry[]>
  /** `audit`: the same as earlier versions write it, each line by itself. Nobody adds to it here, and one day it is gone. */
  readAuditLines(after: string | undefined, limit: number): Promise<readonly AuditEntry[]>

  /**
   * Hears of every end and change of a record, by whichever replica, from inside the script that writes it. Answers
   * what stops the hearing. A listener must not throw.
   */
  onChange(listener: (change: Change) => void): () => void
  /** DESIGN rule 12: all that happened until less than `linkFreshMs` ago has been told to the listeners. */
  linkAlive(): boolean
  /** Waits until what was written stands on a replica too, where the store has any; `false` when it does not in time. */
  replicated(timeoutMs: number): Promise<boolean>

  /**
   * The time by the clock that all replicas share: deadlines are written by one of them and judged by others (DESIGN rule
   * 13). Before the first `check` it may be this process's own.
   */
  readonly now: () => number
  /** Start-up and readiness: writes, reads and deletes one key. */
  check(): Promise<void>
  close(): Promise<void>
}

/** Longer than any request may take, so that a slow one cannot bring back what was ended meanwhile. */
export const tombstoneMs = 10 * 60 * 1000

/** How long a launch's record outlives its absolute timeout. */
export const launchKeptAfterMs = 10 * 60 * 1000

/** DESIGN rule 12. */
export const linkFreshMs = 500

/** When a new launch is visited for the first time: whoever wrote it may have died before it was indexed. */
export const firstVisitMs = 30 * 1000

/** Instances whose newest checkpoint is kept. */
export const checkpointsMost = 10_000

/** Lines that are added as one entry, in whatever form they are kept. */
export interface AuditBatch {
  readonly text: string
  readonly lines: number
}

export interface AuditEntry {
  readonly id: string
  readonly text: string
}

export interface MatrixKey {
  readonly tenant: string
  readonly mode: string
}

export interface LaunchKey {
  readonly session: string
  readonly launch: string
}

export interface NewLaunch {
  readonly sealed: string
  readonly idleAt: number
  readonly expiresAt: number
}

export interface StoredLaunch {
  /** '' once ended. */
  readonly sealed: string
  readonly version: number
  readonly idleAt: number
  /** The final state, or '' while the launch lives. */
  readonly ended: string
}

export interface UntoldEnd {
  readonly ended: string
  /** As it was when the launch ended. */
  readonly sealed: string
  readonly note: string
}

export interface UntoldSession {
  readonly ended: string
  readonly note: string
  /** How many of its launches ended with it. */
  readonly launches: number
}

export interface Lease {
  readonly name: string
  readonly holder: string
}

export interface Slide {
  readonly now: number
  readonly idleAt: number
  /** The session's text as it was read, and as it is to be. */
  readonly session: { readonly held: string; readonly blob: string; readonly expiresAt: number }
}

/** Of a launch, or of the session itself. */
export interface Deadline {
  readonly session: string
  readonly launch: string | undefined
}

export interface Claim extends Deadline {
  /** Until when it is hidden from others; names this claim. */
  readonly until: number
}

export type Change =
  /** `launch` undefined: the session with all its launches. `ended` as it was given. */
  | {
      readonly kind: 'ended'
      readonly session: string
      readonly launch: string | undefined
      readonly ended: string
    }
  | { readonly kind: 'changed'; readonly session: string; readonly launch: string }
  /** The link was down or has lost something: anything may have happened. */
  | { readonly kind: 'gap' }

export function concerns(change: Change, key: LaunchKey): boolean {
  if (change.kind === 'gap') return true
  if (change.session !== key.session) return false
  return change.launch === undefined || change.launch === key.launch
}
