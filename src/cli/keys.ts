import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { stringify } from 'yaml'

/** Fresh keys, printed as the configuration writes them: an entry of the list, or the value of the key. */

export const keyKinds = ['encryption', 'session', 'pseudonym', 'signing', 'client'] as const

export type KeyKind = (typeof keyKinds)[number]

/** `raw` is the bare value, for a file that the configuration names with `{ file: PATH }`. */
export function newKey(kind: KeyKind, options: { raw: boolean; now: Date }): string {
  const value = newValue(kind)
  if (options.raw) return `${value.trimEnd()}\n`
  if (kind === 'signing') return stringify({ signing: value })
  if (kind === 'client') {
    return stringify({ keys: [{ kid: newKeyId(kind, options.now), alg: 'ES384', key: value }] })
  }
  const entry = kind === 'session' ? value : { id: newKeyId(kind, options.now), secret: value }
  return stringify({ [kind]: [entry] })
}

/** The day tells when it was made; two of one day still differ. */
function newKeyId(kind: KeyKind, now: Date): string {
  const day = now.toISOString().slice(0, 10).replaceAll('-', '')
  return `${kind.charAt(0)}${day}-${randomBytes(2).toString('hex')}`
}

function newValue(kind: KeyKind): string {
  if (kind === 'signing') return pem(generateKeyPairSync('ed25519').privateKey)
  // ES384: of the algorithms that SMART requires the one with short signatures.
  if (kind === 'client') return pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)
  return randomBytes(32).toString('base64url')
}

const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' })
