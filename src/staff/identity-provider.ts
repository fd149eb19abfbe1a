import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  ClientSecretBasic,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client'
import type { Configuration } from 'openid-client'
import { Agent, fetch as fetchThrough, type RequestInit } from 'undici'
import type { Secret } from '../config/secret.ts'
import { type Outbound, proxied, tlsOf } from '../ehr/http.ts'
import type { PendingSignIn } from './staff-session.ts'

/** OpenID Connect, authorization code flow with PKCE, state and nonce (OpenID Connect Core 3.1). */
export interface IdentityProvider {
  begin(now: number): Promise<{ readonly location: string; readonly pending: PendingSignIn }>
  /** The verified claims of the ID token. Throws what openid-client throws. */
  finish(callback: URL, pending: PendingSignIn): Promise<Readonly<Record<string, unknown>>>
}

export interface IdentityProviderOptions extends Outbound {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: Secret
  /** Of ours, `https://audit.hospital.example/sign-in/callback`. */
  readonly redirectUri: string
  /** With `development` only: plain http. */
  readonly insecure: boolean
}

export function createIdentityProvider(options: IdentityProviderOptions): IdentityProvider {
  const { issuer, clientId, clientSecret, redirectUri, insecure } = options
  let known: Promise<Configuration> | undefined
  /** Once; a failure is tried again by the next sign-in. */
  async function configuration(): Promise<Configuration> {
    known ??= discovery(
      new URL(issuer),
      clientId,
      undefined,
      ClientSecretBasic(clientSecret.reveal()),
      {
        timeout: 5,
        // Signatures are proved, whatever the connection has proved already (OpenID Connect Core 3.1.3.7).
        execute: [enableNonRepudiationChecks, ...(insecure ? [allowInsecureRequests] : [])],
        [customFetch]: outboundFetch(options),
      },
    )
    try {
      return await known
    } catch (error) {
      known = undefined
      throw error
    }
  }
  return {
    async begin(now) {
      const config = await configuration()
      const pending = {
        state: randomState(),
        nonce: randomNonce(),
        verifier: randomPKCECodeVerifier(),
        begunAt: now,
      }
      const location = buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope: 'openid profile email',
        state: pending.state,
        nonce: pending.nonce,
        code_challenge: await calculatePKCECodeChallenge(pending.verifier),
        code_challenge_method: 'S256',
      })
      return { location: location.href, pending }
    },
    async finish(callback, { state, nonce, verifier }) {
      const tokens = await authorizationCodeGrant(await configuration(), callback, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      })
      return tokens.claims() ?? {}
    },
  }
}

const connectTimeoutMs = 5_000

/** Through the proxy, with the authorities and the client certificate that the configuration names. */
function outboundFetch(options: Outbound): (url: string, init: object) => Promise<Response> {
  const { proxy } = options
  const dispatcher =
    proxy === undefined
      ? new Agent({ connect: { timeout: connectTimeoutMs, ...tlsOf(options) } })
      : proxied(proxy, options, { connectTimeoutMs })
  return async (url, init) => {
    const given: RequestInit = { ...init, dispatcher }
    return fetchThrough(url, given)
  }
}
