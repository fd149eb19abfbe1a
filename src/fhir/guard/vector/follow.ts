import { hasBinary, isSame } from './bytes'
import * as found from './memory'
import * as notes from './notes'
import * as resources from './resources'
import * as shape from './shape'
import { escapes, quoteAfter, scalarEnd, stopsAt } from './tokens'
import * as urls from './urls'

/**
 * An entry is followed along the shape of one before, or of another (shape.ts): each piece between two values is compared
 * as a whole, each value is looked at as ever, and those that matter are noted as their like were. Any difference, or
 * anything unusual in a value that matters, and the entry is scanned like the first one. Answers the place behind it;
 * 0: it is not like that.
 */
export function follow(from: usize): usize {
  if (shape.rest > 0) return 0
  found.mark()
  urls.mark()
  let tried = false
  for (let more: i32 = 0; more < shape.shapesMax; more += 1) {
    const index = (latest + more) % shape.shapesMax
    const one = shape.shapeOf(index)
    if (!shape.isKnown(one)) continue
    tried = true
    const end = along(one, from)
    if (end !== 0) {
      latest = index
      shape.tried(true)
      return end
    }
    found.forget()
    urls.forget()
  }
  if (tried) shape.tried(false)
  return 0
}

/** The shape that was followed last is the likeliest. */
let latest: i32 = 0

function along(one: usize, from: usize): usize {
  resources.repeat(shape.recordOf(one))
  changed = !shape.isJoined(one)
  const rows = shape.rowsOf(one)
  const end = changed ? step(rows, shape.lastRowOf(one), from) : walk(shape.runsOf(one), rows, from)
  if (end === 0 || !resources.tell()) return 0
  if (changed) shape.join(one)
  return end
}

/** A value was seen to vary that had not. */
let changed: bool = false

function walk(runs: usize, rows: usize, from: usize): usize {
  let at = from
  let first = rows
  let run = runs
  while (true) {
    const length = load<i32>(run, 4)
    const row = <usize>load<u32>(run, 8)
    if (isSame(load<u32>(run), at, length)) at += length
    else {
      at = step(first, row, at)
      if (at === 0) return 0
    }
    const kind = load<i32>(row, 8)
    if (kind === shape.last) return at
    at = valueEnd(kind, at)
    if (at === 0) return 0
    first = row + shape.rowBytes
    run += shape.rowBytes
  }
}

/** The same row by row, from the first piece to the beginning of the last row's value. */
function step(first: usize, last: usize, from: usize): usize {
  let at = from
  let row = first
  while (true) {
    const length = load<i32>(row, 4)
    if (!isSame(load<u32>(row), at, length)) return 0
    at += length
    if (row === last) return at
    const kind = load<i32>(row, 8)
    const end = valueEnd(kind, at)
    if (end === 0) return 0
    const known = load<u32>(row, 12)
    row += shape.rowBytes
    const size = load<i32>(row) - <i32>known
    if (<i32>(end - at) !== size || !isSame(known, at, size)) {
      store<i32>(row - shape.rowBytes, kind | shape.varies, 8)
      changed = true
    }
    at = end
  }
}

const quote: u8 = 0x22

/** The end of a value of that kind, which is noted where it matters; 0: it is none, or unusual. */
function valueEnd(kind: i32, from: usize): usize {
  if ((kind & shape.scalar) !== 0) {
    const close = scalarEnd(from)
    return close < 0 ? 0 : close
  }
  const matters = (kind & ~shape.varies) !== notes.plain
  const stops = stopsAt(from)
  let at = from + ctz(stops)
  if (stops === 0 || load<u8>(at) !== quote) {
    const escaped = escapes
    const close = quoteAfter(from)
    if (close < 0 || (matters && escapes !== escaped)) return 0
    at = close
  }
  return !matters || note(kind, from, at) ? at : 0
}

function note(kind: i32, from: usize, to: usize): bool {
  const part = <usize>(kind >> shape.placeBits)
  if (part !== 0) resources.setPart(part, from, to)
  if ((kind & notes.binary) !== 0 && hasBinary(from, to)) return false
  return (kind & notes.ofUrl) === 0 || urls.note(from, to)
}
