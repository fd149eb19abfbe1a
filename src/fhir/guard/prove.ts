import { isUtf8 } from 'node:buffer'
import { patientFreeTypes } from '../../smart/patient-free.ts'
import type { Expectation } from '../expectation.ts'
import { isRecordPath } from '../record-path.ts'
import * as codes from './codes.ts'
import { isAsked, isProved, isText, isTextAt, typeAt } from './prove-resource.ts'
import { createScanner } from './scan.ts'
import type { Scan } from './scan.ts'
import { createSplice, firstFrom } from './splice.ts'
import type { Splice } from './splice.ts'
import { createVector } from './vector.ts'

/**
 * The common case, proved on the bytes: every resource of a search or a read is of an allowed type with an unrestricted
 * scope and has the patient in context as its subject, in plain words. Anything else proves nothing, and the answer is
 * judged in full; so this may be narrow, but never wider than src/fhir/judge.ts.
 */
export interface Proved extends Proof {
  readonly kind: 'proved'
  readonly bytes: Buffer
  /** For the rewrite step: the bytes still stand in its memory. */
  readonly splice: Splice
}

interface Proof {
  readonly count: number
  /** Where URLs of records begin under the EHR's base, whose so many bytes the rewrite step replaces. */
  readonly urls: Int32Array
  readonly baseBytes: number
  /** Where the value of `Bundle.link` stands; none of the URLs is in it. */
  readonly link: Span | undefined
}

interface Span {
  readonly start: number
  readonly end: number
}

/** Undefined: not proved, which is not refused. */
export type Prove = (bytes: Buffer, expected: Expectation) => Proved | undefined

export function createProver(): Prove {
  const vector = createVector()
  const scanner = createScanner(vector)
  const splice = createSplice(vector)
  return (bytes, expected) => {
    const { shape, patient, version, base } = expected
    if (patient === undefined || version !== undefined) return undefined
    if (shape !== 'search' && shape !== 'resource') return undefined
    if (!isUtf8(bytes)) return undefined
    const scan = scanner.scan(bytes, base)
    const proof = scan === undefined ? undefined : proveScan(scan, expected, patient)
    if (proof === undefined) return undefined
    const { count, urls, baseBytes, link } = proof
    return { kind: 'proved', bytes, count, urls, baseBytes, link, splice }
  }
}

function proveScan(scan: Scan, expected: Expectation, patient: string): Proof | undefined {
  const { events, memory, origin } = scan
  const single = expected.shape === 'resource'
  if (!single && !scan.bundleOnly) return undefined
  const baseBytes = Buffer.byteLength(expected.base)
  const records = createRecords(scan, baseBytes)
  let link: Span | undefined
  let count = 0
  let typed = single
  let rooted = false
  for (let at = scan.first; at < scan.end; at += codes.eventWords) {
    const first = events[at + 1]!
    const second = events[at + 2]!
    const kind = events[at]!
    if (kind === codes.urlEvent) records.add(first, second, events[at + 3]!)
    else if (kind === codes.typeEvent) {
      typed ||= searchTypes.some((type) => isText(memory, first, second, type))
    } else if (kind === codes.linkEvent) {
      // Of a record it is an element of its own, such as Patient.link; only a Bundle's holds pages.
      if (!single) link = { start: first - origin, end: second - origin }
    } else if (first === 1) {
      rooted = single ? isAsked(scan, at, expected, patient) : isTextAt(scan, at + 3, 'Bundle')
      if (!rooted) return undefined
    } else if (second === codes.contained) {
      if (!patientFreeTypes.has(typeAt(scan, at, expected))) return undefined
    } else {
      // In a search a resource stands at one place: Bundle.entry[].resource, the fourth level.
      if (single || first !== 4) return undefined
      const more = events[at + 13]!
      if (!isProved(scan, at, expected, patient, more)) return undefined
      count += 1 + more
    }
  }
  if (!rooted || !typed) return undefined
  const urls = records.list()
  if (link !== undefined && hasAny(urls, link)) return undefined
  return { count: single ? 1 : count, urls, baseBytes, link }
}

const searchTypes = ['searchset', 'collection']

interface Records {
  /** A URL, from here to there, and which of all it is: those behind it are like it, up to the next one that is added. */
  add(from: number, to: number, index: number): void
  list(): Int32Array
}

/** Which of the URLs under the EHR's base lead to a record. */
function createRecords({ events, memory, urls, urlCount }: Scan, baseBytes: number): Records {
  const parts: Int32Array[] = []
  /** The first of those that do, up to where the next begins that does not. */
  let first = -1
  const end = (index: number): void => {
    if (first !== -1) parts.push(events.slice(urls + first, urls + index))
    first = -1
  }
  return {
    add: (from, to, index) => {
      const isRecord = isRecordPath(memory.toString('latin1', from + baseBytes, to))
      if (!isRecord) end(index)
      else if (first === -1) first = index
    },
    list: () => {
      end(urlCount)
      const [only] = parts
      if (only === undefined) return none
      return parts.length === 1 ? only : Int32Array.from(parts.flatMap((part) => [...part]))
    },
  }
}

const none = new Int32Array()

function hasAny(urls: Int32Array, { start, end }: Span): boolean {
  const index = firstFrom(urls, start)
  return index < urls.length && urls[index]! < end
}
