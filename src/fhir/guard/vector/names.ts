import { none } from '../codes'

/**
 * The members that matter, found by length, first and last byte, which together rule out nearly every other name; then
 * compared in full.
 */
const longest: i32 = 13
const width: i32 = 16

/** For each place the code of a member, or none; and its name. */
const places = memory.data(14 * 256)
const texts = memory.data(14 * 256 * 16)

/** The name stands at `from`. False: its place is taken. */
export function learn(from: usize, length: i32, code: i32): bool {
  const place = placeOf(from, length)
  if (length > longest || load<u8>(places + place) !== none) return false
  store<u8>(places + place, <u8>code)
  memory.copy(texts + place * width, from, length)
  return true
}

export function memberAt(from: usize, length: i32): i32 {
  if (length > longest || length === 0) return none
  const place = placeOf(from, length)
  const code = <i32>load<u8>(places + place)
  if (code === none) return none
  const same = i8x16.eq(v128.load(texts + place * width), v128.load(from))
  return (~i8x16.bitmask(same) & ((1 << length) - 1)) === 0 ? code : none
}

function placeOf(from: usize, length: i32): usize {
  return <usize>length * 256 + (load<u8>(from) ^ load<u8>(from + <usize>length - 1))
}
