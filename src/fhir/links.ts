import { createDecipheriv, createSecretKey, hkdfSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Secret } from '../config/secret.ts'
import { createLinkSeal, sealKeyBytes } from './link-seal.ts'
import type { LinkSeal } from './link-seal.ts'

/**
 * Links that the browser may hold but not read: sealed (link-seal.ts) under keys derived for one launch, so that a link
 * of one launch opens in no other (DESIGN, rewrite). What a link means is decided anew when it is used.
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

const maxKeys = 2000

export function createLinks(keyRing: readonly { id: string; secret: Secret }[]): Links {
  const masters = keyRing.map(({ secret }) => Buffer.from(secret.reveal(), 'base64url'))
  if (masters.length === 0) throw new TypeError('an encryption key is required')
  const known = new Map<string, LaunchLinks>()

  const keysOf = (launch: string): readonly Buffer[] =>
    masters.map((master) => derive(master, launch))

  const linksFor = (launch: string): LaunchLinks => {
    const found = known.get(launch)
    if (found !== undefined) return found
    if (known.size >= maxKeys) known.clear()
    const links = linksUnder(keysOf(launch))
    known.set(launch, links)
    return links
  }

  return {
    keysOf,
    seal: (kind, launch, payload) => linksFor(launch).seal(kind, launch, payload),
    open: (kind, launch, token) => linksFor(launch).open(kind, launch, token),
  }
}

type LaunchLinks = Pick<Links, 'seal' | 'open'>

/** The links of the one launch whose keys these are. */
export function linksUnder(keys: readonly Buffer[]): LaunchLinks {
  const seals = keys.map((key) => createSeals(key))
  const [first] = seals
  if (first === undefined) throw new TypeError('a key is required')
  return {
    seal: (kind, _, payload) => first.now.seal(letters[kind], payload),
    open: (kind, _, token) => {
      const bytes = Buffer.from(token, 'base64url')
      for (const { now, before } of seals) {
        const payload = now.open(letters[kind], bytes) ?? before(kind, bytes)
        if (payload !== undefined) return payload
      }
      return undefined
    },
  }
}

const letters: Readonly<Record<LinkKind, string>> = {
  page: 'p',
  binary: 'b',
  confirm: 'c',
  once: 'o',
}

/** Behind the key of the present seal stands that of the one before. */
const gcmKeyBytes = 32

function derive(master: Buffer, launch: string): Buffer {
  const now = hkdfSync('sha256', master, launch, 'smart-bff fhir link, seal 2', sealKeyBytes)
  const before = hkdfSync('sha256', master, launch, 'smart-bff fhir link', gcmKeyBytes)
  return Buffer.concat([Buffer.from(now), Buffer.from(before)])
}

interface Seals {
  readonly now: LinkSeal
  readonly before: (kind: LinkKind, bytes: Buffer) => string | undefined
}

function createSeals(key: Buffer): Seals {
  const gcmKey = createSecretKey(key.subarray(sealKeyBytes))
  return {
    now: createLinkSeal(key.subarray(0, sealKeyBytes)),
    before: (kind, bytes) => openGcm(gcmKey, kind, bytes),
  }
}

const ivBytes = 12
const tagBytes = 16

/** AES-256-GCM, as links were sealed before: an app that is open while the product is updated goes on turning pages. */
function openGcm(key: KeyObject, kind: LinkKind, bytes: Buffer): string | undefined {
  if (bytes.length < ivBytes + tagBytes) return undefined
  const iv = bytes.subarray(0, ivBytes)
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(kind))
  decipher.setAuthTag(bytes.subarray(-tagBytes))
  try {
    const text = decipher.update(bytes.subarray(ivBytes, -tagBytes))
    return Buffer.concat([text, decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}
