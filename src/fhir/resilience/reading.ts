import type { Socket } from 'node:net'

/**
 * Sockets to the EHR read into memory that is used again. Each read in memory of its own is what makes V8 mark its whole
 * heap again and again, like answers do (slabs.ts).
 *
 * A read is handed to the socket's stream as ever, and its memory is free again when the stream has given all of it to
 * its reader. So the reader, undici's parser and what hears from it, keeps nothing of what it is given: upstream.ts copies
 * what it collects, upstream-stream.ts what it passes on. Short reads are copied here, because the parser keeps the
 * beginning of a header until its end has come.
 */
export interface Reading {
  readonly buffer: () => Buffer
  readonly callback: (this: Socket, length: number, buffer: Buffer) => boolean
}

const readBytes = 65_536
/** Headers of an answer, at most; an EHR sends one or two. */
export const headerBytesMax = 12_288
/** Longer than a header section, and shorter than a record of TLS (RFC 8446 5.1), which is what one read gives there. */
const shortBytes = 14_336
/** What lies ready in a process (DESIGN rule 17). */
const readyMax = 128

export function createReading(): Reading {
  const ready: Buffer[] = []
  const underway = new WeakMap<Socket, Buffer[]>()

  const giveBack = (buffer: Buffer): void => {
    if (ready.length < readyMax) ready.push(buffer)
  }
  return {
    buffer: () => ready.pop() ?? Buffer.allocUnsafeSlow(readBytes),
    callback(length, buffer) {
      if (length <= shortBytes) {
        const copy = Buffer.from(buffer.subarray(0, length))
        giveBack(buffer)
        return this.push(copy)
      }
      const earlier = underway.get(this) ?? []
      // The reader has taken everything that was read before this.
      if (this.readableLength === 0) {
        for (const one of earlier) giveBack(one)
        earlier.length = 0
      }
      earlier.push(buffer)
      underway.set(this, earlier)
      return this.push(buffer.subarray(0, length))
    },
  }
}
