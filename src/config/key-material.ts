import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { assertionAlgorithms } from './schema/tenant.ts'
import { isPlainMap } from './tree.ts'

/** Private keys as the configuration holds them. Nothing here repeats a part of the key in what it says. */

export type AssertionAlgorithm = (typeof assertionAlgorithms)[number]

/** RFC 7518, 3.3: RSA keys of 2048 bits or more. */
const minRsaBits = 2048

interface AlgorithmNeed {
  readonly fits: (key: KeyObject) => boolean
  readonly expected: string
}

const curve = (name: string, title: string): AlgorithmNeed => ({
  fits: (key) => key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === name,
  expected: `an EC private key on the curve ${title}`,
})

const rsa: AlgorithmNeed = {
  fits: (key) =>
    key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= minRsaBits,
  expected: 'an RSA private key of 2048 bits or more',
}

const needs: Readonly<Record<AssertionAlgorithm, AlgorithmNeed>> = {
  ES256: curve('prime256v1', 'P-256'),
  ES384: curve('secp384r1', 'P-384'),
  RS256: rsa,
  RS384: rsa,
}

export type ReadKey = { ok: true; key: KeyObject } | { ok: false; found: string; expected: string }

/** A client's signing key, PKCS#8 PEM or private JWK, that fits its algorithm (SMART 2.2, client-confidential-asymmetric). */
export function readClientKey(text: string, algorithm: AssertionAlgorithm): ReadKey {
  const { fits, expected } = needs[algorithm]
  const key = text.trimStart().startsWith('{') ? fromJwk(text) : fromPem(text)
  if (key === undefined) {
    const shapes = `${expected}, as PKCS#8 PEM or as a private JWK`
    return { ok: false, found: 'a text that is no private key', expected: shapes }
  }
  return fits(key) ? { ok: true, key } : { ok: false, found: kindOf(key), expected }
}

/** The key that signs the audit's checkpoints: Ed25519, PKCS#8 PEM. */
export function readSigningKey(text: string): ReadKey {
  const expected = 'an Ed25519 private key as PKCS#8 PEM (smart-bff keys new --kind signing)'
  const key = fromPem(text)
  if (key === undefined) return { ok: false, found: 'a text that is no private key', expected }
  const fits = key.asymmetricKeyType === 'ed25519'
  return fits ? { ok: true, key } : { ok: false, found: kindOf(key), expected }
}

/** Equal for two private keys exactly when they are the same key. */
export const publicPartOf = (key: KeyObject): string =>
  createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64url')

function fromPem(text: string): KeyObject | undefined {
  if (!text.includes('-----BEGIN PRIVATE KEY-----')) return undefined
  try {
    return createPrivateKey({ key: text, format: 'pem' })
  } catch {
    return undefined
  }
}

function fromJwk(text: string): KeyObject | undefined {
  try {
    const jwk: unknown = JSON.parse(text)
    if (!isPlainMap(jwk)) return undefined
    return createPrivateKey({ key: jwk, format: 'jwk' })
  } catch {
    return undefined
  }
}

function kindOf(key: KeyObject): string {
  const details = key.asymmetricKeyDetails
  const size = details?.namedCurve ?? details?.modulusLength
  const kind = key.asymmetricKeyType ?? 'unknown'
  return `a key of the kind ${kind}${size === undefined ? '' : ` (${size})`}`
}
