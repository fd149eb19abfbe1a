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
import type { EhrAnswer, EhrHttp } from './http.ts'
import { issuedOf, type Issued } from './issued.ts'
import type { ResolvedQuirks } from './quirks.ts'
import type { SmartConfiguration } from './smart-configuration.ts'
import { readTokenAnswer, type OAuthError, type TokenAnswer } from './token-answer.ts'

/** The OAuth half of one tenant's EHR. openid-client does the protocol; requests go through our bounded http. */
export interface OAuthClient {
  /** For GET or for POST, as the tenant's `authorizeMethod` says. */
  authorization(ask: AuthorizationAsk): Promise<AuthorizationRequest>
  /** Throws LAUNCH_TOKEN_REFUSED, LAUNCH_TOKEN_INVALID, LAUNCH_CALLBACK_INVALID, EHR_UNREACHABLE, EHR_TIMEOUT. */
  exchange(ask: ExchangeAsk): Promise<Issued>
  refresh(refreshToken: string): Promise<RefreshAnswer>
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

export interface OAuthClientDeps {
  readonly tenant: Tenant
  readonly quirks: ResolvedQuirks
  readonly discovery: Discovery
  readonly http: EhrHttp
  readonly jwksUrl: string
}

export function createOAuthClient(deps: OAuthClientDeps): OAuthClient {
  const client = renewable(deps.tenant, (tenant) => ({
    authenticate: clientAuthOf(tenant.client, deps.quirks, deps.jwksUrl),
  }))

  /** A configuration per call is cheap and gives each call its own view of what the token endpoint answered. */
  const prepare = async (): Promise<Call> => {
    const document = await deps.discovery.current()
    return prepareCall(deps, document, client.part.authenticate)
  }

  return {
    authorization: async (ask) => {
      const { configuration } = await prepare()
      return authorizationRequest(configuration, deps.quirks, deps.tenant.iss, ask)
    },
    exchange: async (ask) => exchange(await prepare(), ask),
    refresh: async (refreshToken) => refresh(await prepare(), refreshToken),
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

interface Call {
  readonly configuration: oauth.Configuration
  readonly seen: { answer?: TokenAnswer; fault?: SmartBffError }
}

function prepareCall(
  deps: OAuthClientDeps,
  document: SmartConfiguration,
  clientAuth: oauth.ClientAuth,
): Call {
  const configuration = new oauth.Configuration(
    {
      issuer: document.issuer,
      authorization_endpoint: document.authorizationEndpoint,
      token_endpoint: document.tokenEndpoint,
      ...(document.revocationEndpoint === undefined
        ? {}
        : { revocation_endpoint: document.revocationEndpoint }),
      ...(document.introspectionEndpoint === undefined
        ? {}
        : { introspection_endpoint: document.introspectionEndpoint }),
      code_challenge_methods_supported: ['S256'],
      // RFC 9207 2.4: checked whenever sent; required where the tenant (DESIGN rule 3) or the EHR itself says so.
      authorization_response_iss_parameter_supported:
        deps.quirks.callbackIss === 'required' || document.callbackIss,
    },
    deps.tenant.client.id,
    {},
    clientAuth,
  )
  // The configuration refuses http endpoints outside development before any client exists.
  if (deps.tenant.iss.startsWith('http:')) oauth.allowInsecureRequests(configuration)
  const seen: Call['seen'] = {}
  configuration[oauth.customFetch] = async (url, options) => {
    const answer = await sendForm(deps.http, new URL(url), options).catch((fault: unknown) => {
      if (fault instanceof SmartBffError) seen.fault = fault
      throw fault
    })
    if (url === document.introspectionEndpoint) return bodyResponse(answer)
    if (url !== document.tokenEndpoint) return plainResponse(answer)
    seen.answer = readTokenAnswer(answer)
    return conformantResponse(seen.answer)
  }
  return { configuration, seen }
}

async function sendForm(
  http: EhrHttp,
  url: URL,
  options: oauth.CustomFetchOptions,
): Promise<EhrAnswer> {
  const headers = Object.fromEntries(new Headers(options.headers).entries())
  return http.send({ url, method: 'POST', headers, body: formText(options.body) })
}

/** The library hands over a form; anything else is not one of our requests. */
function formText(body: oauth.CustomFetchOptions['body']): string {
  if (body instanceof URLSearchParams) return body.toString()
  return typeof body === 'string' ? body : ''
}

/** RFC 7662 2.2: JSON, whatever the server calls it. */
const bodyResponse = ({ status, body }: EhrAnswer): Response =>
  new Response(body, { status, headers: jsonHeaders })

const jsonHeaders = { 'content-type': 'application/json' }

/** RFC 7009 2.2: 200 is the answer; servers that send 204 mean the same. */
function plainResponse(answer: EhrAnswer): Response {
  return new Response(null, { status: answer.status === 204 ? 200 : answer.status })
}

function conformantResponse(answer: TokenAnswer): Response {
  if (answer.kind === 'issued') {
    return new Response(JSON.stringify(answer.members), { headers: jsonHeaders })
  }
  const error = answer.kind === 'refused' ? answer.error : 'server_error'
  return new Response(JSON.stringify({ error }), { status: 400, headers: jsonHeaders })
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
    const { answer, fault } = call.seen
    if (fault !== undefined) return { kind: 'uncertain', reason: fault.code }
    if (answer?.kind === 'refused') return { kind: 'refused', error: answer.error }
    return { kind: 'uncertain', reason: answer?.kind === 'unreadable' ? 'unreadable' : 'fault' }
  }
  const issued = issuedOf(call.seen.answer)
  return issued === undefined
    ? { kind: 'uncertain', reason: 'unreadable' }
    : { kind: 'issued', issued }
}
