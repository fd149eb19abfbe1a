import type { Listener, UpstreamFault } from './upstream.ts'

/** A whole answer, as it comes. What comes is copied at once: its memory is read into again (resilience/reading.ts). */
export interface Collector {
  /** Content-Length as it came. Room for all that is announced is taken at once. */
  begin(announced: string | string[] | undefined): UpstreamFault['fault'] | undefined
  add(chunk: Buffer): UpstreamFault['fault'] | undefined
  body(): Buffer
}

/** Where a tenant's answers have their place. */
export interface Room {
  readonly maxBodyBytes: number
  /** False: so many more bytes may not be held. */
  readonly hold: (listener: Listener, bytes: number) => boolean
  readonly lend: (listener: Listener, bytes: number) => Buffer
}

/** Smaller ones stand in memory that Node shares out. */
const ownBytesMin = 4096

export function createCollector(listener: Listener, { maxBodyBytes, hold, lend }: Room): Collector {
  let whole: Buffer | undefined
  const chunks: Buffer[] = []
  let size = 0
  const take = (bytes: number): Buffer =>
    bytes < ownBytesMin ? Buffer.allocUnsafe(bytes) : lend(listener, bytes)

  return {
    begin: (announced) => {
      const length = lengthIn(announced)
      if (length > maxBodyBytes) return 'too_large'
      if (length === 0) return undefined
      if (!hold(listener, length)) return 'memory'
      whole = take(length)
      return undefined
    },
    add: (chunk) => {
      const at = size
      size += chunk.length
      if (size > maxBodyBytes) return 'too_large'
      if (whole !== undefined) {
        // More than was announced is no HTTP; undici has not let it pass.
        if (size > whole.length) return 'unreachable'
        chunk.copy(whole, at)
        return undefined
      }
      if (!hold(listener, chunk.length)) return 'memory'
      chunks.push(Buffer.from(chunk))
      return undefined
    },
    body: () => {
      if (whole !== undefined) return size === whole.length ? whole : whole.subarray(0, size)
      const body = take(size)
      let at = 0
      for (const chunk of chunks) at += chunk.copy(body, at)
      return body
    },
  }
}

/** 0: none that could be believed. */
function lengthIn(announced: string | string[] | undefined): number {
  return typeof announced === 'string' && /^\d{1,15}$/.test(announced) ? Number(announced) : 0
}
