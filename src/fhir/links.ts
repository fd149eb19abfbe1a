import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  randomFillSync,
} from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Secret } from '../config/secret.ts'

/**
 * Links that the browser may hold but not read: AES-256-GCM under a key derived for one launch, so that a link of one
 * launch opens in no other (DESIGN, rewrite). What a link means is decided anew when it is used.
 */
export interface Links {
  /** `kind` and launch are part of the seal. */
  seal(kind: LinkKind, launch: string, payload: string): string
  /** Undefined when the token is not ours, or of another launch, kind or retired key. */
  open(kind: LinkKind, launch: string, token: string): string | undefined
  /** The keys of a launch's links: under the first they are sealed now, all open. */
  keysOf(launch: string): readonly Buffer[]
}

export type LinkKind = 'page' | 'binary' | 'confirm' | 'once'

const ivBytes = 12
const tagBytes = 16
const maxKeys = 2000

export function createLinks(keyRing: readonly { id: string; secret: Secret }[]): Links {
  const masters = keyRing.map(({ secret }) => Buffer.from(secret.reveal(), 'base64url'))
  const [first] = masters
  if (first === undefined) throw new TypeError('an encryption key is required')
  const derived = new Map<string, KeyObject>()

  const keyOf = (index: number, launch: string): KeyObject => {
    const name = `${index} ${launch}`
    const known = derived.get(name)
    if (known !== undefined) return known
    const master = masters[index] ?? first
    const bytes = hkdfSync('sha256', master, launch, 'smart-bff fhir link', 32)
    const key = createSecretKey(Buffer.from(bytes))
    if (derived.size >= maxKeys) derived.clear()
    derived.set(name, key)
    return key
  }

  const keysOf = (launch: string): readonly KeyObject[] =>
    masters.map((_, index) => keyOf(index, launch))

  return {
    keysOf: (launch) => keysOf(launch).map((key) => key.export()),
    seal: (kind, launch, payload) => sealWith(keyOf(0, launch), kind, payload),
    open: (kind, launch, token) => linksOf(keysOf(launch)).open(kind, launch, token),
  }
}

/** The links of the one launch whose keys these are. */
export function linksUnder(keys: readonly Buffer[]): Pick<Links, 'seal' | 'open'> {
  return linksOf(keys.map((key) => createSecretKey(key)))
}

function linksOf(keys: readonly KeyObject[]): Pick<Links, 'seal' | 'open'> {
  const [first] = keys
  if (first === undefined) throw new TypeError('a key is required')
  return {
    seal: (kind, _, payload) => sealWith(first, kind, payload),
    open: (kind, _, token) => {
      const bytes = Buffer.from(token, 'base64url')
      if (bytes.length < ivBytes + tagBytes) return undefined
      for (const key of keys) {
        const payload = openWith(key, kind, bytes)
        if (payload !== undefined) return payload
      }
      return undefined
    },
  }
}

function sealWith(key: KeyObject, kind: LinkKind, payload: string): string {
  const iv = nextIv()
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes })
  cipher.setAAD(associated[kind])
  const sealed = [iv, cipher.update(payload, 'utf8'), cipher.final(), cipher.getAuthTag()]
  return Buffer.concat(sealed).toString('base64url')
}

const associated: Readonly<Record<LinkKind, Buffer>> = {
  page: Buffer.from('page'),
  binary: Buffer.from('binary'),
  confirm: Buffer.from('confirm'),
  once: Buffer.from('once'),
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

function openWith(key: KeyObject, kind: LinkKind, bytes: Buffer): string | undefined {
  const iv = bytes.subarray(0, ivBytes)
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes })
  decipher.setAAD(associated[kind])
  decipher.setAuthTag(bytes.subarray(-tagBytes))
  try {
    const text = decipher.update(bytes.subarray(ivBytes, -tagBytes))
    return Buffer.concat([text, decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}
