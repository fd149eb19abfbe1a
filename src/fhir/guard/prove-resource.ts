import { isId } from '../../smart/interactions.ts'
import { patientFreeTypes } from '../../smart/patient-free.ts'
import { subjects } from '../../smart/tables/subjects.ts'
import type { Expectation } from '../expectation.ts'
import * as codes from './codes.ts'
import type { Scan } from './scan.ts'

/** The one record that was asked for by its id. */
export function isAsked(scan: Scan, at: number, expected: Expectation, patient: string): boolean {
  if (!isTextAt(scan, at + 3, expected.resource) || idAt(scan, at) !== expected.id) return false
  return isProved(scan, at, expected, patient, 0)
}

/** With so `many` more that are of the same type and about the same subject, each with an id of its own. */
export function isProved(
  scan: Scan,
  at: number,
  expected: Expectation,
  patient: string,
  many: number,
): boolean {
  const { allowed, subject } = ruleOf(typeAt(scan, at, expected), expected)
  const id = idAt(scan, at)
  if (!allowed || !isId(id)) return false
  if (subject === ownId) return id === patient && many === 0
  return subject === codes.none || hasSubject(scan, at, subject, expected, patient)
}

function hasSubject(
  scan: Scan,
  at: number,
  subject: number,
  { base }: Expectation,
  patient: string,
): boolean {
  const { events } = scan
  let slot = at + 7
  if (events[slot] !== subject) slot = at + 10
  if (events[slot] !== subject) return false
  const own = `Patient/${patient}`
  return isTextAt(scan, slot + 1, own) || isTextAt(scan, slot + 1, `${base}/${own}`)
}

/** What has to hold for a type. */
interface TypeRule {
  readonly allowed: boolean
  /** The member to look at; none for patient-free types; of a Patient its own id. */
  readonly subject: number
}

const ownId = -1

function ruleOf(type: string, expected: Expectation): TypeRule {
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

/** The text of which the two places are told from there on. */
const textAt = ({ events, memory }: Scan, at: number): string =>
  memory.toString('latin1', events[at], events[at + 1])

export const isTextAt = ({ events, memory }: Scan, at: number, text: string): boolean =>
  isText(memory, events[at]!, events[at + 1]!, text)

/** A resource's, mostly what was asked for. */
export const typeAt = (scan: Scan, at: number, { resource }: Expectation): string =>
  isTextAt(scan, at + 3, resource) ? resource : textAt(scan, at + 3)

const idAt = (scan: Scan, at: number): string =>
  scan.events[at + 5] === 0 ? '' : textAt(scan, at + 5)

/** Compared where it stands; as Latin-1, which is what names and ids are of. */
export function isText(memory: Buffer, from: number, to: number, text: string): boolean {
  if (to - from !== text.length) return false
  for (let at = 0; at < text.length; at += 1) {
    if (memory[from + at] !== text.charCodeAt(at)) return false
  }
  return true
}
