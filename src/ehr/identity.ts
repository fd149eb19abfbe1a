import { decodeJwt, type JWTPayload } from 'jose'
import type { Tenant } from '../config/schema/tenant.ts'
import type { Discovery } from './discovery.ts'
import type { EhrHttp } from './http.ts'
import { createIdTokenKeys, invalid } from './id-token-keys.ts'
import { keysAddress, type ResolvedQuirks } from './quirks.ts'

/**
 * Who is signed in, from an id_token verified by signature, issuer, audience and expiry (OIDC Core 3.1.3.7; SMART @201,
 * @218). Its issuer must be on the tenant's list before anything is fetched from it.
 */
export interface Identity {
  /** Throws LAUNCH_IDENTITY_INVALID; EHR_UNREACHABLE or EHR_TIMEOUT when the keys cannot be fetched. */
  verify(idToken: string, nonce: string | undefined): Promise<VerifiedClaims>
}

export interface VerifiedClaims {
  readonly issuer: string
  readonly subject: string
  /** As the EHR wrote it; read by src/smart/fhir-user.ts. */
  readonly fhirUser: string | undefined
}

export interface IdentityDeps {
  readonly tenant: Tenant
  readonly quirks: ResolvedQuirks
  readonly discovery: Discovery
  readonly http: EhrHttp
  readonly now: () => number
  /** Told when the keys move to another origin, which is not adopted. */
  readonly onMoved: (endpoint: string) => void
}

const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'ES256', 'ES384', 'ES512']
const clockToleranceSeconds = 60
const tokenLengthMax = 32_768
const claimLengthMax = 1_000

export function createIdentity(deps: IdentityDeps): Identity {
  const keys = createIdTokenKeys(deps)
  return {
    verify: async (idToken, nonce) => {
      if (idToken.length > tokenLengthMax) throw invalid('id_token too long')
      const document = await deps.discovery.current()
      const trusted =
        deps.quirks.idTokenIssuers.length > 0
          ? deps.quirks.idTokenIssuers
          : deps.quirks.issuersFrom(document.issuer)
      const issuer = issuerOf(idToken)
      if (!trusted.includes(issuer)) throw invalid('issuer not on the list')
      const named = issuer === document.issuer ? document.jwksUri : undefined
      const discovered = deps.quirks.endpoints.jwks ?? named ?? (await keys.locate(issuer))
      const jwksUri = keysAddress(discovered, deps.tenant.client.id, deps.quirks)
      const claims = await keys.verify(jwksUri, idToken, {
        issuer,
        audience: deps.tenant.client.id,
        algorithms,
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(deps.now()),
        requiredClaims: ['sub', 'exp', 'iat'],
      })
      return readClaims(claims, issuer, deps.tenant.client.id, nonce)
    },
  }
}

function issuerOf(idToken: string): string {
  try {
    return decodeJwt(idToken).iss ?? ''
  } catch (cause) {
    throw invalid('not a JWT', cause)
  }
}

function readClaims(
  claims: JWTPayload,
  issuer: string,
  clientId: string,
  nonce: string | undefined,
): VerifiedClaims {
  // OIDC Core 3.1.3.7, 4 and 5: with several audiences `azp` must name this client.
  const { azp } = claims
  if (Array.isArray(claims.aud) && claims.aud.length > 1 && azp !== clientId) throw invalid('azp')
  if (azp !== undefined && azp !== clientId) throw invalid('azp')
  if (nonce !== undefined && claims['nonce'] !== nonce) throw invalid('nonce')
  const subject = claims.sub
  if (subject === undefined || subject === '' || subject.length > claimLengthMax) {
    throw invalid('sub')
  }
  const fhirUser = claims['fhirUser'] ?? claims['profile']
  const usable = typeof fhirUser === 'string' && fhirUser.length <= claimLengthMax
  return { issuer, subject, fhirUser: usable ? fhirUser : undefined }
}
