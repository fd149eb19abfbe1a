import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { CryptoKey } from 'jose'
import type { Client, Tenant } from '../config/schema/tenant.ts'
import { parseJsonObject } from '../smart/json.ts'

/** A tenant's signing keys for private_key_jwt, ready to sign, and their public halves as published. */

type KeyedClient = Extract<Client, { auth: 'private_key_jwt' }>
type ClientKey = KeyedClient['keys'][number]

const importParameters = {
  ES384: { name: 'ECDSA', namedCurve: 'P-384' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  RS384: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-384' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
} as const satisfies Record<ClientKey['alg'], object>

/** PKCS#8 PEM or a private JWK; the configuration has judged it before. */
function privateKeyOf(key: ClientKey): KeyObject {
  const text = key.key.reveal().trim()
  return text.startsWith('{')
    ? createPrivateKey({ key: { ...parseJsonObject(text) }, format: 'jwk' })
    : createPrivateKey(text)
}

export function signingKeyOf(key: ClientKey): CryptoKey {
  return privateKeyOf(key).toCryptoKey(importParameters[key.alg], false, ['sign'])
}

export interface PublicJwk {
  readonly kty: string
  readonly kid: string
  readonly alg: string
  readonly use: 'sig'
  readonly [member: string]: unknown
}

/**
 * The key set of `/.well-known/jwks.json`: public members only, every tenant's keys, `kid` unique (DESIGN.md, Routes).
 * SMART App Launch 2.2, client-confidential-asymmetric (@313-@315); `alg` and `use` help servers that select by them.
 */
export function publicKeySet(tenants: readonly Tenant[]): { keys: readonly PublicJwk[] } {
  const keys = tenants
    .map((tenant) => tenant.client)
    .filter((client) => client.auth === 'private_key_jwt')
    .flatMap((client) => client.keys)
    .map(publicJwk)
  return { keys }
}

function publicJwk(key: ClientKey): PublicJwk {
  const { kty, n, e, crv, x, y } = createPublicKey(privateKeyOf(key)).export({ format: 'jwk' })
  const own = { kid: key.kid, alg: key.alg, use: 'sig' as const }
  return kty === 'RSA' ? { kty, n, e, ...own } : { kty: String(kty), crv, x, y, ...own }
}
