import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

/** The authorization half of the bench's EHR: whoever asks is approved at once. SMART and plain OpenID Connect. */
export async function createAuthorization(
  origin: string,
): Promise<(incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const key = { ...(await exportJWK(publicKey)), kid: 'b1', alg: 'ES256', use: 'sig' }
  const approved = new Map<string, { client: string; nonce: string | null }>()
  const document = {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    jwks_uri: `${origin}/jwks`,
    code_challenge_methods_supported: ['S256'],
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'form_post'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
    capabilities: ['launch-ehr', 'client-public', 'sso-openid-connect', 'permission-v2'],
  }

  const json = (outgoing: ServerResponse, value: object): void => {
    outgoing.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    outgoing.end(JSON.stringify(value))
  }

  const authorize = (query: URLSearchParams, outgoing: ServerResponse): void => {
    const code = randomBytes(16).toString('hex')
    approved.set(code, { client: query.get('client_id') ?? '', nonce: query.get('nonce') })
    const location = new URL(query.get('redirect_uri') ?? '')
    location.searchParams.set('code', code)
    location.searchParams.set('state', query.get('state') ?? '')
    outgoing.writeHead(302, { location: location.href })
    outgoing.end()
  }

  const token = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    let text = ''
    for await (const chunk of incoming) text += String(chunk)
    const code = new URLSearchParams(text).get('code') ?? ''
    const asked = approved.get(code)
    approved.delete(code)
    const idToken = await new SignJWT({ nonce: asked?.nonce, fhirUser: 'Practitioner/7' })
      .setProtectedHeader({ alg: 'ES256', kid: 'b1' })
      .setIssuer(origin)
      .setAudience(asked?.client ?? '')
      .setSubject('u7')
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey)
    json(outgoing, {
      access_token: randomBytes(768).toString('base64url'),
      refresh_token: randomBytes(384).toString('base64url'),
      token_type: 'Bearer',
      expires_in: 36_000,
      scope: 'launch openid fhirUser patient/Patient.rs patient/Observation.rs',
      id_token: idToken,
      patient: 'p1',
      encounter: 'e1',
      need_patient_banner: true,
    })
  }

  return async (incoming, outgoing) => {
    const url = new URL(incoming.url ?? '', origin)
    if (url.pathname.includes('/.well-known/')) json(outgoing, document)
    else if (url.pathname === '/jwks') json(outgoing, { keys: [key] })
    else if (url.pathname === '/authorize') authorize(url.searchParams, outgoing)
    else if (url.pathname === '/token') await token(incoming, outgoing)
    else outgoing.writeHead(404).end()
  }
}
