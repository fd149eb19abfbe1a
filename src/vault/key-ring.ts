import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  randomFillSync,
} from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Secret } from '../config/secret.ts'
import { SmartBffError } from '../errors.ts'

/** What is sealed. Each purpose has keys of its own, so that a box of one kind never opens as another. */
export type SealPurpose =
  'session' | 'launch' | 'pending' | 'binding' | 'draft' | 'page' | 'staff' | 'spool' | 'audit'

/** DESIGN rule 10: the first key seals, every key opens. */
export interface KeyRing {
  /** `name` is the record's own key name: a box that was moved elsewhere does not open. */
  seal(purpose: SealPurpose, name: string, text: string): string
  open(purpose: SealPurpose, name: string, box: string): Opened
}

export type Opened =
  /** `stale`: sealed under a key that is no longer the first. */
  | { readonly ok: true; readonly text: string; readonly stale: boolean }
  | { readonly ok: false; readonly fault: OpenFault }

export type OpenFault = 'too_large' | 'malformed' | 'unknown_key' | 'tampered'

export interface RingKey {
  readonly id: string
  /** 32 random bytes in base64url. Never used itself: HKDF makes a key for each purpose of it. */
  readonly secret: Secret
}

const ivBytes = 12
const tagBytes = 16
/** A draft of 256 KiB fits, with room for JSON's escapes. */
const maxTextBytes = 1_048_576
const maxBoxChars = Math.ceil(((maxTextBytes + ivBytes + tagBytes) * 4) / 3) + 64

/**
 * A box reads `v1.<key id>.<base64url of iv, ciphertext, tag>`: AES-256-GCM (NIST SP 800-38D) with a random iv. One
 * key may seal 2^32 boxes (8.3): rotate well before.
 */
export function createKeyRing(keys: readonly RingKey[]): KeyRing {
  const ring = new Map(keys.map((key) => [key.id, createSubkeys(key)]))
  const first = keys[0]
  const sealing = first && ring.get(first.id)
  if (sealing === undefined) throw new TypeError('a key ring needs at least one key')
  if (ring.size !== keys.length) throw new TypeError('two keys of a key ring have one id')

  return {
    seal(purpose, name, text) {
      const plain = Buffer.from(text, 'utf8')
      if (plain.length > maxTextBytes) {
        throw new SmartBffError('INTERNAL', { detail: `too large to seal: ${purpose}` })
      }
      return sealing.prefix + encrypt(sealing.key(purpose), aad(sealing.prefix, name), plain)
    },

    open(purpose, name, box) {
      if (box.length > maxBoxChars) return { ok: false, fault: 'too_large' }
      const end = box.startsWith('v1.') ? box.indexOf('.', 3) : -1
      if (end === -1) return { ok: false, fault: 'malformed' }
      const subkeys = ring.get(box.slice(3, end))
      if (subkeys === undefined) return { ok: false, fault: 'unknown_key' }
      const body = Buffer.from(box.slice(end + 1), 'base64url')
      if (body.length < ivBytes + tagBytes) return { ok: false, fault: 'malformed' }
      const text = decrypt(subkeys.key(purpose), aad(subkeys.prefix, name), body)
      if (text === undefined) return { ok: false, fault: 'tampered' }
      return { ok: true, text, stale: subkeys !== sealing }
    },
  }
}

interface Subkeys {
  readonly prefix: string
  key(purpose: SealPurpose): KeyObject
}

/** Derived once: opening a launch is on the way of every FHIR request. */
function createSubkeys({ id, secret }: RingKey): Subkeys {
  const master = Buffer.from(secret.reveal(), 'base64url')
  if (master.length !== 32) throw new TypeError(`encryption key ${id}: expected 32 bytes`)
  const derive = (purpose: SealPurpose): KeyObject =>
    createSecretKey(Buffer.from(hkdfSync('sha256', master, '', `smart-bff v1 ${purpose}`, 32)))
  const keys: Record<SealPurpose, KeyObject> = {
    session: derive('session'),
    launch: derive('launch'),
    pending: derive('pending'),
    binding: derive('binding'),
    draft: derive('draft'),
    page: derive('page'),
    staff: derive('staff'),
    spool: derive('spool'),
    audit: derive('audit'),
  }
  return { prefix: `v1.${id}.`, key: (purpose) => keys[purpose] }
}

const aad = (prefix: string, name: string): Buffer => Buffer.from(prefix + name, 'utf8')

function encrypt(key: KeyObject, associated: Buffer, plain: Buffer): string {
  const body = Buffer.allocUnsafe(ivBytes + plain.length + tagBytes)
  const iv = randomFillSync(body.subarray(0, ivBytes))
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes })
  cipher.setAAD(associated)
  cipher.update(plain).copy(body, ivBytes)
  cipher.final()
  cipher.getAuthTag().copy(body, ivBytes + plain.length)
  return body.toString('base64url')
}

function decrypt(key: KeyObject, associated: Buffer, body: Buffer): string | undefined {
  const iv = body.subarray(0, ivBytes)
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes })
  decipher.setAAD(associated)
  decipher.setAuthTag(body.subarray(body.length - tagBytes))
  const plain = decipher.update(body.subarray(ivBytes, body.length - tagBytes))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return plain.toString('utf8')
}
