import { isUtf8 } from 'node:buffer'
import { isId } from '../../smart/interactions.ts'
import { patientFreeTypes } from '../../smart/patient-free.ts'
import { subjects } from '../../smart/tables/subjects.ts'
import type { Expectation } from '../expectation.ts'
import { isRecordPath } from '../record-path.ts'
import * as codes from './codes.ts'
import { createScanner } from './scan.ts'
import type { Scan } from './scan.ts'
import { createSplice } from './splice.ts'
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
  readonly urls: readonly number[]
  readonly baseBytes: number
  /** Where the value of `Bundle.link` stands. */
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
    const scan = scanner.scan(bytes, `${base}/`)
    const proof = scan === undefined ? undefined : proveScan(scan, expected, patient)
    return proof === undefined ? undefined : { kind: 'proved', bytes, ...proof, splice }
  }
}

function proveScan(scan: Scan, expected: Expectation, patient: string): Proof | undefined {
  const { events, memory, origin } = scan
  const single = expected.shape === 'resource'
  if (!single && !scan.bundleOnly) return undefined
  const judge = createTypeJudge(scan, expected, patient)
  const baseBytes = Buffer.byteLength(expected.base)
  const urls = createUrls(scan, baseBytes)
  let link: Span | undefined
  let count = 0
  let typed = single
  let rooted = false
  for (let at = scan.first; at < scan.end; at += codes.eventWords) {
    const first = events[at + 1]!
    const second = events[at + 2]!
    const kind = events[at]!
    if (kind === codes.urlEvent) urls.add(at)
    else if (kind === codes.typeEvent) {
      typed ||= searchTypes.some((type) => isText(memory, first, second, type))
    } else if (kind === codes.linkEvent) {
      // Of a record it is an element of its own, such as Patient.link; only a Bundle's holds pages.
      if (single) continue
      link = { start: first - origin, end: second - origin }
      urls.removeFrom(link.start)
    } else if (first === 1) {
      rooted = single ? judge.root(at) : judge.isBundle(at)
      if (!rooted) return undefined
    } else if (second === codes.contained) {
      if (!judge.contained(at)) return undefined
    } else {
      // In a search a resource stands at one place: Bundle.entry[].resource, the fourth level.
      if (single || first !== 4 || !judge.standing(at)) return undefined
      count += 1
    }
  }
  if (!rooted || !typed) return undefined
  return { count: single ? 1 : count, urls: urls.list, baseBytes, link }
}

const searchTypes = ['searchset', 'collection']

/** Compared where it stands; as Latin-1, which is what names and ids are of. */
function isText(memory: Buffer, from: number, to: number, text: string): boolean {
  if (to - from !== text.length) return false
  for (let at = 0; at < text.length; at += 1) {
    if (memory[from + at] !== text.charCodeAt(at)) return false
  }
  return true
}

interface Urls {
  readonly list: readonly number[]
  add(at: number): void
  /** What is replaced as a whole has no places in it. */
  removeFrom(start: number): void
}

/** Which of the URLs under the EHR's base lead to a record. */
function createUrls({ events, memory, origin }: Scan, baseBytes: number): Urls {
  const list: number[] = []
  let lastIsRecord = false
  return {
    list,
    add: (at) => {
      const start = events[at + 1]!
      // Like the last one, which led to a record: so does this.
      if (!lastIsRecord || events[at + 3] === 0) {
        const path = memory.toString('latin1', start + baseBytes, events[at + 2])
        lastIsRecord = isRecordPath(path)
      }
      if (lastIsRecord) list.push(start - origin)
    },
    removeFrom: (start) => {
      while ((list.at(-1) ?? -1) >= start) list.pop()
    },
  }
}

interface TypeJudge {
  root(at: number): boolean
  isBundle(at: number): boolean
  standing(at: number): boolean
  contained(at: number): boolean
}

/** What has to hold for a type. */
interface TypeRule {
  readonly allowed: boolean
  /** The member to look at; none for patient-free types; of a Patient its own id. */
  readonly subject: number
}

const ownId = -1

function createTypeJudge(
  { events, memory }: Scan,
  expected: Expectation,
  patient: string,
): TypeJudge {
  const rules = new Map<string, TypeRule>()
  const own = `Patient/${patient}`
  /** The last one was proved, by what the scan compares. */
  let lastProved = false

  /** The text of which the two places are told from there on. */
  const textAt = (at: number): string => memory.toString('latin1', events[at], events[at + 1])
  const isTextAt = (at: number, text: string): boolean =>
    isText(memory, events[at]!, events[at + 1]!, text)
  const typeAt = (at: number): string =>
    isTextAt(at + 3, expected.resource) ? expected.resource : textAt(at + 3)
  const idAt = (at: number): string => (events[at + 5] === 0 ? '' : textAt(at + 5))

  const ruleOf = (type: string): TypeRule => {
    const rule = rules.get(type) ?? makeRule(type, expected)
    rules.set(type, rule)
    return rule
  }

  const hasSubject = (subject: number, at: number): boolean => {
    let slot = at + 7
    if (events[slot] !== subject) slot = at + 10
    if (events[slot] !== subject) return false
    return isTextAt(slot + 1, own) || isTextAt(slot + 1, `${expected.base}/${own}`)
  }

  const prove = (at: number): boolean => {
    const { allowed, subject } = ruleOf(typeAt(at))
    const id = idAt(at)
    lastProved = false
    if (!allowed || !isId(id)) return false
    if (subject === ownId) return id === patient
    lastProved = subject === codes.none || hasSubject(subject, at)
    return lastProved
  }

  return {
    // Of the last one's type and subject, in the same words.
    standing: (at) => (lastProved && events[at + 13] === 1) || prove(at),
    root: (at) => isTextAt(at + 3, expected.resource) && idAt(at) === expected.id && prove(at),
    isBundle: (at) => isTextAt(at + 3, 'Bundle'),
    contained: (at) => {
      lastProved = false
      return patientFreeTypes.has(typeAt(at))
    },
  }
}

function makeRule(type: string, expected: Expectation): TypeRule {
  const allowed = expected.permits(type).kind === 'all'
  if (type === 'Patient') return { allowed, subject: ownId }
  if (patientFreeTypes.has(type)) return { allowed, subject: codes.none }
  const path = Object.hasOwn(subjects, type) ? subjects[type]?.path : undefined
  const subject = path === undefined ? undefined : subjectMembers[path]
  return subject === undefined ? { allowed: false, subject: codes.none } : { allowed, subject }
}

/** Types whose subject stands deeper or among several are judged in full. */
const subjectMembers: Readonly<Record<string, number>> = {
  subject: codes.subject,
  patient: codes.patient,
  beneficiary: codes.beneficiary,
  candidate: codes.candidate,
  individual: codes.individual,
  for: codes.forMember,
  deliverTo: codes.deliverTo,
}
