import { createLocalJWKSet, decodeJwt, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose'
import type { Tenant } from '../config/schema/tenant.ts'
import { SmartBffError } from '../errors.ts'
import { isJsonObject, parseJsonObject, type JsonObject } from '../smart/json.ts'
import type { Discovery } from './discovery.ts'
import type { EhrHttp } from './http.ts'
import type { ResolvedQuirks } from './quirks.ts'

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
}

const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'ES256', 'ES384', 'ES512']
const clockToleranceSeconds = 60
const keysFreshMs = 600_000
/** A token signed with a key we do not have asks for the keys again, this often at most. */
const keysRetryMs = 30_000
const tokenLengthMax = 32_768
const claimLengthMax = 1_000

export function createIdentity(deps: IdentityDeps): Identity {
  const keySets = createKeySets(deps)
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
      const jwksUri =
        document.jwksUri !== undefined && issuer === document.issuer
          ? document.jwksUri
          : await keySets.locate(issuer)
      const claims = await keySets.verify(jwksUri, idToken, {
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

interface KeySets {
  /** SMART @218: the issuer's openid-configuration names its keys. */
  locate(issuer: string): Promise<string>
  verify(
    jwksUri: string,
    idToken: string,
    options: Parameters<typeof jwtVerify>[2],
  ): Promise<JWTPayload>
}

function createKeySets(deps: IdentityDeps): KeySets {
  const kept = new Map<string, { keys: JSONWebKeySet; fetchedAt: number }>()
  const located = new Map<string, string>()

  const keysAt = async (jwksUri: string, olderThanMs: number): Promise<JSONWebKeySet> => {
    const entry = kept.get(jwksUri)
    if (entry !== undefined && deps.now() - entry.fetchedAt < olderThanMs) return entry.keys
    const keys = readKeySet(await getJson(deps.http, jwksUri))
    kept.set(jwksUri, { keys, fetchedAt: deps.now() })
    return keys
  }

  return {
    locate: async (issuer) => {
      const known = located.get(issuer)
      if (known !== undefined) return known
      const base = issuer.endsWith('/') ? issuer.slice(0, -1) : issuer
      const document = await getJson(deps.http, `${base}/.well-known/openid-configuration`)
      const jwksUri = readJwksUri(document, issuer, deps.tenant)
      located.set(issuer, jwksUri)
      return jwksUri
    },
    verify: async (jwksUri, idToken, options) => {
      const tryWith = async (keys: JSONWebKeySet): Promise<JWTPayload> =>
        (await jwtVerify(idToken, createLocalJWKSet(keys), options)).payload
      try {
        return await tryWith(await keysAt(jwksUri, keysFreshMs))
      } catch (cause) {
        if (!isUnknownKey(cause)) throw asInvalid(cause)
      }
      return tryWith(await keysAt(jwksUri, keysRetryMs)).catch((cause: unknown) => {
        throw asInvalid(cause)
      })
    },
  }
}

async function getJson(http: EhrHttp, url: string): Promise<JsonObject> {
  const answer = await http.send({
    url: new URL(url),
    method: 'GET',
    headers: { accept: 'application/json' },
  })
  if (answer.status !== 200) throw new SmartBffError('EHR_UNREACHABLE', { detail: 'keys' })
  const document = parseJsonObject(answer.body)
  if (document === undefined) throw invalid('keys are not JSON')
  return document
}

function readKeySet(document: JsonObject): JSONWebKeySet {
  const { keys } = document
  if (!Array.isArray(keys)) throw invalid('no key set')
  const usable = keys.filter(isJsonObject).filter((key) => typeof key['kty'] === 'string')
  return { keys: usable.map((key) => ({ ...key, kty: String(key['kty']) })) }
}

function readJwksUri(document: JsonObject, issuer: string, tenant: Tenant): string {
  const { issuer: said, jwks_uri: uri } = document
  if (said !== issuer || typeof uri !== 'string') throw invalid('openid-configuration')
  const url = URL.parse(uri)
  const plainAllowed = url?.protocol === 'http:' && tenant.iss.startsWith('http:')
  if (url === null || (url.protocol !== 'https:' && !plainAllowed)) throw invalid('jwks_uri')
  return url.href
}

const isUnknownKey = (cause: unknown): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === 'ERR_JWKS_NO_MATCHING_KEY'

const asInvalid = (cause: unknown): SmartBffError =>
  cause instanceof SmartBffError ? cause : invalid('id_token', cause)

function invalid(detail: string, cause?: unknown): SmartBffError {
  return new SmartBffError('LAUNCH_IDENTITY_INVALID', { detail, cause })
}
