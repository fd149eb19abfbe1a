/** What `GET /launches/:launch` answers: all an app may know of its launch. Never a token. */
export interface LaunchInfo {
  readonly launch: string
  readonly state: string
  readonly tenant: { readonly id: string; readonly name: string }
  readonly mode: string
  /** The FHIR base URL of this launch, a path on this origin: `/fhir/<launch>`. */
  readonly fhir: string
  readonly user: { readonly fhirUser: string | null; readonly kind: string | null }
  readonly patient: string | null
  readonly encounter: string | null
  readonly fhirContext: readonly Readonly<Record<string, unknown>>[]
  readonly intent: string | null
  readonly needPatientBanner: boolean
  readonly style: Readonly<Record<string, string>> | null
  /** Granted scopes. */
  readonly scopes: readonly string[]
  readonly allow: readonly AllowInfo[]
  /** ISO 8601 instants; `token` is null where the EHR did not say. */
  readonly expires: {
    readonly idle: string
    readonly absolute: string
    readonly token: string | null
  }
  readonly support: string | null
}

export interface AllowInfo {
  readonly feature: string
  readonly resource?: string
  readonly interactions?: readonly string[]
  readonly operation?: string
  readonly bundle?: readonly string[]
}
