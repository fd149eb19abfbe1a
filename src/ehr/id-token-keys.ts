import { createLocalJWKSet, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose'
import type { Tenant } from '../config/schema/tenant.ts'
import { SmartBffError } from '../errors.ts'
import { isJsonObject, parseJsonObject, type JsonObject } from '../smart/json.ts'
import type { EhrHttp } from './http.ts'
import { createKept } from './kept.ts'

/** The keys that an EHR signs id_tokens with: found, kept, and asked for again when an unknown one appears. */
export interface IdTokenKeys {
  /** SMART @218: the issuer's openid-configuration names its keys. The issuer must be trusted before. */
  locate(issuer: string): Promise<string>
  verify(
    jwksUri: string,
    idToken: string,
    options: Parameters<typeof jwtVerify>[2],
  ): Promise<JWTPayload>
}

export interface IdTokenKeysDeps {
  readonly tenant: Tenant
  readonly http: EhrHttp
  readonly now: () => number
  readonly onMoved: (endpoint: string) => void
}

const locationFreshMs = 3_600_000
const keysFreshMs = 600_000
/** A token signed with a key we do not have asks for the keys again, this often at most. */
const keysRetryMs = 30_000

export function createIdTokenKeys({ tenant, http, now, onMoved }: IdTokenKeysDeps): IdTokenKeys {
  const keySets = createKept({
    freshMs: keysFreshMs,
    now,
    load: async (jwksUri) => readKeySet(await getJson(http, jwksUri)),
  })
  const locations = createKept<string>({
    freshMs: locationFreshMs,
    now,
    load: async (issuer, before) => {
      if (secureUrl(issuer, tenant) === undefined) throw invalid('issuer is no https address')
      const base = issuer.endsWith('/') ? issuer.slice(0, -1) : issuer
      const document = await getJson(http, `${base}/.well-known/openid-configuration`)
      const found = readJwksUri(document, issuer, tenant)
      // DESIGN rule 7: a move to another origin is reported, not adopted.
      if (before === undefined || new URL(before).origin === new URL(found).origin) return found
      onMoved('jwks_uri')
      return before
    },
  })

  return {
    locate: (issuer) => locations.get(issuer),
    verify: async (jwksUri, idToken, options) => {
      const tryWith = async (keys: JSONWebKeySet): Promise<JWTPayload> =>
        (await jwtVerify(idToken, createLocalJWKSet(keys), options)).payload
      try {
        return await tryWith(await keySets.get(jwksUri))
      } catch (cause) {
        if (!isUnknownKey(cause)) throw asInvalid(cause)
      }
      const newest = await keySets.newer(jwksUri, keysRetryMs)
      return tryWith(newest).catch((cause: unknown) => {
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
  const url = secureUrl(uri, tenant)
  if (url === undefined) throw invalid('jwks_uri')
  return url.href
}

/** SMART @1; http passes only where the tenant itself is http (development). */
function secureUrl(text: string, tenant: Tenant): URL | undefined {
  const url = URL.parse(text)
  const plainAllowed = url?.protocol === 'http:' && tenant.iss.startsWith('http:')
  return url !== null && (url.protocol === 'https:' || plainAllowed) ? url : undefined
}

const isUnknownKey = (cause: unknown): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === 'ERR_JWKS_NO_MATCHING_KEY'

const asInvalid = (cause: unknown): SmartBffError =>
  cause instanceof SmartBffError ? cause : invalid('id_token', cause)

/** For the audit and the log; the user reads one calm sentence. */
export function invalid(detail: string, cause?: unknown): SmartBffError {
  return new SmartBffError('LAUNCH_IDENTITY_INVALID', { detail, cause })
}
