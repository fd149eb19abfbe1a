import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { stringify } from 'yaml'

/** Fresh keys, printed as the configuration writes them: an entry of the list, or the value of the key. */

export const keyKinds = ['encryption', 'session', 'pseudonym', 'signing'] as const

export type KeyKind = (typeof keyKinds)[number]

/** `raw` is the bare value, for a file that the configuration names with `{ file: PATH }`. */
export function newKey(kind: KeyKind, options: { raw: boolean; now: Date }): string {
  const value = kind === 'signing' ? newSigningKey() : randomBytes(32).toString('base64url')
  if (options.raw) return `${value.trimEnd()}\n`
  if (kind === 'signing') return stringify({ signing: value })
  const entry = kind === 'session' ? value : { id: newKeyId(kind, options.now), secret: value }
  return stringify({ [kind]: [entry] })
}

/** The day tells when it was made; two of one day still differ. */
function newKeyId(kind: KeyKind, now: Date): string {
  const day = now.toISOString().slice(0, 10).replaceAll('-', '')
  return `${kind.charAt(0)}${day}-${randomBytes(2).toString('hex')}`
}

const newSigningKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })
