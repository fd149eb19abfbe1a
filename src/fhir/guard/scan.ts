import { isBundleMember, memberOf, members } from './members.ts'
import { createNotes } from './notes.ts'
import type { Notes, Scan } from './notes.ts'
import { escapeEnd, scalarEnd } from './tokens.ts'

/**
 * One pass over an answer's bytes that builds nothing: a strict JSON tokenizer which notes, for each resource it meets,
 * where its type, its id and its subject stand, and which URLs the rewrite step must look at. A small part of the cost
 * of a parse. Whatever is unusual (escapes or repeats in a member that matters, deep nesting, a resource in a place
 * where none is expected) makes it unsure: then the answer is parsed and judged in full (src/fhir/judge.ts).
 *
 * The bytes must be UTF-8; the caller has checked that.
 */
export interface Scanner {
  scan(bytes: Uint8Array): Scan | undefined
}

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const space = 0x20

/** What comes next. */
const expectValue = 0
const expectName = 1
const expectEnd = 2

export function createScanner(): Scanner {
  const notes = createNotes()
  return {
    scan: (bytes) => {
      notes.clear()
      return run(bytes, notes) ? notes.scan() : undefined
    },
  }
}

/**
 * One loop with its state in local variables: taken apart into functions that share the state it costs four times as
 * much (measured). False: unsure.
 */
// oxlint-disable-next-line max-lines-per-function
function run(bytes: Uint8Array, notes: Notes): boolean {
  const length = bytes.length
  const { isArray, holder, seen } = notes
  const view = new DataView(bytes.buffer, bytes.byteOffset, length)
  let at = 0
  let depth = 0
  let current: number = members.none
  let expected = expectValue
  while (at < length) {
    let byte = bytes[at]!
    if (byte <= space) {
      if (byte !== space && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return false
      at += 1
      continue
    }
    if (expected === expectName) {
      if (byte !== quote) return false
      const start = at + 1
      at = start
      // Escapes in a name could spell any name.
      while (at < length && (byte = bytes[at]!) !== quote) {
        if (byte === backslash || byte < space) return false
        at += 1
      }
      current = memberOf(bytes, start, at)
      if (depth === 1 && !isBundleMember(bytes, start, at)) notes.bundleOnly = false
      if (current !== members.none) {
        const bit = 1 << current
        if ((seen[depth]! & bit) !== 0) return false
        seen[depth]! |= bit
      }
      at += 1
      while (at < length && isSpace(bytes[at]!)) at += 1
      if (bytes[at] !== colon) return false
      at += 1
      expected = expectValue
    } else if (expected === expectValue) {
      if (byte === quote) {
        if (depth === 0) return false
        const start = at + 1
        let escaped = false
        at = start
        at = plainEnd(view, at, length)
        while (at < length && (byte = bytes[at]!) !== quote) {
          if (byte === backslash) {
            escaped = true
            at = escapeEnd(bytes, at)
            if (at === -1) return false
          } else if (byte < space) return false
          else at += 1
        }
        if (at >= length) return false
        if (current !== members.none) {
          if (!notes.text(bytes, current, depth, start, at, escaped)) return false
        }
        at += 1
        expected = expectEnd
      } else if (byte === 0x7b || byte === 0x5b) {
        const array = byte === 0x5b
        if (!notes.open(array, current, depth, at)) return false
        depth += 1
        at += 1
        while (at < length && isSpace(bytes[at]!)) at += 1
        expected = array ? expectValue : expectName
        if (bytes[at] === (array ? 0x5d : 0x7d)) expected = expectEnd
        else if (array) current = holder[depth]!
      } else {
        if (depth === 0 || !notes.scalar(current, depth)) return false
        at = scalarEnd(bytes, at)
        if (at === -1) return false
        expected = expectEnd
      }
    } else {
      if (depth === 0) return false
      const array = isArray[depth] === 1
      if (byte === comma) {
        expected = array ? expectValue : expectName
        if (array) current = holder[depth]!
      } else {
        if (byte !== (array ? 0x5d : 0x7d)) return false
        if (!notes.close(array, depth, at + 1)) return false
        depth -= 1
      }
      at += 1
    }
  }
  return depth === 0 && expected === expectEnd
}

/**
 * Over bytes that may stand in a string as they are, four at a time, by the carry of a subtraction: a byte that is a
 * quote, a backslash or below a space sets its highest bit (Warren, Hacker's Delight 6-1). It may stop too early, never
 * too late.
 */
function plainEnd(view: DataView, from: number, end: number): number {
  let at = from
  while (at + 4 <= end) {
    const word = view.getUint32(at, true)
    const quotes = word ^ 0x22222222
    const slashes = word ^ 0x5c5c5c5c
    const found =
      ((quotes - 0x01010101) & ~quotes) |
      ((slashes - 0x01010101) & ~slashes) |
      ((word - 0x20202020) & ~word)
    if ((found & 0x80808080) !== 0) break
    at += 4
  }
  return at
}

function isSpace(byte: number): boolean {
  return byte === space || byte === 0x0a || byte === 0x0d || byte === 0x09
}
