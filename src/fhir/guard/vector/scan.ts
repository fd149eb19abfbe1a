import { bundleMember, entry, none } from '../codes'
import { follow } from './follow'
import { clear, eventCount } from './memory'
import { memberAt } from './names'
import * as notes from './notes'
import * as shape from './shape'
import { afterSpace, escapes, quoteAfter, scalarEnd, stopsAt } from './tokens'

export { base, eventsStart, inputFor, listEnd, listStart, room, setBase } from './memory'
export { learn } from './names'
export { splice } from './splice'

const quote: u8 = 0x22
const space: u8 = 0x20
const comma: u8 = 0x2c
const colon: u8 = 0x3a

/**
 * One pass over an answer's bytes that builds nothing: a strict JSON tokenizer which notes, for each resource it meets,
 * where its type, its id and its subject stand, and which URLs the rewrite step must look at. Whatever is unusual makes
 * it unsure: -1. Else twice the number of events, and one more where the outermost object has no member but a Bundle's.
 */
export function scan(from: usize, length: i32): i32 {
  if (!begin(length)) return -1
  const end = from + length
  let at = afterSpace(from)
  let depth = 0
  let member = none
  let array = false
  let byte = load<u8>(at)
  // An answer is an object, or nothing that could be proved.
  if (byte !== 0x7b) return -1
  while (true) {
    // A value begins at `at`, as that of `member`.
    byte = load<u8>(at)
    if (byte === quote) {
      const start = at + 1
      const stops = stopsAt(start)
      let escaped = false
      at = start + ctz(stops)
      // A short string without escapes, mostly.
      if (stops === 0 || load<u8>(at) !== quote) {
        const before = escapes
        const close = quoteAfter(start)
        if (close < 0) return -1
        escaped = escapes !== before
        at = close
      }
      if (member !== none && !notes.text(member, depth, start, at, escaped)) return -1
      if (shape.open) shape.value(start, at, member === none ? notes.plain : notes.noted)
      at += 1
    } else if (array && depth === 2 && member === entry && byte === 0x7b && follows(at)) {
      at = followed
    } else if ((byte | 0x20) === 0x7b) {
      array = byte === 0x5b
      if (!notes.open(array, member, depth, at)) return -1
      depth += 1
      at += 1
      if (load<u8>(at) <= space) at = afterSpace(at)
      if (load<u8>(at) !== (array ? 0x5d : 0x7d)) {
        at = valueAfter(at, depth, array)
        if (at === 0) return -1
        member = named
        continue
      }
    } else {
      if (member !== none && !notes.scalar(member, depth)) return -1
      const close = scalarEnd(at)
      if (close < 0) return -1
      if (shape.open) shape.value(at, close, shape.scalar)
      at = close
    }
    // It has ended, and perhaps what holds it too.
    while (true) {
      byte = load<u8>(at)
      if (byte <= space) {
        at = afterSpace(at)
        byte = load<u8>(at)
      }
      if (byte === comma) break
      if (byte !== (array ? 0x5d : 0x7d)) return -1
      at += 1
      if (!notes.close(array, depth, at)) return -1
      depth -= 1
      if (shape.open && depth === 2) shape.finish(at)
      if (depth === 0) return afterSpace(at) === end ? eventCount() * 2 + i32(notes.bundleOnly) : -1
      array = notes.isArray(depth)
    }
    at += 1
    if (load<u8>(at) <= space) at = afterSpace(at)
    at = valueAfter(at, depth, array)
    if (at === 0) return -1
    member = named
  }
}

function begin(length: i32): bool {
  notes.clear()
  shape.clear()
  return clear(length)
}

/** The place behind the entry that was like the one before. */
let followed: usize = 0

/** One that is not is remembered, for the next. */
function follows(at: usize): bool {
  followed = follow(at)
  if (followed !== 0) return true
  shape.begin(at)
  return false
}

/** Whose the next value is. */
let named: i32 = none

/** From the quote of a name to the value behind it; 0: unsure. An escape in a name could spell any name. */
function valueAfter(at: usize, depth: i32, array: bool): usize {
  if (array) {
    named = notes.holderAt(depth)
    return at
  }
  if (load<u8>(at) !== quote) return 0
  const from = at + 1
  const stops = stopsAt(from)
  let close = from + ctz(stops)
  if (stops === 0 || load<u8>(close) !== quote) {
    const before = escapes
    close = quoteAfter(from)
    if (<i32>close < 0 || escapes !== before) return 0
  }
  named = memberAt(from, <i32>(close - from))
  if (depth === 1) notes.atRoot(named)
  if (named === bundleMember) named = none
  if (named !== none && !notes.first(named, depth)) return 0
  let next = close + 1
  if (load<u8>(next) <= space) next = afterSpace(next)
  if (load<u8>(next) !== colon) return 0
  next += 1
  return load<u8>(next) <= space ? afterSpace(next) : next
}
