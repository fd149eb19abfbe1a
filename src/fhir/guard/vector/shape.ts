import * as notes from './notes'
import * as resources from './resources'

/**
 * Entries of a Bundle are mostly made alike: the same members in the same order, with other values. The scan goes from
 * token to token by what stands between the values alone, so an entry with the same bytes there as an entry before
 * takes it the same way, to the same end. Here the scans of some entries are remembered, value by value, and those behind
 * them are followed (follow.ts).
 */

/** So many shapes are remembered at a time: members that not every record has make a few of one type. */
export const shapesMax: i32 = 4
/** An entry with more values is not remembered. */
const rowsMax: usize = 512
export const rowBytes: usize = 16

// Of a shape: where its rows end; it is known; its rows were joined; its resource's record (resources.ts).
const knownAt: usize = 4
const joinedAt: usize = 8
const recordAt: usize = 16
/**
 * A row for each value, and one for the end: where the piece before it begins, its length, what it is, and where it begins
 * itself. Its end is where the next piece begins.
 */
const rowsAt: usize = 64
/** What is compared as one: rows, from the first piece to the last row's value. */
const runsAt: usize = 64 + 513 * 16
const shapeBytes: usize = 64 + 2 * 513 * 16
const shapes = memory.data(4 * (64 + 2 * 513 * 16), 16)

/** What a value is, beside what a string may be (notes.ts), whose place in a resource's record stands above all flags. */
export const scalar: i32 = 8
export const last: i32 = 16
/** It was another one in some entry. */
export const varies: i32 = 32
export const placeBits: i32 = 8

/** An entry is being remembered, in which shape, and where its last value ended. */
export let open: bool = false
let opened: i32 = 0
let before: usize = 0
let rowsEnd: usize = 0
let resourcesBefore: i32 = 0

/**
 * Where entries are made in many ways, trying costs more than it saves: each that could not be followed takes two from
 * what one that was gives, and when nothing is left so many are scanned without a look.
 */
let credit: i32 = 0
const creditMax: i32 = 6
const restLength: i32 = 32
export let rest: i32 = 0

export function shapeOf(index: i32): usize {
  return shapes + <usize>index * shapeBytes
}

export function isKnown(shape: usize): bool {
  return load<i32>(shape, knownAt) !== 0
}

export function isJoined(shape: usize): bool {
  return load<i32>(shape, joinedAt) !== 0
}

export function recordOf(shape: usize): usize {
  return shape + recordAt
}

export function rowsOf(shape: usize): usize {
  return shape + rowsAt
}

export function runsOf(shape: usize): usize {
  return shape + runsAt
}

export function lastRowOf(shape: usize): usize {
  return <usize>load<u32>(shape) - rowBytes
}

export function clear(): void {
  open = false
  for (let index: i32 = 0; index < shapesMax; index += 1) store<i32>(shapeOf(index), 0, knownAt)
  credit = creditMax
  rest = 0
}

/** One was followed, or could not be. */
export function tried(met: bool): void {
  credit = met ? min(credit + 1, creditMax) : credit - 2
  if (credit > 0) return
  credit = 2
  rest = restLength
}

/** An entry begins that is scanned; it is remembered in place of the oldest. */
export function begin(at: usize): void {
  open = rest === 0
  if (!open) {
    rest -= 1
    return
  }
  opened = (opened + 1) % shapesMax
  store<i32>(shapeOf(opened), 0, knownAt)
  rowsEnd = rowsOf(shapeOf(opened))
  before = at
  resourcesBefore = resources.count
}

export function value(from: usize, to: usize, kind: i32): void {
  if (rowsEnd === rowsOf(shapeOf(opened)) + rowsMax * rowBytes) open = false
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
  const shape = shapeOf(opened)
  for (let row = rowsOf(shape); row < rowsEnd; row += rowBytes) {
    const kind = load<i32>(row, 8)
    if ((kind & notes.part) === 0) continue
    const place = <i32>resources.partAt(load<u32>(row, 12))
    store<i32>(row, kind | (place << placeBits), 8)
  }
  resources.copyLast(recordOf(shape))
  store<u32>(shape, <u32>rowsEnd)
  store<i32>(shape, 1, knownAt)
  store<i32>(shape, 0, joinedAt)
}

/**
 * Values that matter to nobody, and have not been seen to vary, are taken as part of the piece that they stand in, once
 * one entry was followed.
 */
export function join(shape: usize): void {
  store<i32>(shape, 1, joinedAt)
  let run = runsOf(shape)
  let first = rowsOf(shape)
  for (let row = first; row <= lastRowOf(shape); row += rowBytes) {
    const kind = load<i32>(row, 8)
    if (kind === notes.plain || kind === scalar) continue
    const from = load<u32>(first)
    store<u32>(run, from)
    store<u32>(run, load<u32>(row, 12) - from, 4)
    store<u32>(run, <u32>row, 8)
    run += rowBytes
    first = row + rowBytes
  }
}
