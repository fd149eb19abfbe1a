import { randomBytes } from 'node:crypto'

/** Crockford's base 32: no I, L, O, U, so that a number can be read out over the telephone. */
const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
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
  let text = ''
  for (let index = 0; index < numberBytes; index += 1) {
    if (index === 4 || index === 8) text += '-'
    text += digits.charAt((pool[used + index] ?? 0) & 31)
  }
  used += numberBytes
  return text
}
