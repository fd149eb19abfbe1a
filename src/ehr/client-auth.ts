import * as oauth from 'openid-client'
import type { Client } from '../config/schema/tenant.ts'
import { signingKeyOf } from './client-keys.ts'
import type { ResolvedQuirks } from './quirks.ts'

/**
 * Client authentication at the token endpoint as SMART asks for it. openid-client's own functions deviate (measured:
 * assertion `aud` is the issuer and `typ` is absent; Basic percent-encodes `-` and `.`), so each is adjusted here.
 */
export function clientAuthOf(
  client: Client,
  quirks: ResolvedQuirks,
  jwksUrl: string,
): oauth.ClientAuth {
  switch (client.auth) {
    case 'none':
      return oauth.None()
    case 'client_secret_post':
      return oauth.ClientSecretPost(client.secret.reveal())
    case 'client_secret_basic':
      return basic(client.id, client.secret.reveal(), quirks.basicEncoding)
    case 'private_key_jwt':
      return assertion(client, quirks, jwksUrl)
  }
}

/** SMART App Launch 2.2, client-confidential-symmetric (@345): the example encodes the raw pair. */
function basic(id: string, secret: string, encoding: 'raw' | 'form'): oauth.ClientAuth {
  const encode = encoding === 'raw' ? (part: string) => part : encodeURIComponent
  const credentials = Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64')
  return (_server, _client, _body, headers) => {
    headers.set('authorization', `Basic ${credentials}`)
  }
}

const assertionLifeSeconds = 240

/** SMART App Launch 2.2, client-confidential-asymmetric (@321-@334); @72: no `client_id` beside an assertion. */
function assertion(
  client: Extract<Client, { auth: 'private_key_jwt' }>,
  quirks: ResolvedQuirks,
  jwksUrl: string,
): oauth.ClientAuth {
  const first = client.keys[0]
  if (first === undefined) throw new Error('private_key_jwt without a key')
  const key = signingKeyOf(first)
  // The library awaits what a ClientAuth returns, though its type says void.
  // oxlint-disable-next-line typescript/no-misused-promises
  return async (server, metadata, body, headers) => {
    const sign = oauth.PrivateKeyJwt(
      { key, kid: first.kid },
      {
        [oauth.modifyAssertion]: (header, payload) => {
          header['typ'] = 'JWT'
          if (quirks.includeJku) header['jku'] = jwksUrl
          payload['aud'] = quirks.assertionAudience ?? server.token_endpoint ?? server.issuer
          payload['exp'] = Number(payload['iat']) + assertionLifeSeconds
          // A clock that runs ahead must not make the assertion "not yet valid" (seen at Epic).
          delete payload['nbf']
        },
      },
    )
    // oxlint-disable-next-line typescript/await-thenable
    await sign(server, metadata, body, headers)
    body.delete('client_id')
  }
}
