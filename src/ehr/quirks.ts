import type { Quirks, Tenant, Vendor } from '../config/schema/tenant.ts'
import type { Secret } from '../config/secret.ts'

export { redirectPathOf } from '../config/schema/tenant.ts'

/**
 * What each vendor's EHR does differently, as data: one row a vendor, every quirk a named option that a tenant's
 * `quirks` can override. Sources: the vendors' documents as cited at each row.
 */
export interface ResolvedQuirks {
  /** Issuers whose id_tokens are accepted; empty means those of `issuersFrom`. */
  readonly idTokenIssuers: readonly string[]
  /** The issuers of id_tokens, told from the discovery document's `issuer`. */
  readonly issuersFrom: (discoveryIssuer: string) => readonly string[]
  /** `post-ehr-launch`: a form for an EHR launch, the query for a standalone one. */
  readonly authorizeMethod: 'get' | 'post' | 'post-ehr-launch'
  /** Sent and required back. Off by default: servers exist that never echo it; state and PKCE carry the flow. */
  readonly nonce: boolean
  readonly endpoints: NonNullable<Quirks['endpoints']>
  readonly discoveryHeaders: Readonly<Record<string, Secret>>
  readonly scopeVersion: 'v1' | 'v2'
  /** RFC 6749 2.3.1 asks for form encoding; the SMART example and most servers take the raw pair. */
  readonly basicEncoding: 'raw' | 'form'
  /** Undefined: the token endpoint's URL (SMART App Launch 2.2, client-confidential-asymmetric). */
  readonly assertionAudience: string | undefined
  readonly includeJku: boolean
  readonly minRefreshSeconds: number
  /** Errors that end the authorization though RFC 6749 5.2 does not mean that by them. */
  readonly finalRefreshErrors: readonly string[]
  readonly allowHttp2: boolean
  readonly patientFallback: 'none' | 'fhirUser'
  readonly callbackIss: 'required' | 'optional'
  readonly introspection: boolean
  /** The EHR gives out its keys to those who name a client (`client_id` in the query). */
  readonly jwksClientId: boolean
  readonly styleHosts: readonly string[]
  readonly onNewPatient: 'parallel' | 'supersede'
}

const generic: ResolvedQuirks = {
  idTokenIssuers: [],
  issuersFrom: (issuer) => [issuer],
  authorizeMethod: 'get',
  nonce: false,
  endpoints: {},
  discoveryHeaders: {},
  scopeVersion: 'v2',
  basicEncoding: 'raw',
  assertionAudience: undefined,
  includeJku: false,
  minRefreshSeconds: 0,
  finalRefreshErrors: [],
  allowHttp2: false,
  patientFallback: 'none',
  callbackIss: 'optional',
  introspection: false,
  jwksClientId: false,
  styleHosts: [],
  onNewPatient: 'parallel',
}

/**
 * Differences that need no option are met for everybody, because each harms nobody: `need_patient_banner` as a string
 * (Epic), mixed-case and v1 scopes (Epic), `token_endpoint_auth_methods` without `_supported` (Veradigm), an absent
 * PKCE list (older Epic), no refresh token in a refresh (Epic, Oracle), one that replaces the old at once (Medplum),
 * context that comes only once (Epic, Oracle), unknown members (all).
 */
const vendorTable: Readonly<Record<Vendor, Partial<ResolvedQuirks>>> = {
  generic: {},
  epic: {
    // "client_id and secret are URL-encoded before they are base64-encoded": fhir.epic.com/Documentation?docId=oauth2.
    basicEncoding: 'form',
  },
  oracle: {
    // id_tokens name another issuer than discovery does: fhir.cerner.com/authorization/openid-connect.
    issuersFrom: millenniumIssuers,
    // Refreshing more often than once a minute may be throttled: fhir.cerner.com/authorization.
    minRefreshSeconds: 60,
  },
  // The discovery issuer is on another host than every endpoint, and id_tokens carry it: nothing to change.
  // github.com/api-evangelist/athenahealth, well-known/, captured 2026-08-14.
  athena: {
    // "client_id* Your app's client ID" of GET /oauth2/v1/keys: docs.athenahealth.com/api/guides/additional-oauth-endpoints.
    // Its introspection is a GET with the token in the query, which is never written here: leave that option off.
    jwksClientId: true,
  },
  // The same: github.com/api-evangelist/allscripts, well-known/, captured 2026-08-14.
  veradigm: {},
  // Assertions may be signed with RS256, RS384 and RS512 alone, which preflight tells; the issuer ends with a slash.
  // github.com/api-evangelist/meditech, authentication/meditech-greenfield-oauth.yml, captured 2026-08-06.
  meditech: {},
  medplum: {
    // Almost every refusal is 400 invalid_request, that of a used refresh token too:
    // github.com/medplum/medplum, packages/server/src/oauth/token.ts.
    finalRefreshErrors: ['invalid_request'],
    onNewPatient: 'supersede',
  },
}

/** `https://authorization.cerner.com/tenants/T` signs in as `…/tenants/T/oidc/idsps/T/` (seen in a token of 2025-01). */
function millenniumIssuers(discoveryIssuer: string): readonly string[] {
  const tenant = /\/tenants\/([A-Za-z0-9-]{1,64})$/.exec(discoveryIssuer)?.[1]
  if (tenant === undefined) return [discoveryIssuer]
  return [discoveryIssuer, `${discoveryIssuer}/oidc/idsps/${tenant}/`]
}

/** Where the keys of id_tokens are read; an address that the tenant itself names is taken as it stands. */
export function keysAddress(
  discovered: string,
  clientId: string,
  { endpoints, jwksClientId }: Pick<ResolvedQuirks, 'endpoints' | 'jwksClientId'>,
): string {
  if (endpoints.jwks !== undefined) return endpoints.jwks
  const url = new URL(discovered)
  if (jwksClientId) url.searchParams.set('client_id', clientId)
  return url.href
}

/** The vendor's row with the tenant's overrides on top. */
export function quirksOf(tenant: Tenant): ResolvedQuirks {
  const overrides = Object.fromEntries(
    Object.entries(tenant.quirks).filter(([, value]) => value !== undefined),
  ) as Partial<ResolvedQuirks>
  const row = { ...generic, ...vendorTable[tenant.vendor], ...overrides }
  return tenant.onNewPatient === undefined ? row : { ...row, onNewPatient: tenant.onNewPatient }
}
