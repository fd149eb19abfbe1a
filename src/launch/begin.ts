import { randomNonce, randomPKCECodeVerifier, randomState } from 'openid-client'
import type { Audit } from '../audit/event.ts'
import type { Ehrs } from '../ehr/connection.ts'
import type { FormField } from '../ehr/authorization-request.ts'
import { SmartBffError } from '../errors.ts'
import type { SessionCookies } from '../session/cookies.ts'
import { requestedScopes } from '../smart/requested-scopes.ts'
import {
  clearStalePendingCookies,
  newPendingCookie,
  pendingCookiePrefix,
  readPendingCookies,
  setPendingCookie,
  type PendingCookie,
} from '../session/pending-cookies.ts'
import { hashCookie } from '../vault/names.ts'
import type { PendingVault } from '../vault/pending.ts'
import type { Directory, Place } from './directory.ts'
import { readLaunchParameters, type LaunchParameters } from './parameters.ts'

/** The EHR (or the user, standalone) opens the app: everything up to the redirect to the EHR's authorization page. */
export interface BeginAsk {
  /** Path and query as received. */
  readonly rawUrl: string
  /** From the path of `/launch/:tenant/:mode`; undefined at `/launch`. */
  readonly path: { readonly tenant: string; readonly mode: string } | undefined
  readonly cookieHeader: string | undefined
  readonly incident: string
  readonly client: string
  /** The launch id, drawn before anything is judged, so that a refused launch has a story too (DESIGN.md). */
  readonly launch: string
  /** The session of the launch that is to be authorized anew; `launch` is then its id. */
  readonly renews?: string
  /** Where in the app that was asked for. */
  readonly returnTo?: string | undefined
}

export type Begun =
  | { readonly kind: 'redirect'; readonly location: string; readonly setCookies: readonly string[] }
  /** The authorization request as a form that the page posts by itself. */
  | {
      readonly kind: 'form'
      readonly action: string
      readonly fields: readonly FormField[]
      readonly setCookies: readonly string[]
    }
  /** Nothing has been sent to the EHR, the launch value is unspent (DESIGN.md, "Is the cookie kept?"). */
  | { readonly kind: 'cookie_not_kept'; readonly place: Place; readonly launchUrl: string }

export interface BeginDeps {
  readonly directory: Directory
  readonly ehrs: Ehrs
  readonly sessionCookies: SessionCookies
  readonly pending: PendingVault
  readonly audit: Audit
  readonly now: () => number
  /** Pending cookies kept in one browser. */
  readonly pendingMax: number
}

/** Which tenant and mode a launch is for; apart, so that a refusal's page can carry the tenant's text. */
export function placeOf(directory: Directory, ask: BeginAsk): Place {
  const parameters = readLaunchParameters(ask.rawUrl)
  const place =
    ask.path === undefined
      ? directory.byIss(requiredIss(parameters))
      : directory.byPath(ask.path.tenant, ask.path.mode)
  judgeParameters(place, parameters)
  return place
}

export async function begin(deps: BeginDeps, place: Place, ask: BeginAsk): Promise<Begun> {
  if (place.tenant.paused !== undefined) throw new SmartBffError('LAUNCH_TENANT_PAUSED')
  const parameters = readLaunchParameters(ask.rawUrl)
  const cookies = readPendingCookies(ask.cookieHeader)
  const probe = cookies.find(({ name }) => name === pendingCookiePrefix + parameters.probe)
  const anyOfOurs = cookies.length > 0 || deps.sessionCookies.read(ask.cookieHeader) !== undefined
  if (!anyOfOurs) return probeCookie(deps, place, parameters, ask)
  return authorize(deps, place, parameters, ask, { cookies, probe })
}

/** The first visit without any cookie sets the pending one and comes back once to see whether it was kept. */
function probeCookie(
  deps: BeginDeps,
  place: Place,
  parameters: LaunchParameters,
  ask: BeginAsk,
): Begun {
  const path = ask.rawUrl.split('?')[0] ?? '/launch'
  const query = new URLSearchParams()
  if (parameters.iss !== undefined) query.set('iss', parameters.iss)
  if (parameters.launch !== undefined) query.set('launch', parameters.launch)
  if (parameters.probe !== undefined) {
    const text = query.toString()
    return { kind: 'cookie_not_kept', place, launchUrl: text === '' ? path : `${path}?${text}` }
  }
  const cookie = newPendingCookie(deps.now())
  query.set('probe', cookie.name.slice(pendingCookiePrefix.length))
  return {
    kind: 'redirect',
    location: `${path}?${query.toString()}`,
    setCookies: [setPendingCookie(cookie)],
  }
}

export async function authorize(
  deps: BeginDeps,
  { tenant, mode }: Place,
  parameters: LaunchParameters,
  ask: BeginAsk,
  held: { readonly cookies: readonly PendingCookie[]; readonly probe: PendingCookie | undefined },
): Promise<Begun> {
  const ehr = deps.ehrs.get(tenant.id)
  if (ehr === undefined) throw new SmartBffError('LAUNCH_MODE_UNKNOWN')
  const cookie = held.probe ?? newPendingCookie(deps.now())
  const { launch } = ask
  const state = randomState()
  const verifier = randomPKCECodeVerifier()
  const nonce = ehr.quirks.nonce && mode.scopes.includes('openid') ? randomNonce() : undefined
  const requested = requestedScopes(mode.scopes, ehr.quirks.scopeVersion).join(' ')

  const authorization = await ehr.oauth.authorization({
    redirectUri: ehr.redirectUri,
    scope: requested,
    state,
    verifier,
    launch: parameters.launch,
    nonce,
  })
  await deps.audit.record({
    event: 'launch.received',
    outcome: 'success',
    state: 'pending',
    tenant: tenant.id,
    mode: mode.id,
    launch,
    request: ask.incident,
    client: ask.client,
    requested,
  })
  await deps.pending.put(state, {
    schema: 1,
    launch,
    tenant: tenant.id,
    mode: mode.id,
    verifier,
    ...(nonce === undefined ? {} : { nonce }),
    browser: hashCookie(cookie.value),
    aud: tenant.iss,
    redirectUri: ehr.redirectUri,
    requested,
    ...(ask.renews === undefined ? {} : { renews: ask.renews }),
    ...(ask.returnTo === undefined ? {} : { returnTo: ask.returnTo }),
    createdAt: deps.now(),
  })
  const stale = clearStalePendingCookies(held.cookies, { now: deps.now(), max: deps.pendingMax })
  const setCookies = held.probe === undefined ? [...stale, setPendingCookie(cookie)] : stale
  if (authorization.method === 'get') {
    return { kind: 'redirect', location: authorization.url.href, setCookies }
  }
  const { action, fields } = authorization
  return { kind: 'form', action: action.href, fields, setCookies }
}

function requiredIss(parameters: LaunchParameters): string {
  if (parameters.iss === undefined) {
    throw new SmartBffError('LAUNCH_PARAMETER_INVALID', { detail: 'iss missing' })
  }
  return parameters.iss
}

/** DESIGN.md, Routes: iss and launch for `launch: ehr`, neither for `launch: standalone`. */
function judgeParameters({ tenant, mode }: Place, parameters: LaunchParameters): void {
  const { iss, launch } = parameters
  if (mode.launch === 'standalone') {
    if (iss === undefined && launch === undefined) return
    throw new SmartBffError('LAUNCH_PARAMETER_INVALID', { detail: 'standalone with iss or launch' })
  }
  if (iss !== tenant.iss) throw new SmartBffError('LAUNCH_ISS_UNKNOWN')
  if (launch === undefined) {
    throw new SmartBffError('LAUNCH_PARAMETER_INVALID', { detail: 'launch missing' })
  }
}
