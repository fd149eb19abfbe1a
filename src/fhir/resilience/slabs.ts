/**
 * Memory for answers that is used again. Each answer in memory of its own costs more than judging it: what lies outside
 * V8's heap makes it mark the whole heap again and again (docs/performance.md). A slab is lent to one request and comes
 * back only when the last byte of that request's answer is with the operating system; if the browser went away before
 * that, it never comes back and is collected like any other memory. So no two requests ever share one.
 */
export interface Slabs {
  /** Exactly so many bytes, of no certain content: whoever asks fills them all. */
  lend(borrower: Borrower, bytes: number): Buffer
  /** The borrower is done, to its last byte. */
  giveBack(borrower: Borrower): void
}

export interface Borrower {
  /** Undefined: it does not say when it is done, so it borrows nothing. */
  readonly borrowed?: Buffer[]
}

/** Smaller ones share memory that Node portions out; larger ones are rare, and go to the worker (away/) with theirs. */
const smallest = 1024
const largest = 1_048_576
/** What lies ready in a process (DESIGN rule 17). */
const readyBytesMax = 33_554_432

export function createSlabs(): Slabs {
  const ready = new Map<number, Buffer[]>()
  let readyBytes = 0

  const take = (size: number): Buffer => {
    const slab = ready.get(size)?.pop()
    if (slab === undefined) return Buffer.allocUnsafeSlow(size)
    readyBytes -= size
    return slab
  }

  return {
    lend: ({ borrowed }, bytes) => {
      if (bytes < smallest) return Buffer.allocUnsafe(bytes)
      if (borrowed === undefined || bytes > largest) return Buffer.allocUnsafeSlow(bytes)
      const slab = take(sizeFor(bytes))
      borrowed.push(slab)
      return slab.subarray(0, bytes)
    },
    giveBack: ({ borrowed = [] }) => {
      for (const slab of borrowed) {
        const size = slab.length
        if (readyBytes + size > readyBytesMax) continue
        readyBytes += size
        const list = ready.get(size)
        if (list === undefined) ready.set(size, [slab])
        else list.push(slab)
      }
      borrowed.length = 0
    },
  }
}

/** The next power of two. */
function sizeFor(bytes: number): number {
  return 2 ** (32 - Math.clz32(bytes - 1))
}
