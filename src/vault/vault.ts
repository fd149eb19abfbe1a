import type { AuditReason } from '../audit/reasons.ts'
import type { Deadline, LaunchKey, Lease, Slide } from '../store/store.ts'
import type { EndStory, SessionStory, UntoldStory } from './ends.ts'
import type { EndCause, FinalState, LaunchContext, LaunchRecord } from './record.ts'

/** Sealed launch records: the only place where a token is opened (DESIGN rules 1, 10, 11). */
export interface Vault {
  /** `false` when the session has ended meanwhile. */
  create(key: LaunchKey, record: LaunchRecord): Promise<boolean>
  /** One store trip. Judges the idle and absolute clocks: a launch whose time is over reads as `ended: 'expired'`. */
  open(key: LaunchKey): Promise<Opening>
  /** Conditional on the version that was opened; `undefined` when another write or an end came first. */
  replace(
    key: LaunchKey,
    opened: OpenLaunch,
    record: LaunchRecord,
    lease?: Lease,
  ): Promise<OpenLaunch | undefined>
  /**
   * Activity (DESIGN rule 13): the idle clocks of the launch and of its session begin anew, never beyond the absolute
   * timeout, and never of a launch that is over. `session_changed`: read the session again.
   */
  touch(key: LaunchKey, opened: OpenLaunch, session: Slide['session']): Promise<Touched>
  /**
   * Answers the record it ended, to be told of and revoked at the EHR (ends.ts); `undefined` when it was not alive. The
   * story stands with the end until `told`: whoever never gets this answer leaves the telling to the sweeper.
   */
  end(key: LaunchKey, state: FinalState, story?: EndStory): Promise<LaunchRecord | undefined>
  /** Ends the session with all its launches. */
  endSession(session: string, state: FinalState, story?: EndStory): Promise<readonly LaunchRecord[]>
  /** An end of which nobody has told yet. */
  untold(key: LaunchKey): Promise<UntoldStory | undefined>
  untoldSession(session: string): Promise<SessionStory | undefined>
  /** The end has been told: of a launch, or of a session itself. */
  told(what: Deadline): Promise<void>
  /** Live launches of a session (for GET of several, supersede, user change). */
  list(session: string): Promise<readonly OpenLaunch[]>
}

export type Touched =
  | { readonly kind: 'touched'; readonly idleAt: number }
  | { readonly kind: 'gone' | 'session_changed' }

export interface OpenLaunch {
  readonly record: LaunchRecord
  readonly version: number
  readonly idleAt: number
}

export type Opening =
  { readonly kind: 'open'; readonly launch: OpenLaunch } | { readonly kind: 'missing' } | Ended

export interface Ended {
  readonly kind: 'ended'
  readonly state: FinalState
  /** Where the user is told more than the state says. */
  readonly cause?: EndCause
}

/** What the EHR's token endpoint made of a refresh; judged by src/ehr, used by refresh.ts. */
export type RefreshOutcome =
  | {
      readonly kind: 'refreshed'
      readonly access: string
      readonly expiresInSeconds: number | undefined
      /** Undefined: keep the old one. */
      readonly refresh: string | undefined
      /** Undefined: unchanged. */
      readonly granted: string | undefined
      /** The launch context members that came. A patient among them is the record's own, or its first. */
      readonly context?: Partial<LaunchContext>
    }
  /** Refused for good (invalid_grant and its kin): the user must authorize again. */
  | { readonly kind: 'refused'; readonly reason: AuditReason }
  /** Timeout, connection fault, 5xx, or a refusal of us and not of the token: it may or may not have happened. */
  | { readonly kind: 'uncertain'; readonly reason: AuditReason }
  /** It might not be sent any more. */
  | { readonly kind: 'unsent' }

/** Gives every FHIR request a token that should still work; at most one refresh at a time across all replicas. */
export interface Tokens {
  /**
   * The launch with a current token: as it is, at once and without a promise, or refreshed when it is about to expire.
   * Throws SmartBffError TOKEN_EXPIRED (the user must authorize again), LAUNCH_ENDED, EHR_UNREACHABLE or STORE_UNAVAILABLE.
   */
  current(key: LaunchKey, opened: OpenLaunch): OpenLaunch | Promise<OpenLaunch>
  /**
   * The EHR answered 401 to the token in `opened`: a newer one, from another's refresh or our own. `opened` itself where a
   * newer one would meet the same: the EHR's answer stands. Throws like `current`.
   */
  afterRefusal(key: LaunchKey, opened: OpenLaunch): Promise<OpenLaunch>
  /** What the EHR answered to the one that `afterRefusal` gave. Never throws. */
  triedAgain(key: LaunchKey, renewed: OpenLaunch, status: number): Promise<void>
}
