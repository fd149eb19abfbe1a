import { randomBytes } from 'node:crypto'

/** Crockford's base 32: no I, L, O, U, so that a number can be read out over the telephone. */
const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const hyphen = '-'.charCodeAt(0)
const codes = Array.from(digits, (one) => one.charCodeAt(0))
const bufferBytes = 4096
const numberBytes = 10

let pool = randomBytes(bufferBytes)
let used = 0

/**
 * The incident number of a request: `7K3M-9QXW-2B`, 50 random bits. It stands on every page, in the header
 * SMART-BFF-Request, and as `request` in the audit.
 */
export function newIncident(): string {
  if (used + numberBytes > bufferBytes) {
    pool = randomBytes(bufferBytes)
    used = 0
  }
  // One string, where adding digit to digit would make twelve.
  // prettier-ignore
  return String.fromCharCode(
    digit(), digit(), digit(), digit(), hyphen,
    digit(), digit(), digit(), digit(), hyphen,
    digit(), digit(),
  )
}

function digit(): number {
  return codes[(pool[used++] ?? 0) & 31] ?? hyphen
}
