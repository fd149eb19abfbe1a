/** Members that matter to the guard. A repeat of any of them in one object makes the scan unsure. */
export const members = {
  none: 0,
  resourceType: 1,
  id: 2,
  reference: 3,
  contained: 4,
  resource: 5,
  entry: 6,
  link: 7,
  fullUrl: 8,
  type: 9,
  url: 10,
  location: 11,
  // From here on: elements that say whom a resource is about (src/smart/tables/subjects.ts).
  subject: 12,
  patient: 13,
  beneficiary: 14,
  candidate: 15,
  individual: 16,
  for: 17,
  deliverTo: 18,
} as const

export const firstSubject = members.subject

interface Name {
  readonly bytes: Uint8Array
  readonly member: number
}

const lengthMax = 12

/** By length, first and last byte, which together rule out nearly every other name. */
const candidates: readonly (Name | undefined)[] = (() => {
  const table = Array.from<Name | undefined>({ length: (lengthMax + 1) * 256 })
  for (const [name, member] of Object.entries(members)) {
    const slot = slotOf(name.length, name.charCodeAt(0), name.charCodeAt(name.length - 1))
    if (table[slot] !== undefined) throw new TypeError(`two members share a place: ${name}`)
    if (member !== members.none) table[slot] = { bytes: Buffer.from(name), member }
  }
  return table
})()

function slotOf(length: number, first: number, last: number): number {
  return length * 256 + (first ^ last)
}

/** The member named by the bytes, or none. */
export function memberOf(bytes: Uint8Array, from: number, end: number): number {
  const length = end - from
  if (length > lengthMax || length === 0) return members.none
  const name = candidates[slotOf(length, bytes[from]!, bytes[end - 1]!)]
  if (name === undefined || !sameBytes(name.bytes, bytes, from)) return members.none
  return name.member
}

/** True when `expected` stands at `from`. */
export function sameBytes(expected: Uint8Array, bytes: Uint8Array, from: number): boolean {
  for (let index = 0; index < expected.length; index += 1) {
    if (expected[index] !== bytes[from + index]) return false
  }
  return true
}

/** FHIR R4 datatypes, id; `.` and `..` are none (src/smart/interactions.ts). */
export function isIdAt(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === 0 || end - start < 1 || end - start > 64) return false
  let dots = 0
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at]!
    const lower = byte | 0x20
    if (byte === 0x2e) dots += 1
    else if (
      !(lower >= 0x61 && lower <= 0x7a) &&
      !(byte >= 0x30 && byte <= 0x39) &&
      byte !== 0x2d
    ) {
      return false
    }
  }
  return dots < end - start
}

/** What a Bundle is made of (FHIR R4 bundle.html); anything else at its root is not passed on. */
export const bundleMembers: ReadonlySet<string> = new Set([
  'resourceType',
  'id',
  'meta',
  'implicitRules',
  'language',
  'identifier',
  'type',
  'timestamp',
  'total',
  'link',
  'entry',
  'signature',
])

const bundleNames = [...bundleMembers].map((name) => Buffer.from(name))

export function isBundleMember(bytes: Uint8Array, from: number, end: number): boolean {
  return bundleNames.some((name) => name.length === end - from && sameBytes(name, bytes, from))
}
