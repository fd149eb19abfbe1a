import { hasBinary, isSame } from './bytes'
import * as found from './memory'
import * as notes from './notes'
import * as resources from './resources'
import { escapes, quoteAfter, scalarEnd, stopsAt } from './tokens'
import * as urls from './urls'

/**
 * Entries of a Bundle are mostly made alike: the same members in the same order, with other values. The scan goes from
 * token to token by what stands between the values alone, so an entry with the same bytes there as the entry before
 * takes it the same way, to the same end. Such an entry is followed: each piece between two values is compared as a
 * whole, each value is looked at as ever, and those that matter are noted as their like were. Any difference, or
 * anything unusual in a value, and the entry is scanned like the first one.
 */

/** An entry with more values is not remembered. */
const rowsMax: usize = 512
const rowBytes: usize = 16
/** For each value: where the piece before it begins, its length, what kind of value it is, and where that begins. */
const rows = memory.data(512 * 16, 16)
let rowsEnd: usize = rows
/** The piece behind the last value. */
let tail: usize = 0
let tailLength: i32 = 0

/** An entry is being remembered, and where its last value ended. */
export let open: bool = false
let before: usize = 0
let resourcesBefore: i32 = 0
/** One has been. */
let known: bool = false

/** A number or literal; other kinds are of strings: notes.plain, or flags with the place in a resource's record above them. */
export const scalar: i32 = -1

export function clear(): void {
  open = false
  known = false
}

/** An entry begins. */
export function begin(at: usize): void {
  open = true
  known = false
  before = at
  rowsEnd = rows
  resourcesBefore = resources.count
}

export function value(from: usize, to: usize, kind: i32): void {
  if (rowsEnd === rows + rowsMax * rowBytes) {
    open = false
    return
  }
  store<u32>(rowsEnd, <u32>before)
  store<i32>(rowsEnd, <i32>(from - before), 4)
  store<i32>(rowsEnd, kind, 8)
  store<u32>(rowsEnd, <u32>from, 12)
  rowsEnd += rowBytes
  before = to
}

/** It has ended. With contained resources an entry is more than what can be followed. */
export function finish(at: usize): void {
  open = false
  if (resources.count !== resourcesBefore + 1) return
  known = true
  tail = before
  tailLength = <i32>(at - before)
  for (let row = rows; row < rowsEnd; row += rowBytes) {
    const kind = load<i32>(row, 8)
    if (kind > notes.plain && (kind & notes.part) !== 0) {
      store<i32>(row, kind | ((<i32>resources.partAt(load<u32>(row, 12))) << 8), 8)
    }
  }
}

/** The place behind an entry that is like the one before; 0: it is not. */
export function follow(from: usize): usize {
  if (!known) return 0
  found.mark()
  urls.mark()
  const end = walk(from)
  if (end === 0) {
    found.forget()
    urls.forget()
  }
  return end
}

const quote: u8 = 0x22

function walk(from: usize): usize {
  resources.repeat()
  let at = from
  for (let row = rows; row < rowsEnd; row += rowBytes) {
    const length = load<i32>(row, 4)
    if (!isSame(load<u32>(row), at, length)) return 0
    at += length
    const kind = load<i32>(row, 8)
    if (kind === scalar) {
      const close = scalarEnd(at)
      if (close < 0) return 0
      at = close
      continue
    }
    const start = at
    const stops = stopsAt(start)
    at = start + ctz(stops)
    if (stops === 0 || load<u8>(at) !== quote) {
      const escaped = escapes
      const close = quoteAfter(start)
      if (close < 0 || (kind !== notes.plain && escapes !== escaped)) return 0
      at = close
    }
    if (kind !== notes.plain && !note(kind, start, at)) return 0
  }
  if (!isSame(tail, at, tailLength)) return 0
  return resources.tell() ? at + tailLength : 0
}

function note(kind: i32, from: usize, to: usize): bool {
  const part = <usize>(kind >> 8)
  if (part !== 0) resources.setPart(part, from, to)
  if ((kind & notes.binary) !== 0 && hasBinary(from, to)) return false
  return (kind & notes.ofUrl) === 0 || urls.note(from, to)
}
