import * as oauth from 'openid-client'
import type { ResolvedQuirks } from './quirks.ts'

/** SMART App Launch 2.2 (@50-@52): the same parameters, in the query or in a form. */
export type AuthorizationRequest =
  | { readonly method: 'get'; readonly url: URL }
  | { readonly method: 'post'; readonly action: URL; readonly fields: readonly FormField[] }

export type FormField = readonly [name: string, value: string]

export interface AuthorizationAsk {
  readonly redirectUri: string
  readonly scope: string
  readonly state: string
  readonly verifier: string
  readonly launch: string | undefined
  readonly nonce: string | undefined
}

/** For GET or for POST, as the tenant's `authorizeMethod` says. */
export async function authorizationRequest(
  configuration: oauth.Configuration,
  quirks: Pick<ResolvedQuirks, 'authorizeMethod'>,
  aud: string,
  ask: AuthorizationAsk,
): Promise<AuthorizationRequest> {
  const parameters = await authorizationParameters(ask, aud)
  const url = oauth.buildAuthorizationUrl(configuration, parameters)
  if (!postsAuthorization(quirks, ask)) return { method: 'get', url }
  return formOf(url, ['response_type', 'client_id', ...Object.keys(parameters)])
}

/** SMART App Launch 2.2, authorization request (smart-conformance.md 1.5); `aud` is the iss, byte for byte. */
async function authorizationParameters(
  ask: AuthorizationAsk,
  aud: string,
): Promise<Record<string, string>> {
  return {
    redirect_uri: ask.redirectUri,
    scope: ask.scope,
    state: ask.state,
    aud,
    code_challenge: await oauth.calculatePKCECodeChallenge(ask.verifier),
    code_challenge_method: 'S256',
    ...(ask.launch === undefined ? {} : { launch: ask.launch }),
    ...(ask.nonce === undefined ? {} : { nonce: ask.nonce }),
  }
}

/** Epic takes the form for an EHR launch only, whatever it advertises (smart-conformance.md 0, 9). */
function postsAuthorization(
  { authorizeMethod }: Pick<ResolvedQuirks, 'authorizeMethod'>,
  ask: AuthorizationAsk,
): boolean {
  if (authorizeMethod === 'post-ehr-launch') return ask.launch !== undefined
  return authorizeMethod === 'post'
}

/** The endpoint keeps a query of its own; what is ours becomes a field. */
function formOf(url: URL, ours: readonly string[]): AuthorizationRequest {
  const action = new URL(url)
  for (const name of ours) action.searchParams.delete(name)
  const fields = [...url.searchParams].filter(([name]) => ours.includes(name))
  return { method: 'post', action, fields }
}
