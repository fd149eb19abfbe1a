import { createCipheriv, createDecipheriv, createHmac, hash, randomBytes } from 'node:crypto'
import { timingSafeEqual } from 'node:crypto'
import type { Cipheriv } from 'node:crypto'

/**
 * The seal of one launch's links: AES-256 in counter mode (NIST SP 800-38A 6.5), then HMAC-SHA-256 over what came of it
 * (RFC 2104), cut to 128 bits. Encrypted first and authenticated after, under two keys; a link that was tampered with is
 * never decrypted.
 *
 * It is not GCM like all other seals, because a link stands in nearly every answer to a search. GCM takes a new cipher
 * for each text, with a dozen calls and objects around it, which is a tenth of what a search costs; a counter mode's key
 * stream can be drawn ahead for many texts, and a hash takes one call (docs/performance.md).
 *
 * A sealed text is the counter block at which its key stream begins (16 bytes), the ciphertext, and the tag (16).
 */
export interface LinkSeal {
  /** `kind`: one letter that is sealed with it. */
  seal(kind: string, text: string): string
  open(kind: string, sealed: Buffer): string | undefined
}

/** Of the bytes that are derived for a launch: the cipher's key, then the authentication's. */
export const sealKeyBytes = 64

const blockBytes = 16
const tagBytes = 16
/** SHA-256's (RFC 2104, 2). */
const hashBlockBytes = 64
const hashBytes = 32
const kindAt = hashBlockBytes
const counterAt = kindAt + 1
const textAt = counterAt + blockBytes

export function createLinkSeal(keys: Buffer): LinkSeal {
  const encrypt = keys.subarray(0, 32)
  const authenticate = keys.subarray(32, sealKeyBytes)
  const stream = createKeyStream(encrypt)
  const inner = padded(authenticate, 0x36)
  const outer = padded(authenticate, 0x5c)

  /** Of what stands in `work` from the kind on. */
  const writeTag = (work: Buffer, end: number): void => {
    inner.copy(work, 0)
    outer.copy(outerWork, 0)
    outerWork.write(hash('sha256', work.subarray(0, end), 'latin1'), hashBlockBytes, 'latin1')
    work.write(hash('sha256', outerWork, 'latin1'), end, tagBytes, 'latin1')
  }

  return {
    seal: (kind, text) => {
      const length = Buffer.byteLength(text)
      const end = textAt + length
      const work = end + tagBytes > shared.length ? Buffer.alloc(end + tagBytes) : shared
      work.write(kind, kindAt, 1, 'latin1')
      work.write(text, textAt)
      const { bytes, from } = stream.take(length, work)
      for (let at = 0; at < length; at += 1) work[textAt + at]! ^= bytes[from + at]!
      writeTag(work, end)
      return work.toString('base64url', counterAt, end + tagBytes)
    },
    open: (kind, sealed) => {
      if (sealed.length < blockBytes + tagBytes) return undefined
      const body = sealed.subarray(0, -tagBytes)
      const mac = createHmac('sha256', authenticate).update(kind, 'latin1').update(body).digest()
      const tag = sealed.subarray(-tagBytes)
      if (!timingSafeEqual(mac.subarray(0, tagBytes), tag)) return undefined
      const decipher = createDecipheriv('aes-256-ctr', encrypt, body.subarray(0, blockBytes))
      return decipher.update(body.subarray(blockBytes)).toString('utf8')
    },
  }
}

/** Where texts are sealed, one after the other; nothing waits meanwhile. */
const shared = Buffer.alloc(16_384)
const outerWork = Buffer.alloc(hashBlockBytes + hashBytes)

/** A key shorter than the hash's block, as RFC 2104 pads it. */
function padded(key: Buffer, byte: number): Buffer {
  const block = Buffer.alloc(hashBlockBytes, byte)
  for (const [at, value] of key.entries()) block[at] = value ^ byte
  return block
}

interface KeyStream {
  /** So many bytes, from `from` on, which nobody else gets; where they stand in the stream is written to `work`. */
  take(length: number, work: Buffer): { readonly bytes: Buffer; readonly from: number }
}

/** Drawn so much at a time, about six links. */
const drawnBytes = 2048
const zeros = Buffer.alloc(drawnBytes)
/** After so many blocks the stream begins elsewhere; its counter is 32 bits long, like GCM's (SP 800-38D 7.1). */
const blocksMax = 2 ** 31

/**
 * No two texts have a block in common: a stream begins behind 96 random bits, and goes on from text to text. A process
 * has one stream for each launch at a time, so there are as many of them as GCM had texts, at the very most.
 */
function createKeyStream(key: Buffer): KeyStream {
  let cipher: Cipheriv | undefined
  let start = Buffer.alloc(0)
  let drawnBlocks = 0
  let drawn = Buffer.alloc(0)
  let used = 0

  const draw = (length: number): void => {
    if (cipher === undefined || drawnBlocks + length / blockBytes > blocksMax) {
      start = randomBytes(blockBytes)
      start.writeUInt32BE(0, blockBytes - 4)
      cipher = createCipheriv('aes-256-ctr', key, start)
      drawnBlocks = 0
    }
    drawn = cipher.update(length === drawnBytes ? zeros : Buffer.alloc(length))
    drawnBlocks += length / blockBytes
    used = 0
  }

  return {
    take: (length, work) => {
      const whole = Math.ceil(length / blockBytes) * blockBytes
      if (used + whole > drawn.length) draw(Math.max(whole, drawnBytes))
      const from = used
      used += whole
      start.copy(work, counterAt)
      work.writeUInt32BE(drawnBlocks - (drawn.length - from) / blockBytes, textAt - 4)
      return { bytes: drawn, from }
    },
  }
}
