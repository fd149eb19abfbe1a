/**
 * What the server alone holds about one launch. It exists in the clear only in this process's memory; in the store it
 * is sealed (DESIGN rule 10). Times are milliseconds since the epoch.
 */
export interface LaunchRecord {
  /** Version of this shape, so that two releases can run side by side on one store. */
  readonly schema: 1
  /** The launch id that stands in URLs; drawn at /launch. */
  readonly launch: string
  readonly tenant: string
  readonly mode: string
  readonly state: LaunchState
  readonly user: LaunchUser
  readonly context: LaunchContext
  /** Scope strings as sent and as received, separated by one space. Without `scope` in the answer: ''. */
  readonly scopes: { readonly requested: string; readonly granted: string }
  readonly tokens: LaunchTokens
  readonly startedAt: number
  /** The absolute timeout: nothing can lengthen it. */
  readonly absoluteAt: number
}

/** `active` and `reauth_required` live; the rest are final. `pending` has no record: it stands under `tx:`. */
export type LiveState = 'active' | 'reauth_required'
export type FinalState = 'superseded' | 'revoked' | 'ended' | 'expired'
/** `launch_limit`: more launches in one browser than `launchesPerBrowser`, and this was the oldest. */
export type EndCause = 'launch_limit'
export type LaunchState = LiveState | FinalState

export type UserKind = 'practitioner' | 'patient' | 'related_person' | 'other'

/** DESIGN rule 14: a user is (tenant, id_token iss and sub), else (tenant, fhirUser). An unknown user equals nobody. */
export interface LaunchUser {
  readonly issuer: string | undefined
  readonly subject: string | undefined
  /** Relative to the tenant's FHIR base where it stands there: `Practitioner/7`. */
  readonly fhirUser: string | undefined
  readonly kind: UserKind | undefined
}

/** SMART App Launch 2.2, launch context parameters (smart-conformance.md 1.11). Validated; unknown members dropped. */
export interface LaunchContext {
  readonly patient: string | undefined
  readonly encounter: string | undefined
  readonly fhirContext: readonly FhirContextItem[]
  readonly intent: string | undefined
  readonly needPatientBanner: boolean
  readonly styleUrl: string | undefined
  readonly tenant: string | undefined
}

export interface FhirContextItem {
  readonly reference?: string
  readonly canonical?: string
  readonly identifier?: { readonly system?: string; readonly value?: string }
  readonly type?: string
  readonly role?: string
}

export interface LaunchTokens {
  readonly access: string
  /** When the access token was received; with `accessExpiresAt` it gives the lifetime. */
  readonly receivedAt: number
  /** Undefined when the EHR did not say. */
  readonly accessExpiresAt: number | undefined
  readonly refresh: string | undefined
}
