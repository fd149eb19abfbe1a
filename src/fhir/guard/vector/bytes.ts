/** Comparisons of bytes that stand in memory. */

export function isSame(left: usize, right: usize, length: i32): bool {
  let at: usize = 0
  for (const last = (<usize>length) & ~15; at < last; at += 16) {
    const same = i8x16.eq(v128.load(left + at), v128.load(right + at))
    if (!i8x16.all_true(same)) return false
  }
  const rest = length & 15
  if (rest === 0) return true
  const same = i8x16.bitmask(i8x16.eq(v128.load(left + at), v128.load(right + at)))
  return (~same & ((1 << rest) - 1)) === 0
}

/** FHIR R4 datatypes, id; `.` and `..` are none (src/smart/interactions.ts). */
export function isId(from: usize, to: usize): bool {
  const length = <i32>(to - from)
  if (length < 1 || length > 64) return false
  let others = false
  for (let at = from; at < to; at += 1) {
    const byte = load<u8>(at)
    if (byte === 0x2e) continue
    if ((byte | 0x20) - 0x61 >= <u8>26 && byte - 0x30 >= <u8>10 && byte !== 0x2d) return false
    others = true
  }
  return others
}

/** `Binary/` with something behind it, wherever it stands. */
export function hasBinary(from: usize, to: usize): bool {
  for (let at = from; at + 7 < to; at += 1) {
    // "Bina", "nary" and "y/" or rather their overlap: all seven bytes.
    if (load<u8>(at) !== 0x42) continue
    if (load<u32>(at) === 0x616e6942 && load<u32>(at, 3) === 0x2f797261) return true
  }
  return false
}
