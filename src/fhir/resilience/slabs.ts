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
  /**
   * Nothing but these bytes is needed any more. What was read into goes to the next answer while it is still in the
   * processor's caches, and not when the browser has this one.
   */
  keepOnly(borrower: Borrower, bytes: Buffer): void
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

  const put = (slab: Buffer): void => {
    const size = slab.length
    if (readyBytes + size > readyBytesMax) return
    readyBytes += size
    const list = ready.get(size)
    if (list === undefined) ready.set(size, [slab])
    else list.push(slab)
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
      for (const slab of borrowed) put(slab)
      borrowed.length = 0
    },
    keepOnly: ({ borrowed = [] }, bytes) => {
      let kept = 0
      for (const slab of borrowed) {
        if (slab.buffer === bytes.buffer) borrowed[kept++] = slab
        else put(slab)
      }
      borrowed.length = kept
    },
  }
}

/** The next power of two. */
function sizeFor(bytes: number): number {
  return 2 ** (32 - Math.clz32(bytes - 1))
}
