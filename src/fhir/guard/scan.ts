import { eventWords } from './codes.ts'
import type { Vector } from './vector.ts'

/**
 * One pass over an answer's bytes that builds nothing: it proves them JSON, and notes for each resource it meets where
 * its type, its id and its subject stand, and which URLs the rewrite step must look at. The pass itself is WebAssembly
 * with vector instructions (vector/, in AssemblyScript). It works in memory of its own, so an answer is copied there
 * first, which costs a fortieth of the pass.
 *
 * Whatever is unusual (escapes or repeats in a member that matters, deep nesting, a resource in a place where none is
 * expected) makes it unsure: then the answer is parsed and judged in full (src/fhir/judge.ts). The bytes must be UTF-8;
 * the caller has checked that.
 */
export interface Scanner {
  /** `base`: the EHR's, without a slash behind it. Undefined: unsure. */
  scan(bytes: Buffer, base: string): Scan | undefined
}

/** Valid until the next scan or splice, which is safe because a scan and its judge never wait. */
export interface Scan {
  /** Numbers, from `first` to before `end`, `eventWords` for each event (codes.ts); places are places in `memory`. */
  readonly events: Int32Array
  readonly first: number
  readonly end: number
  readonly memory: Buffer
  /** Where in the answer the URLs begin that are under the EHR's base, in their order: of these words on, so many. */
  readonly urls: number
  readonly urlCount: number
  /** Where the answer begins in it. */
  readonly origin: number
  /** The outermost object has only such members as a Bundle has. */
  readonly bundleOnly: boolean
}

/** Larger answers are judged in the worker: not even a scan may hold the event loop up for long. */
const bytesMax = 6_291_456

export function createScanner(vector: Vector): Scanner {
  let known = ''
  const knowBase = (base: string): boolean => {
    if (base === known) return true
    const bytes = Buffer.from(`${base}/`)
    if (vector.setBase(bytes.length) === 0) return false
    vector.look().set(bytes, vector.base.value)
    known = base
    return true
  }
  return {
    scan: (bytes, base) => {
      if (bytes.length > bytesMax || !knowBase(base)) return undefined
      const origin = vector.load(bytes)
      if (origin === 0) return undefined
      const found = vector.scan(origin, bytes.length)
      if (found === -1) return undefined
      const first = vector.eventsStart.value >> 2
      return {
        events: vector.words(),
        first,
        end: first + (found >> 1) * eventWords,
        memory: vector.look(),
        urls: vector.listStart.value >> 2,
        urlCount: (vector.listEnd.value - vector.listStart.value) >> 2,
        origin,
        bundleOnly: (found & 1) === 1,
      }
    },
  }
}
