import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'

/** Fresh key material in the configuration's form. Nothing here is kept, so no test can depend on a key. */

export const newSecretKey = (): string => randomBytes(32).toString('base64url')

export const newSigningKey = (): string => pemOf(generateKeyPairSync('ed25519').privateKey)

/** PKCS#8 PEM of a client's key that fits the algorithm. */
export function newClientKey(algorithm: 'ES256' | 'ES384' | 'RS256' | 'RS384' = 'ES384'): string {
  if (algorithm.startsWith('RS')) return newRsaKey(2048)
  const namedCurve = algorithm === 'ES256' ? 'P-256' : 'P-384'
  return pemOf(generateKeyPairSync('ec', { namedCurve }).privateKey)
}

export const newRsaKey = (modulusLength: number): string =>
  pemOf(generateKeyPairSync('rsa', { modulusLength }).privateKey)

export const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' })
