import { hash } from 'node:crypto'

/**
 * The hash chain of DESIGN.md, Stored records: `hash` is the last member, SHA-256 over exactly the bytes of the line
 * before `,"hash":`; `prev` is the hash of the line before, across files. Changing, removing, inserting or moving a
 * record breaks a link that can be named.
 */
export interface Head {
  /** Number of records so far; the last record's `seq`. */
  readonly seq: number
  readonly hash: string
}

/** Before the first record of an instance. */
export const genesis: Head = { seq: 0, hash: '0'.repeat(64) }

/** `members` is the record without braces, from `"time"` to `"instance"`, in ASCII. The line comes without its end. */
export function link(head: Head, members: string): { readonly line: string; readonly head: Head } {
  const seq = head.seq + 1
  const covered = `{"seq":${String(seq)},${members},"prev":"${head.hash}"`
  const own = hash('sha256', covered, 'hex')
  return { line: `${covered},"hash":"${own}"}`, head: { seq, hash: own } }
}

const hashMember = ',"hash":"'
/** `,"hash":"` and 64 digits and `"}`. */
const tailLength = hashMember.length + 64 + 2
const form = /^\{"seq":(?<seq>[1-9]\d{0,15}),.*,"prev":"(?<prev>[0-9a-f]{64})"$/

export interface Link extends Head {
  readonly prev: string
}

/** What a line says of its place, if its own hash is right; `undefined` when the line is not a record or was changed. */
export function readLink(line: string): Link | undefined {
  const covered = line.slice(0, -tailLength)
  const groups = form.exec(covered)?.groups
  if (groups === undefined) return undefined
  const own = hash('sha256', covered, 'hex')
  if (line.slice(-tailLength) !== `${hashMember}${own}"}`) return undefined
  return { seq: Number(groups['seq']), prev: groups['prev'] ?? '', hash: own }
}
