import type { JWK } from 'jose'
import { exportJWK, generateKeyPair } from 'jose'

/** A fresh RS256 key pair: SMART servers sign id_tokens with RS256 (SMART 2.2, identity data). */
export async function createSigningKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  return { ...(await exportJWK(privateKey)), kid: 'sandbox-1', alg: 'RS256', use: 'sig' }
}
