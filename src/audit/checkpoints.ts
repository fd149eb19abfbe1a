import { createPrivateKey, createPublicKey, hash, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { appendFile, readFile } from 'node:fs/promises'
import type { Secret } from '../config/secret.ts'
import type { Head } from './chain.ts'

/**
 * Signed checkpoints in the form of a signed note (C2SP signed-note): three lines of text, an empty line, a signature
 * line. The text is origin, number of records, hash of the last record; the signature is Ed25519 over the text with
 * its last line end. Whoever keeps one checkpoint elsewhere can tell that no record up to it was cut off or changed.
 *
 *     smart-bff/audit/north-1
 *     4711
 *     9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
 *
 *     — smart-bff/audit/north-1 wXPq…
 */
export interface Checkpoint {
  readonly origin: string
  readonly head: Head
}

export interface CheckpointSigner {
  readonly origin: string
  note(head: Head): string
  publicKey(): KeyObject
}

export const originStart = 'smart-bff/audit/'

export const originOf = (instance: string): string => originStart + instance

export function createCheckpointSigner(instance: string, signing: Secret): CheckpointSigner {
  const privateKey = createPrivateKey(signing.reveal())
  if (privateKey.asymmetricKeyType !== 'ed25519') throw new TypeError('expected an Ed25519 key')
  const publicKey = createPublicKey(privateKey)
  const origin = originOf(instance)
  const id = keyId(origin, publicKey)
  return {
    origin,
    note(head) {
      const text = `${origin}\n${String(head.seq)}\n${head.hash}\n`
      const signature = Buffer.concat([id, sign(null, Buffer.from(text), privateKey)])
      return `${text}\n\u2014 ${origin} ${signature.toString('base64')}\n`
    },
    publicKey: () => publicKey,
  }
}

/** C2SP signed-note, Signatures: the first four bytes of SHA-256(name, line feed, 0x01 for Ed25519, public key). */
export function keyId(name: string, publicKey: KeyObject): Buffer {
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
  const subject = Buffer.concat([Buffer.from(`${name}\n\u0001`), raw])
  return hash('sha256', subject, 'buffer').subarray(0, 4)
}

export type ReadCheckpoint =
  | { readonly kind: 'checkpoint'; readonly checkpoint: Checkpoint; readonly note: string }
  /** The beginning of a note: a crash or a full disk cut it, and the next one was written after it. */
  | { readonly kind: 'torn' }
  | { readonly kind: 'broken' }

const noteForm =
  /^(?<text>(?<origin>[^\n]{1,200})\n(?<seq>\d{1,16})\n(?<hash>[0-9a-f]{64})\n)\n\u2014 (?<name>[^ \n]{1,200}) (?<signature>[A-Za-z0-9+/=]{1,200})\n$/

const tornForm =
  /^[^\n]{1,200}(?:\n\d{1,16}(?:\n[0-9a-f]{0,64}(?:\n\n[\u2014\ufffd]{0,3}(?: [^ \n]{0,200}(?: [A-Za-z0-9+/]{0,91})?)?)?)?)?\n$/

function isTorn(note: string): boolean {
  const [first = ''] = note.split('\n', 1)
  return tornForm.test(note) && (first.startsWith(originStart) || originStart.startsWith(first))
}

/** One key, or also those that signed before it: a note names its own by the first four bytes of the signature. */
export type PublicKeys = KeyObject | readonly KeyObject[]

/** Without a key only the form is judged; a writer that looks up where it stopped has no reason to doubt itself. */
export function readNote(note: string, publicKeys?: PublicKeys): ReadCheckpoint {
  const groups = noteForm.exec(note)?.groups
  if (groups === undefined) return { kind: isTorn(note) ? 'torn' : 'broken' }
  if (groups['name'] !== groups['origin']) return { kind: 'broken' }
  const { text = '', origin = '', seq = '', hash: head = '', signature = '' } = groups
  if (publicKeys !== undefined) {
    const bytes = Buffer.from(signature, 'base64')
    const key = [publicKeys].flat().find((one) => bytes.subarray(0, 4).equals(keyId(origin, one)))
    const right = key !== undefined && verify(null, Buffer.from(text), key, bytes.subarray(4))
    if (!right) return { kind: 'broken' }
  }
  return {
    kind: 'checkpoint',
    checkpoint: { origin, head: { seq: Number(seq), hash: head } },
    note,
  }
}

/** A note has six lines with the empty line that parts it from the next. A torn last note reads as broken. */
export function splitNotes(text: string): readonly string[] {
  return text
    .split(/(?<=\n)\n(?=[^\n\u2014])/)
    .map((note) => note.trim())
    .filter((note) => note !== '')
    .map((note) => `${note}\n`)
}

/** The empty lines around it keep a note readable when the one before was torn by a crash. */
export async function appendNote(path: string, note: string): Promise<void> {
  await appendFile(path, `\n\n${note}`, { mode: 0o640, flush: true })
}

/** The newest note of a file that can be read; `undefined` when there is none. */
export async function lastCheckpoint(path: string): Promise<Checkpoint | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return ''
    throw error
  })
  for (const note of splitNotes(text).toReversed()) {
    const read = readNote(note)
    if (read.kind === 'checkpoint') return read.checkpoint
  }
  return undefined
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
