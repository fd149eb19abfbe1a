import * as oauth from 'openid-client'
import { renewable, type Renewal } from '../config/renewable.ts'
import type { Tenant } from '../config/schema/tenant.ts'
import { type ErrorCode, SmartBffError } from '../errors.ts'
import type { JsonObject } from '../smart/json.ts'
import {
  authorizationRequest,
  type AuthorizationAsk,
  type AuthorizationRequest,
} from './authorization-request.ts'
import { clientAuthOf } from './client-auth.ts'
import type { Discovery } from './discovery.ts'
import { issuedOf, type Issued } from './issued.ts'
import { prepareCall, type Call, type CallDeps } from './oauth-call.ts'
import type { OAuthError } from './token-answer.ts'

/** The OAuth half of one tenant's EHR. openid-client does the protocol; requests go through our bounded http. */
export interface OAuthClient {
  /** For GET or for POST, as the tenant's `authorizeMethod` says. */
  authorization(ask: AuthorizationAsk): Promise<AuthorizationRequest>
  /** Throws LAUNCH_TOKEN_REFUSED, LAUNCH_TOKEN_INVALID, LAUNCH_CALLBACK_INVALID, EHR_UNREACHABLE, EHR_TIMEOUT. */
  exchange(ask: ExchangeAsk): Promise<Issued>
  /** Asks `maySend` when everything is ready to go: what then may not be sent is `unsent`. */
  refresh(refreshToken: string, maySend?: () => boolean): Promise<RefreshAnswer>
  /** RFC 7009; `false` where the EHR has no revocation endpoint. Throws on a fault. */
  revoke(token: string, hint: 'refresh_token' | 'access_token'): Promise<boolean>
  /** RFC 7662. Throws EHR_DISCOVERY_INVALID without an endpoint, LAUNCH_TOKEN_REFUSED, EHR_UNREACHABLE, EHR_TIMEOUT. */
  introspect(token: string): Promise<JsonObject>
  /** The client proves itself with another secret or key from now on. */
  readonly renew: Renewal<Tenant>
}

export interface ExchangeAsk {
  /** The redirect URI from the configuration with the callback's own query, never the proxied host. */
  readonly callbackUrl: URL
  readonly state: string
  readonly verifier: string
}

export type RefreshAnswer =
  | { readonly kind: 'issued'; readonly issued: Issued }
  | { readonly kind: 'refused'; readonly error: OAuthError }
  | { readonly kind: 'uncertain'; readonly reason: ErrorCode | 'unreadable' | 'fault' }
  | { readonly kind: 'unsent' }

export interface OAuthClientDeps extends CallDeps {
  readonly discovery: Discovery
  readonly jwksUrl: string
}

export function createOAuthClient(deps: OAuthClientDeps): OAuthClient {
  const client = renewable(deps.tenant, (tenant) => ({
    authenticate: clientAuthOf(tenant.client, deps.quirks, deps.jwksUrl),
  }))

  /** A configuration per call is cheap and gives each call its own view of what the token endpoint answered. */
  const prepare = async (maySend?: () => boolean): Promise<Call> => {
    const document = await deps.discovery.current()
    return prepareCall(deps, document, client.part.authenticate, maySend)
  }

  return {
    authorization: async (ask) => {
      const { configuration } = await prepare()
      return authorizationRequest(configuration, deps.quirks, deps.tenant.iss, ask)
    },
    exchange: async (ask) => exchange(await prepare(), ask),
    refresh: async (refreshToken, maySend) => refresh(await prepare(maySend), refreshToken),
    revoke: async (token, hint) => {
      const { configuration } = await prepare()
      if (configuration.serverMetadata().revocation_endpoint === undefined) return false
      await oauth.tokenRevocation(configuration, token, { token_type_hint: hint })
      return true
    },
    introspect: async (token) => introspect(await prepare(), token),
    renew: client.renew,
  }
}

async function introspect({ configuration, seen }: Call, token: string): Promise<JsonObject> {
  if (configuration.serverMetadata().introspection_endpoint === undefined) {
    throw new SmartBffError('EHR_DISCOVERY_INVALID', { detail: 'no introspection_endpoint' })
  }
  try {
    const hint = { token_type_hint: 'access_token' }
    return { ...(await oauth.tokenIntrospection(configuration, token, hint)) }
  } catch (cause) {
    throw seen.fault ?? new SmartBffError('LAUNCH_TOKEN_REFUSED', { detail: 'other', cause })
  }
}

async function exchange(call: Call, ask: ExchangeAsk): Promise<Issued> {
  try {
    await oauth.authorizationCodeGrant(call.configuration, ask.callbackUrl, {
      expectedState: ask.state,
      pkceCodeVerifier: ask.verifier,
    })
  } catch (cause) {
    throw exchangeFault(call.seen, cause)
  }
  const issued = issuedOf(call.seen.answer)
  if (issued === undefined) throw new SmartBffError('LAUNCH_TOKEN_INVALID')
  return issued
}

function exchangeFault(seen: Call['seen'], cause: unknown): SmartBffError {
  if (seen.fault !== undefined) return seen.fault
  const { answer } = seen
  // Nothing was sent: the callback itself was not acceptable (RFC 9207 iss, repeated parameters).
  if (answer === undefined) return new SmartBffError('LAUNCH_CALLBACK_INVALID', { cause })
  if (answer.kind === 'refused') {
    return new SmartBffError('LAUNCH_TOKEN_REFUSED', { detail: answer.error })
  }
  if (answer.kind === 'uncertain') {
    return new SmartBffError('LAUNCH_TOKEN_REFUSED', { detail: `status ${answer.status}` })
  }
  return new SmartBffError('LAUNCH_TOKEN_INVALID', { cause })
}

async function refresh(call: Call, refreshToken: string): Promise<RefreshAnswer> {
  try {
    await oauth.refreshTokenGrant(call.configuration, refreshToken)
  } catch {
    const { answer, fault, unsent } = call.seen
    if (unsent === true) return { kind: 'unsent' }
    if (fault !== undefined) return { kind: 'uncertain', reason: fault.code }
    if (answer?.kind === 'refused') return { kind: 'refused', error: answer.error }
    return { kind: 'uncertain', reason: answer?.kind === 'unreadable' ? 'unreadable' : 'fault' }
  }
  const issued = issuedOf(call.seen.answer)
  return issued === undefined
    ? { kind: 'uncertain', reason: 'unreadable' }
    : { kind: 'issued', issued }
}
