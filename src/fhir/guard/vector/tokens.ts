/** The tokens of JSON (RFC 8259), found in bytes and judged without being built. Each answers the place after it, or -1. */

const quote: u8 = 0x22
const backslash: u8 = 0x5c
const space: u8 = 0x20

/** How many escapes have been met so far: a string that has one is more than its bytes. */
export let escapes: i32 = 0

/**
 * Of sixteen bytes those that a string may not hold as they are: a bit for each quote, backslash and control character,
 * as in the first stage of simdjson (Langdale and Lemire, Parsing Gigabytes of JSON per Second, 2019, 3.1).
 */
export function stopsAt(at: usize): i32 {
  const bytes = v128.load(at)
  return i8x16.bitmask(
    v128.or(
      v128.or(i8x16.eq(bytes, i8x16.splat(<i8>quote)), i8x16.eq(bytes, i8x16.splat(<i8>backslash))),
      i8x16.lt_u(bytes, i8x16.splat(<i8>space)),
    ),
  )
}

/**
 * From within a string to its closing quote. Behind the answer stand zeros, which are control characters, so it always
 * ends.
 */
export function quoteAfter(from: usize): i32 {
  let at = from
  while (true) {
    const stops = stopsAt(at)
    if (stops === 0) {
      at += 16
      continue
    }
    at += ctz(stops)
    const byte = load<u8>(at)
    if (byte === quote) return <i32>at
    if (byte !== backslash) return -1
    escapes += 1
    const end = escapeEnd(at)
    if (end < 0) return -1
    at = end
  }
}

/** From a backslash to after its escape. */
function escapeEnd(at: usize): i32 {
  const letter = load<u8>(at, 1)
  switch (letter) {
    // " \ / b f n r t
    case 0x22:
    case 0x5c:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return <i32>(at + 2)
    case 0x75:
      for (let index: usize = 2; index < 6; index += 1) {
        if (!isHex(load<u8>(at + index))) return -1
      }
      return <i32>(at + 6)
    default:
      return -1
  }
}

function isHex(byte: u8): bool {
  return isDigit(byte) || (byte | 0x20) - 0x61 < <u8>6
}

/** true, false, null or a number, from its first byte. */
export function scalarEnd(at: usize): i32 {
  switch (load<u8>(at)) {
    // t, f, n
    case 0x74:
      return load<u32>(at) === 0x65757274 ? <i32>(at + 4) : -1
    case 0x66:
      return load<u32>(at, 1) === 0x65736c61 ? <i32>(at + 5) : -1
    case 0x6e:
      return load<u32>(at) === 0x6c6c756e ? <i32>(at + 4) : -1
    default:
      return numberEnd(at)
  }
}

/** RFC 8259 6: no leading zeros, digits on both sides of the point. */
function numberEnd(from: usize): i32 {
  let at = load<u8>(from) === 0x2d ? from + 1 : from
  if (load<u8>(at) === 0x30) at += 1
  else {
    const end = digitsEnd(at)
    if (end === at) return -1
    at = end
  }
  if (load<u8>(at) === 0x2e) {
    const end = digitsEnd(at + 1)
    if (end === at + 1) return -1
    at = end
  }
  if ((load<u8>(at) | 0x20) !== 0x65) return <i32>at
  const sign = load<u8>(at, 1)
  const digits = sign === 0x2b || sign === 0x2d ? at + 2 : at + 1
  const end = digitsEnd(digits)
  return end === digits ? -1 : <i32>end
}

function digitsEnd(from: usize): usize {
  let at = from
  while (isDigit(load<u8>(at))) at += 1
  return at
}

function isDigit(byte: u8): bool {
  return byte - 0x30 < <u8>10
}

/** Space, tab, line feed, carriage return. */
export function afterSpace(from: usize): usize {
  let at = from
  let byte = load<u8>(at)
  while (byte === space || byte === 0x0a || byte === 0x0d || byte === 0x09) {
    at += 1
    byte = load<u8>(at)
  }
  return at
}
