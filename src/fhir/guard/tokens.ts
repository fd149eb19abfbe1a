/** The tokens of JSON (RFC 8259), found in bytes and judged without being built. Each answers the index after it, or -1. */

const quote = 0x22
const backslash = 0x5c
const zero = 0x30
const nine = 0x39

/** From a backslash to after its escape. */
export function escapeEnd(bytes: Uint8Array, at: number): number {
  const letter = bytes[at + 1] ?? 0
  // b f n r t / \ "
  switch (letter) {
    case quote:
    case backslash:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return at + 2
    case 0x75:
      return isHex(bytes, at + 2, at + 6) ? at + 6 : -1
    default:
      return -1
  }
}

function isHex(bytes: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at < end; at += 1) {
    const byte = bytes[at] ?? 0
    const lower = byte | 0x20
    if (!isDigit(byte) && !(lower >= 0x61 && lower <= 0x66)) return false
  }
  return true
}

/** true, false, null or a number, from its first byte. */
export function scalarEnd(bytes: Uint8Array, from: number): number {
  switch (bytes[from] ?? 0) {
    case 0x74:
      return literalEnd(bytes, from, 'true')
    case 0x66:
      return literalEnd(bytes, from, 'false')
    case 0x6e:
      return literalEnd(bytes, from, 'null')
    default:
      return numberEnd(bytes, from)
  }
}

function literalEnd(bytes: Uint8Array, from: number, word: string): number {
  for (let index = 0; index < word.length; index += 1) {
    if (bytes[from + index] !== word.charCodeAt(index)) return -1
  }
  return from + word.length
}

/** RFC 8259 6: no leading zeros, digits on both sides of the point. */
function numberEnd(bytes: Uint8Array, from: number): number {
  let at = bytes[from] === 0x2d ? from + 1 : from
  if (bytes[at] === zero) at += 1
  else {
    at = digitsEnd(bytes, at)
    if (at === -1) return -1
  }
  if (bytes[at] === 0x2e) {
    at = digitsEnd(bytes, at + 1)
    if (at === -1) return -1
  }
  const exponent = bytes[at]
  if (exponent !== 0x65 && exponent !== 0x45) return at
  const sign = bytes[at + 1]
  return digitsEnd(bytes, sign === 0x2b || sign === 0x2d ? at + 2 : at + 1)
}

function digitsEnd(bytes: Uint8Array, from: number): number {
  let at = from
  while (isDigit(bytes[at] ?? 0)) at += 1
  return at === from ? -1 : at
}

function isDigit(byte: number): boolean {
  return byte >= zero && byte <= nine
}
