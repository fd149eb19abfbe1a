import * as notes from './notes'
import * as resources from './resources'

/**
 * Entries of a Bundle are mostly made alike: the same members in the same order, with other values. The scan goes from
 * token to token by what stands between the values alone, so an entry with the same bytes there as an entry before
 * takes it the same way, to the same end. Here the scan of one entry is remembered, value by value, and those behind it
 * are followed (follow.ts).
 */

/** An entry with more values is not remembered. */
const rowsMax: usize = 512
export const rowBytes: usize = 16
/**
 * A row for each value, and one for the end: where the piece before it begins, its length, what it is, and where it begins
 * itself. Its end is where the next piece begins.
 */
export const rows = memory.data(513 * 16, 16)
export let rowsEnd: usize = rows

/** What a value is, beside what a string may be (notes.ts), whose place in a resource's record stands above all flags. */
export const scalar: i32 = 8
export const last: i32 = 16
/** It was another one in some entry. */
export const varies: i32 = 32
export const placeBits: i32 = 8

/** An entry is being remembered, and where its last value ended. */
export let open: bool = false
let before: usize = 0
let resourcesBefore: i32 = 0

/** An entry is known, and its rows have been joined. */
export let known: bool = false
export let joined: bool = false
/** What is compared as one: rows, from the first piece to the last row's value. */
export const runs = memory.data(513 * 16, 16)

/** So many entries in a row could not be followed, and so many are not remembered now. */
let misses: i32 = 0
let rest: i32 = 0
/** Where all are made differently, trying costs more than it saves. */
const missesMax: i32 = 3
const restLength: i32 = 8

export function clear(): void {
  open = false
  known = false
  misses = 0
  rest = 0
}

/** One was followed, or could not be. */
export function tried(met: bool): void {
  misses = met ? 0 : misses + 1
  if (misses >= missesMax) rest = restLength
}

/** An entry begins that is scanned. */
export function begin(at: usize): void {
  known = false
  joined = false
  open = rest === 0
  if (!open) rest -= 1
  rowsEnd = rows
  before = at
  resourcesBefore = resources.count
}

export function value(from: usize, to: usize, kind: i32): void {
  if (rowsEnd === rows + rowsMax * rowBytes) open = false
  else add(from, to, kind)
}

function add(from: usize, to: usize, kind: i32): void {
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
  add(at, at, last)
  for (let row = rows; row < rowsEnd; row += rowBytes) {
    const kind = load<i32>(row, 8)
    if ((kind & notes.part) === 0) continue
    const place = <i32>resources.partAt(load<u32>(row, 12))
    store<i32>(row, kind | (place << placeBits), 8)
  }
  known = true
}

/**
 * Values that matter to nobody, and have not been seen to vary, are taken as part of the piece that they stand in, once
 * one entry was followed.
 */
export function join(): void {
  joined = true
  let runsEnd = runs
  let first = rows
  for (let row = rows; row < rowsEnd; row += rowBytes) {
    const kind = load<i32>(row, 8)
    if (kind === notes.plain || kind === scalar) continue
    const from = load<u32>(first)
    store<u32>(runsEnd, from)
    store<u32>(runsEnd, load<u32>(row, 12) - from, 4)
    store<u32>(runsEnd, <u32>row, 8)
    runsEnd += rowBytes
    first = row + rowBytes
  }
}
