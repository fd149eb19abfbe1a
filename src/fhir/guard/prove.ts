import { isUtf8 } from 'node:buffer'
import { patientFreeTypes } from '../../smart/patient-free.ts'
import { subjects } from '../../smart/tables/subjects.ts'
import type { Expectation } from '../expectation.ts'
import { isIdAt, members, sameBytes } from './members.ts'
import { events, eventSize } from './notes.ts'
import type { Scan } from './notes.ts'
import type { Scanner } from './scan.ts'

/**
 * The common case, proved on the bytes: every resource of a search or a read is of an allowed type with an unrestricted
 * scope and has the patient in context as its subject, in plain words. Anything else proves nothing, and the answer is
 * judged in full; so this may be narrow, but never wider than src/fhir/judge.ts.
 */
export interface Proved {
  readonly kind: 'proved'
  readonly bytes: Buffer
  readonly count: number
  /** What the rewrite step looks at: three numbers each, a code of `events`, start and end, in no order. */
  readonly spots: readonly number[]
}

/** Undefined: not proved, which is not refused. */
export type Prove = (bytes: Buffer, expected: Expectation) => Proved | undefined

export function createProver(scanner: Scanner): Prove {
  return (bytes, expected) => {
    const { shape, patient, version } = expected
    if (patient === undefined || version !== undefined) return undefined
    if (shape !== 'search' && shape !== 'resource') return undefined
    if (!isUtf8(bytes)) return undefined
    const scan = scanner.scan(bytes)
    return scan === undefined ? undefined : proveScan(scan, bytes, expected, patient)
  }
}

function proveScan(
  scan: Scan,
  bytes: Buffer,
  expected: Expectation,
  patient: string,
): Proved | undefined {
  const judge = createTypeJudge(bytes, expected, patient)
  const spots: number[] = []
  const single = expected.shape === 'resource'
  if (!single && !scan.bundleOnly) return undefined
  let count = 0
  let typed = single
  let rooted = false
  for (let at = 0; at < scan.length; at += eventSize) {
    const code = scan.events[at]!
    const start = scan.events[at + 1]!
    const end = scan.events[at + 2]!
    if (code === events.rootType) typed ||= isSearchType(bytes, start, end)
    else if (code !== events.resource) {
      // Of a record it is an element of its own, such as Patient.link; only a Bundle's holds pages.
      if (!single || code !== events.rootLink) spots.push(code, start, end)
    } else if (scan.events[at + 1] === 1) {
      rooted = single ? judge.root(scan.events, at) : isBundle(bytes, scan.events, at)
      if (!rooted) return undefined
    } else if (scan.events[at + 2] === members.contained) {
      if (!judge.contained(scan.events, at)) return undefined
    } else {
      // In a search a resource stands at one place: Bundle.entry[].resource, the fourth level.
      if (single || scan.events[at + 1] !== 4 || !judge.standing(scan.events, at)) return undefined
      count += 1
    }
  }
  return rooted && typed ? { kind: 'proved', bytes, count: single ? 1 : count, spots } : undefined
}

interface TypeJudge {
  root(list: Int32Array, at: number): boolean
  standing(list: Int32Array, at: number): boolean
  contained(list: Int32Array, at: number): boolean
}

/** What has to hold for a type. `subject`: the member to look at; none for patient-free types; `id`: Patient itself. */
interface TypeRule {
  readonly name: Uint8Array
  readonly allowed: boolean
  readonly subject: number
}

const selfSubject = -1

function createTypeJudge(bytes: Buffer, expected: Expectation, patient: string): TypeJudge {
  const rules: TypeRule[] = []
  const relative = Buffer.from(`Patient/${patient}`)
  const absolute = Buffer.from(`${expected.base}/Patient/${patient}`)
  const own = Buffer.from(patient)

  const ruleAt = (start: number, end: number): TypeRule => {
    for (const rule of rules) if (isSame(rule.name, bytes, start, end)) return rule
    const rule = makeRule(bytes.toString('latin1', start, end), expected)
    rules.push(rule)
    return rule
  }

  const hasSubject = (rule: TypeRule, list: Int32Array, at: number): boolean => {
    if (rule.subject === members.none) return true
    if (rule.subject === selfSubject) return isSame(own, bytes, list[at + 5]!, list[at + 6]!)
    let slot = at + 7
    if (list[slot] !== rule.subject) slot = at + 10
    if (list[slot] !== rule.subject) return false
    const start = list[slot + 1]!
    const end = list[slot + 2]!
    return isSame(relative, bytes, start, end) || isSame(absolute, bytes, start, end)
  }

  const standing = (list: Int32Array, at: number): boolean => {
    const rule = ruleAt(list[at + 3]!, list[at + 4]!)
    return rule.allowed && isIdAt(bytes, list[at + 5]!, list[at + 6]!) && hasSubject(rule, list, at)
  }

  return {
    standing,
    root: (list, at) =>
      bytes.toString('latin1', list[at + 3], list[at + 4]) === expected.resource &&
      bytes.toString('latin1', list[at + 5], list[at + 6]) === expected.id &&
      standing(list, at),
    contained: (list, at) =>
      patientFreeTypes.has(bytes.toString('latin1', list[at + 3], list[at + 4])),
  }
}

function makeRule(type: string, expected: Expectation): TypeRule {
  const name = Buffer.from(type, 'latin1')
  const allowed = expected.permits(type).kind === 'all'
  if (type === 'Patient') return { name, allowed, subject: selfSubject }
  if (patientFreeTypes.has(type)) return { name, allowed, subject: members.none }
  const path = Object.hasOwn(subjects, type) ? subjects[type]?.path : undefined
  const subject = path === undefined ? undefined : subjectMembers[path]
  if (subject === undefined) return { name, allowed: false, subject: members.none }
  return { name, allowed, subject }
}

/** Types whose subject stands deeper or among several are judged in full. */
const subjectMembers: Readonly<Record<string, number>> = {
  subject: members.subject,
  patient: members.patient,
  beneficiary: members.beneficiary,
  candidate: members.candidate,
  individual: members.individual,
  for: members.for,
  deliverTo: members.deliverTo,
}

const bundle = Buffer.from('Bundle')
const searchTypes = [Buffer.from('searchset'), Buffer.from('collection')]

function isBundle(bytes: Uint8Array, list: Int32Array, at: number): boolean {
  return isSame(bundle, bytes, list[at + 3]!, list[at + 4]!)
}

function isSearchType(bytes: Uint8Array, start: number, end: number): boolean {
  return searchTypes.some((type) => isSame(type, bytes, start, end))
}

function isSame(expected: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  return expected.length === end - start && sameBytes(expected, bytes, start)
}
