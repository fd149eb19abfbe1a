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
import { pack, unpack } from './packed.ts'

/** What is sealed. Each purpose has keys of its own, so that a box of one kind never opens as another. */
export type SealPurpose =
  'session' | 'launch' | 'pending' | 'binding' | 'draft' | 'page' | 'staff' | 'spool' | 'audit'

/** DESIGN rule 10: the first key seals, every key opens. */
export interface KeyRing {
  /** `name` is the record's own key name: a box that was moved elsewhere does not open. */
  readonly seal: (purpose: SealPurpose, name: string, text: string) => string
  /** Into half as much: a box of bytes, each of them one character. */
  readonly sealPacked: (purpose: SealPurpose, name: string, text: string) => string
  /** Of either form. */
  readonly open: (purpose: SealPurpose, name: string, box: string) => Opened
}

export type Opened =
  /** `stale`: sealed under a key that is no longer the first. */
  | { readonly ok: true; readonly text: string; readonly stale: boolean }
  | { readonly ok: false; readonly fault: OpenFault }

/** `newer`: of a form that only a later version knows. */
export type OpenFault = 'too_large' | 'malformed' | 'newer' | 'unknown_key' | 'tampered'

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
const maxPrefixChars = 64

/**
 * A box reads `v1.<key id>.<base64url of iv, ciphertext, tag>`: AES-256-GCM (NIST SP 800-38D) with a random iv. One
 * key may seal 2^32 boxes (8.3): rotate well before. In a packed one, `v2.<key id>.`, the bytes stand as they are, and
 * the text within is packed.
 */
export function createKeyRing(keys: readonly RingKey[]): KeyRing {
  const ring = new Map(keys.map((key) => [key.id, createSubkeys(key)]))
  const first = keys[0]
  const sealing = first && ring.get(first.id)
  if (sealing === undefined) throw new TypeError('a key ring needs at least one key')
  if (ring.size !== keys.length) throw new TypeError('two keys of a key ring have one id')

  return {
    seal(purpose, name, text) {
      const prefix = prefixOf(1, sealing.id)
      const plain = encode(purpose, text)
      return prefix + encrypt(sealing.key(purpose), aad(prefix, name), plain).toString('base64url')
    },

    sealPacked(purpose, name, text) {
      const prefix = prefixOf(2, sealing.id)
      const plain = pack(encode(purpose, text))
      return prefix + encrypt(sealing.key(purpose), aad(prefix, name), plain).toString('latin1')
    },

    open(purpose, name, box) {
      if (box.length > maxBoxChars) return { ok: false, fault: 'too_large' }
      const prefix = readPrefix(box)
      if (prefix === undefined) return { ok: false, fault: 'malformed' }
      const { form, id } = prefix
      if (form > 2) return { ok: false, fault: 'newer' }
      const subkeys = ring.get(id)
      if (subkeys === undefined) return { ok: false, fault: 'unknown_key' }
      const body = Buffer.from(box.slice(prefix.length), form === 1 ? 'base64url' : 'latin1')
      if (body.length < ivBytes + tagBytes) return { ok: false, fault: 'malformed' }
      const plain = decrypt(subkeys.key(purpose), aad(prefixOf(form, id), name), body)
      if (plain === undefined) return { ok: false, fault: 'tampered' }
      const text = form === 1 ? plain.toString('utf8') : unpack(plain, maxTextBytes)
      if (text === undefined) return { ok: false, fault: 'malformed' }
      return { ok: true, text, stale: subkeys !== sealing }
    },
  }
}

function encode(purpose: SealPurpose, text: string): Buffer {
  const plain = Buffer.from(text, 'utf8')
  if (plain.length <= maxTextBytes) return plain
  throw new SmartBffError('INTERNAL', { detail: `too large to seal: ${purpose}` })
}

interface Prefix {
  readonly form: number
  readonly id: string
  readonly length: number
}

function readPrefix(box: string): Prefix | undefined {
  const start = box.slice(0, maxPrefixChars)
  const [prefix, form, id = ''] = /^v([1-9]\d{0,2})\.([^.]*)\./.exec(start) ?? []
  return prefix === undefined ? undefined : { form: Number(form), id, length: prefix.length }
}

/** The id of the key that a box is sealed under, which need not be one of ours. */
export const sealedUnder = (box: string): string | undefined => readPrefix(box)?.id

export const isPacked = (box: string): boolean => readPrefix(box)?.form === 2

interface Subkeys {
  readonly id: string
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
  return { id, key: (purpose) => keys[purpose] }
}

const prefixOf = (form: number, id: string): string => `v${form}.${id}.`

const aad = (prefix: string, name: string): Buffer => Buffer.from(prefix + name, 'utf8')

function encrypt(key: KeyObject, associated: Buffer, plain: Buffer): Buffer {
  const body = Buffer.allocUnsafe(ivBytes + plain.length + tagBytes)
  const iv = nextIv()
  iv.copy(body)
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes })
  cipher.setAAD(associated)
  cipher.update(plain).copy(body, ivBytes)
  cipher.final()
  cipher.getAuthTag().copy(body, ivBytes + plain.length)
  return body
}

/** Random bytes for many ivs at once, each used once: to ask for twelve costs as much as to ask for thousands. */
const ivs = Buffer.alloc(ivBytes * 256)
let ivsUsed = ivs.length

function nextIv(): Buffer {
  if (ivsUsed === ivs.length) {
    randomFillSync(ivs)
    ivsUsed = 0
  }
  ivsUsed += ivBytes
  return ivs.subarray(ivsUsed - ivBytes, ivsUsed)
}

function decrypt(key: KeyObject, associated: Buffer, body: Buffer): Buffer | undefined {
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
  return plain
}
