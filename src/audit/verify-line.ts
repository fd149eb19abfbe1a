import { hash } from 'node:crypto'
import type { Head } from './chain.ts'

/** What a line claims of its place, read from its fixed ends without parsing what stands between. */
export interface Claim extends Head {
  readonly prev: string
}

export type FaultKind =
  /** No record: not the form of a line. */
  | 'unreadable'
  /** Its own hash does not fit its bytes. */
  | 'changed'
  /** Records before this one are missing. */
  | 'missing'
  /** Its number came already: inserted, or moved. */
  | 'out_of_order'
  /** The record before it is not the one it was written after. */
  | 'not_linked'
  /** The record is another instance's: its file was renamed. */
  | 'foreign'
  /** A file that was left ends in the middle of a line. */
  | 'torn'
  /** A compressed file cannot be read from here on. */
  | 'damaged'
  /** A checkpoint was signed over another record of this number. */
  | 'checkpoint_differs'
  /** A checkpoint counts this record, and it is not there. */
  | 'truncated'
  /** A checkpoint's form or signature is wrong. */
  | 'checkpoint_broken'

const start = '{"seq":'
const prevMember = ',"prev":"'
const hashMember = '","hash":"'
const end = '"}'
const hashLength = 64
const tailLength = prevMember.length + hashMember.length + end.length + 2 * hashLength
/** Of `,"hash":"…"}`: the covered bytes end before it, after the quote that closes `prev`. */
const uncovered = hashMember.length - 1 + hashLength + end.length
const tailForm = /^,"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}$/

/** `instance` is the last member before `prev`. */
export const isOf = (line: string, instance: string): boolean =>
  line.slice(0, -tailLength).endsWith(`,"instance":"${instance}"`)

export function readClaim(line: string): Claim | undefined {
  if (line.length < start.length + tailLength + 1) return undefined
  const tail = tailForm.exec(line.slice(-tailLength))
  const seq = /^\{"seq":([1-9]\d{0,15}),/.exec(line)?.[1]
  if (tail === null || seq === undefined) return undefined
  return { seq: Number(seq), prev: tail[1] ?? '', hash: tail[2] ?? '' }
}

/** `before` is undefined where nothing is known of the record before: at the start of a log whose older files went. */
export function judgeLine(
  line: string,
  claim: Claim,
  before: Head | undefined,
): FaultKind | undefined {
  if (hash('sha256', line.slice(0, -uncovered), 'hex') !== claim.hash) {
    return 'changed'
  }
  if (before === undefined) return undefined
  if (claim.seq > before.seq + 1) return 'missing'
  if (claim.seq <= before.seq) return 'out_of_order'
  return claim.prev === before.hash ? undefined : 'not_linked'
}
