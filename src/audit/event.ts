import type { AuditReason } from './reasons.ts'
import type { AuditEventName } from './event-names.ts'
import type { UserState } from '../errors.ts'
import type { LaunchState, UserKind } from '../vault/record.ts'

/**
 * What a station hands to the audit. Identifiers come in as they are and never leave the audit so: `src/audit` turns
 * patient, patient-like user and client address into keyed pseudonyms and the launch id into a short hash before
 * anything is written (DESIGN rule 9). There is no member that could hold a name, a value or a URL.
 */
export interface AuditEvent {
  readonly event: AuditEventName
  readonly outcome: 'success' | 'refused' | 'failed'
  /** The state the user was told, or the state the launch went to. */
  readonly state?: UserState | LaunchState | 'pending' | undefined
  readonly tenant?: string | undefined
  readonly mode?: string | undefined
  /** The launch id. Written as the first 16 hex digits of its SHA-256. */
  readonly launch?: string | undefined
  /** The incident number that stands on pages and in SMART-BFF-Request. */
  readonly request?: string | undefined
  /** The address of the browser. Written as a pseudonym. */
  readonly client?: string | undefined
  readonly user?: AuditUser | undefined
  /** Patient ids at the tenant. Written as pseudonyms. */
  readonly patient?: string | readonly string[] | undefined
  /** The `feature` of the allow rule. */
  readonly rule?: string | undefined
  readonly interaction?: string | undefined
  readonly resource?: string | undefined
  /** In the files of a write alone, as a pseudonym behind the type: `Observation/p1.…`. */
  readonly resourceId?: string | undefined
  readonly operation?: string | undefined
  /**
   * Search parameters: names with modifiers, values only where safe-values.ts has the name. `+` in front of those that
   * narrowed the search and were not asked for.
   */
  readonly parameters?: readonly { readonly name: string; readonly value: string }[] | undefined
  readonly requested?: string | undefined
  readonly granted?: string | undefined
  /** Names of the launch context members received. */
  readonly context?: readonly string[] | undefined
  readonly version?: string | undefined
  readonly status?: number | undefined
  readonly upstreamStatus?: number | undefined
  readonly count?: number | undefined
  readonly bytes?: number | undefined
  readonly ms?: number | undefined
  /** A code of errors.ts or a word of reasons.ts: the compiler refuses any other, and the line would say `?`. */
  readonly reason?: AuditReason | undefined
  /** Who acted, where it was not the user: `system`, `staff`, `ehr`, `stranger`. */
  readonly actor?: string | undefined
}

/** One record names no more patients than this: an answer about more of them cannot be given (DESIGN rules 6 and 8). */
export const maxPatients = 5000

export interface AuditUser {
  readonly issuer: string | undefined
  readonly subject: string | undefined
  readonly fhirUser: string | undefined
  /** A member of the staff stands by his login name. */
  readonly kind: UserKind | 'staff' | undefined
}

/** The one door. */
export interface Audit {
  /** Resolves once the record is written; throws SmartBffError AUDIT_UNAVAILABLE within 2 s otherwise (DESIGN rule 8). */
  record(event: AuditEvent): Promise<void>
  /** False while records cannot be written: readiness says so. */
  healthy(): boolean
  close(): Promise<void>
}

export type { AuditEventName } from './event-names.ts'
