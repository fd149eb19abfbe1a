import { createHash, randomBytes } from 'node:crypto'
import { SignJWT } from 'jose'
import type { KeyObject } from 'node:crypto'
import type { LaunchContext } from '../../src/sandbox/authorization/launches.ts'
import type { Sandbox } from '../../src/sandbox/sandbox.ts'

/** A SMART app by hand, with plain fetch, so that the sandbox is judged by nothing of the product. */

export const redirectUri = 'http://localhost:3000/callback/demo'
export const clientId = 'smart-bff-demo'

export interface TokenAnswer {
  readonly access_token: string
  readonly refresh_token?: string
  readonly id_token?: string
  readonly scope?: string
  readonly [member: string]: unknown
}

export const pkce = () => {
  const verifier = randomBytes(32).toString('base64url')
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

/** The parameters of a correct authorization request; `changes` spoils them, and undefined takes one away. */
export function authorizeParameters(
  sandbox: Sandbox,
  scope: string,
  challenge: string,
  changes: Readonly<Record<string, string | undefined>> = {},
): URLSearchParams {
  const parameters = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope,
    state: 's'.repeat(43),
    aud: sandbox.iss,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...changes,
  }
  return new URLSearchParams(
    Object.entries(parameters).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as [string, string]],
    ),
  )
}

/** Asks for authorization and gives back the redirect's parameters, or the status of a page. */
export async function authorize(
  sandbox: Sandbox,
  parameters: URLSearchParams,
  method: 'GET' | 'POST' = 'GET',
): Promise<{ status: number; answer: URLSearchParams; cookies: string[] }> {
  const url = `${sandbox.origin}/oauth/authorize`
  const response = await (method === 'GET'
    ? fetch(`${url}?${parameters.toString()}`, { redirect: 'manual' })
    : fetch(url, { method: 'POST', body: parameters, redirect: 'manual' }))
  await response.arrayBuffer()
  const location = response.headers.get('location')?.replace('#', '?') ?? null
  return {
    status: response.status,
    answer: location === null ? new URLSearchParams() : new URL(location).searchParams,
    cookies: response.headers.getSetCookie(),
  }
}

export async function token(
  sandbox: Sandbox,
  form: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; body: TokenAnswer & { error?: string } }> {
  const response = await fetch(`${sandbox.origin}/oauth/token`, {
    method: 'POST',
    headers,
    body: new URLSearchParams(form),
  })
  return { status: response.status, body: (await response.json()) as TokenAnswer }
}

/** A whole EHR launch of a public client, from the launch value to the tokens. */
export async function launchApp(
  sandbox: Sandbox,
  scope: string,
  context: LaunchContext = { patient: sandbox.patient('amara').id },
): Promise<TokenAnswer> {
  const { verifier, challenge } = pkce()
  const { launch } = sandbox.createLaunch(context)
  const parameters = authorizeParameters(sandbox, `launch ${scope}`, challenge, { launch })
  const { answer } = await authorize(sandbox, parameters)
  const exchanged = await token(sandbox, {
    grant_type: 'authorization_code',
    code: answer.get('code') ?? '',
    redirect_uri: redirectUri,
    code_verifier: verifier,
    client_id: clientId,
  })
  if (exchanged.status !== 200) throw new Error(`no token: ${JSON.stringify(exchanged.body)}`)
  return exchanged.body
}

export interface FhirAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into FHIR JSON freely
  readonly body: any
}

/** Calls FHIR with a token; `path` follows the base, or is an absolute URL. */
export async function fhir(
  sandbox: Sandbox,
  { access_token: bearer }: Pick<TokenAnswer, 'access_token'>,
  path: string,
  init: { method?: string; headers?: Record<string, string>; body?: unknown } = {},
): Promise<FhirAnswer> {
  const { body, headers, ...rest } = init
  const response = await fetch(path.startsWith('http') ? path : `${sandbox.iss}${path}`, {
    ...rest,
    headers: {
      authorization: `Bearer ${bearer}`,
      ...(body === undefined ? {} : { 'content-type': 'application/fhir+json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    parsed = undefined
  }
  return { status: response.status, headers: response.headers, text, body: parsed }
}

/** SMART App Launch 2.2, asymmetric client authentication. */
export function assertion(
  sandbox: Sandbox,
  key: KeyObject,
  header: { alg: string; kid: string },
  claims: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  return new SignJWT({ jti: randomBytes(16).toString('hex'), ...claims })
    .setProtectedHeader({ typ: 'JWT', ...header })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(`${sandbox.origin}/oauth/token`)
    .setIssuedAt()
    .setExpirationTime('4m')
    .sign(key)
}
