import { SignJWT, decodeJwt, importJWK } from 'jose'
import type { Context } from 'oidc-provider'
import type { AuthorizationDeps } from './server.ts'
import type { LaunchContext } from './launches.ts'

/** Adds launch context to a token response (SMART 2.2, launch context arrives), then what tests asked to be wrong. */
export async function smartTokenResponse(deps: AuthorizationDeps, context: Context): Promise<void> {
  const { body } = context
  if (typeof body !== 'object' || body === null) return
  if ('error' in body) {
    context.body = { ...body, ...deps.vendor.tokenError }
    return
  }
  if (!('access_token' in body)) return
  const { oidc } = context
  const settings = deps.control.settings()
  const refreshed = oidc.params['grant_type'] === 'refresh_token'
  const launch = deps.launches.ofGrant(oidc.entities.Grant?.jti)
  const { vendor } = deps
  const answer: Record<string, unknown> = {
    ...body,
    token_type: vendor.tokenType,
    ...('scope' in body ? { scope: vendor.spell(String(body.scope)) } : {}),
    ...(refreshed && !vendor.contextOnRefresh ? {} : launchMembers(deps, launch)),
  }
  if (refreshed && !vendor.refreshTokenOnRefresh) delete answer['refresh_token']
  if (refreshed && !vendor.idTokenOnRefresh) delete answer['id_token']
  const foreignIssuer = vendor.idTokenIssuer(deps.origin) !== deps.issuer
  const withoutAudience = refreshed && !vendor.audienceOnRefresh
  const changed =
    foreignIssuer ||
    withoutAudience ||
    settings.idToken !== null ||
    settings.clockOffsetSeconds !== 0
  if (typeof answer['id_token'] === 'string' && changed) {
    const lacks = withoutAudience ? { aud: null } : {}
    answer['id_token'] = await resigned(deps, answer['id_token'], lacks)
  }
  for (const name of ['access_token', 'refresh_token', 'id_token']) {
    if (typeof answer[name] === 'string') deps.onIssued(answer[name])
  }
  context.body = overridden(answer, settings.tokenResponse)
}

function launchMembers(
  { vendor }: AuthorizationDeps,
  launch: LaunchContext | undefined,
): Record<string, unknown> {
  if (launch === undefined) return {}
  const { patient, encounter, intent, fhirContext, smartStyleUrl, tenant } = launch
  const banner = launch.needPatientBanner ?? true
  return {
    ...vendor.extraMembers,
    ...(patient === undefined
      ? {}
      : { patient, need_patient_banner: vendor.banner === 'string' ? String(banner) : banner }),
    ...(encounter === undefined ? {} : { encounter }),
    ...(intent === undefined ? {} : { intent }),
    ...(fhirContext === undefined ? {} : { fhirContext }),
    ...(smartStyleUrl === undefined ? {} : { smart_style_url: smartStyleUrl }),
    ...(tenant === undefined ? {} : { tenant }),
  }
}

/** The id_token again, with the sandbox's clock and the claims a test wants; `undefined` removes a claim. */
async function resigned(
  deps: AuthorizationDeps,
  token: string,
  lacks: Readonly<Record<string, null>>,
): Promise<string> {
  const { idToken, clockOffsetSeconds } = deps.control.settings()
  const { iat = 0, exp = 0, ...claims } = decodeJwt(token)
  const altered = {
    ...claims,
    iss: deps.vendor.idTokenIssuer(deps.origin),
    iat: iat + clockOffsetSeconds,
    exp: exp + clockOffsetSeconds,
    ...lacks,
    ...idToken,
  }
  const kept = Object.fromEntries(Object.entries(altered).filter(([, value]) => value !== null))
  const header = { alg: 'RS256', kid: deps.signingKey.kid ?? 'sandbox-1' }
  return new SignJWT(kept)
    .setProtectedHeader(header)
    .sign(await importJWK(deps.signingKey, 'RS256'))
}

/** What a test put over the answer: `replace` stands alone, `merge` adds, `remove` takes members away. */
export interface TokenResponseOverride {
  readonly merge?: Readonly<Record<string, unknown>>
  readonly remove?: readonly string[]
  readonly replace?: unknown
}

function overridden(
  answer: Readonly<Record<string, unknown>>,
  override: TokenResponseOverride | null,
): unknown {
  if (override === null) return answer
  if (override.replace !== undefined) return override.replace
  const merged = { ...answer, ...override.merge }
  const kept = Object.entries(merged).filter(([name]) => !override.remove?.includes(name))
  return Object.fromEntries(kept)
}
