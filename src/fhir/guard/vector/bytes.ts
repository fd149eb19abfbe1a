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
  let others = 0
  for (let at = from; at < to; at += 16) {
    const bytes = v128.load(at)
    const dots = i8x16.eq(bytes, i8x16.splat(0x2e))
    const left = <i32>(to - at)
    const mask = left < 16 ? (1 << left) - 1 : 0xffff
    const marks = v128.or(dots, i8x16.eq(bytes, i8x16.splat(0x2d)))
    if ((~i8x16.bitmask(v128.or(marks, lettersAndDigits(bytes))) & mask) !== 0) return false
    others |= ~i8x16.bitmask(dots) & mask
  }
  return others !== 0
}

function lettersAndDigits(bytes: v128): v128 {
  const small = v128.or(bytes, i8x16.splat(0x20))
  return v128.or(
    i8x16.lt_u(i8x16.sub(small, i8x16.splat(0x61)), i8x16.splat(26)),
    i8x16.lt_u(i8x16.sub(bytes, i8x16.splat(0x30)), i8x16.splat(10)),
  )
}

/** `Binary/` with something behind it, wherever it stands. */
export function hasBinary(from: usize, to: usize): bool {
  for (let at = from; at + 7 < to; at += 16) {
    let found = i8x16.bitmask(i8x16.eq(v128.load(at), i8x16.splat(0x42)))
    for (; found !== 0; found &= found - 1) {
      const place = at + ctz(found)
      if (place + 7 >= to) return false
      // "Bina" and "ary/", which have an a in common: all seven bytes.
      if (load<u32>(place) === 0x616e6942 && load<u32>(place, 3) === 0x2f797261) return true
    }
  }
  return false
}
