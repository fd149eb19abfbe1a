import { isJsonObject } from '../../smart/json.ts'
import { parseReference } from '../../smart/references.ts'
import { namesSomebodyElse } from '../operation-patient.ts'
import type { JsonObject } from '../../smart/json.ts'
import type { Refusal } from '../decision.ts'
import type { TypedValue } from '../request.ts'

/**
 * The value of one entry of a Parameters body: of a type that can be judged whole, with the members that are known and
 * no others, and of no patient but the one in context. What is sent on is built from what was read here.
 */
export interface ValueJudge {
  readonly patient: string | undefined
  readonly base: string
  /** Judges a whole record like the body of a write; without it there can be none. */
  readonly resource?: (value: unknown) => JsonObject | Refusal
}

export type ValueFault = 'malformed' | 'wrong_patient'

export interface JudgedValueOf {
  readonly typed: TypedValue
  /** As the same value would stand in a query, by which the rule and the binding judge it. */
  readonly text: string
}

type Read = { readonly json: unknown; readonly text: string } | ValueFault
type Reader = (value: unknown, judge: ValueJudge) => Read

export function readValue(
  member: string,
  value: unknown,
  judge: ValueJudge,
): JudgedValueOf | ValueFault {
  const reader = Object.hasOwn(readers, member) ? readers[member] : undefined
  if (reader === undefined) return 'malformed'
  const read = reader(value, judge)
  return typeof read === 'string' ? read : { typed: { member, json: read.json }, text: read.text }
}

const maxTextLength = 8192
const maxCodings = 20
/** FHIR R4 datatypes, string: no control characters but tab and the ends of lines. */
// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]/

function textOf(pattern: RegExp): Reader {
  return (value, { patient }) => {
    if (typeof value !== 'string' || value.length === 0 || value.length > maxTextLength) {
      return 'malformed'
    }
    if (controls.test(value) || !pattern.test(value)) return 'malformed'
    if (patient !== undefined && namesSomebodyElse(value, patient)) return 'wrong_patient'
    return { json: value, text: value }
  }
}

/** Numbers keep the form they came in (exact-json.ts); an object from JSON is never frozen. */
function numberOf(pattern: RegExp): Reader {
  return (value) => {
    const raw = isJsonObject(value) && Object.isFrozen(value) ? value['rawJSON'] : undefined
    const text = typeof value === 'number' ? String(value) : raw
    return typeof text === 'string' && text.length <= 40 && pattern.test(text)
      ? { json: value, text }
      : 'malformed'
  }
}

/** An object of these members, each optional and read by its own reader. */
function objectOf(members: Readonly<Record<string, Reader>>, print: readonly string[]): Reader {
  return (value, judge) => {
    if (!isJsonObject(value)) return 'malformed'
    const json: Record<string, unknown> = {}
    const texts: Record<string, string> = {}
    for (const [name, inner] of Object.entries(value)) {
      const reader = Object.hasOwn(members, name) ? members[name] : undefined
      if (reader === undefined) return 'malformed'
      const read = reader(inner, judge)
      if (typeof read === 'string') return read
      json[name] = read.json
      texts[name] = read.text
    }
    if (Object.keys(json).length === 0) return 'malformed'
    return { json, text: print.map((name) => texts[name] ?? '').join('|') }
  }
}

function listOf(reader: Reader): Reader {
  return (value, judge) => {
    if (!Array.isArray(value) || value.length === 0 || value.length > maxCodings) return 'malformed'
    const json: unknown[] = []
    const texts: string[] = []
    for (const item of value as unknown[]) {
      const read = reader(item, judge)
      if (typeof read === 'string') return read
      json.push(read.json)
      texts.push(read.text)
    }
    return { json, text: texts.join(',') }
  }
}

/** A literal reference to a record of this server; an identifier in its place may be anybody's. */
const reference: Reader = (value, { patient, base }) => {
  if (!isJsonObject(value)) return 'malformed'
  const known = ['reference', 'type', 'display']
  if (!Object.keys(value).every((name) => known.includes(name))) {
    return patient !== undefined && 'identifier' in value ? 'wrong_patient' : 'malformed'
  }
  const { reference: literal, type } = value
  const parsed = typeof literal === 'string' ? parseReference(literal, base) : undefined
  if (parsed === undefined) return patient === undefined ? 'malformed' : 'wrong_patient'
  if (type !== undefined && type !== parsed.type) return 'malformed'
  if (patient !== undefined) {
    const other = parsed.type === 'Patient' && parsed.id !== patient
    if (other || parsed.type === 'Group') return 'wrong_patient'
  }
  const version = parsed.version === undefined ? '' : `/_history/${parsed.version}`
  const text = `${parsed.type}/${parsed.id}`
  // What is displayed is not sent: nobody can judge a name.
  return { json: { reference: text + version }, text }
}

const someId = textOf(/^[A-Za-z0-9.-]{1,64}$/)
/** An id alone names anything. */
const id: Reader = (value, judge) =>
  judge.patient === undefined || value === judge.patient ? someId(value, judge) : 'wrong_patient'

const anyText = textOf(/^[^]*$/)
const uri = textOf(/^\S+$/)
const code = textOf(/^\S+(?: \S+)*$/)
const dateTime = textOf(
  /^\d{4}(?:-\d\d(?:-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))?)?)?$/,
)
const flag: Reader = (value) =>
  typeof value === 'boolean' ? { json: value, text: String(value) } : 'malformed'
const decimal = numberOf(/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$/)
const integer = numberOf(/^-?(?:0|[1-9]\d{0,9})$/)
const coding = objectOf(
  { system: uri, version: anyText, code, display: anyText, userSelected: flag },
  ['system', 'code'],
)
const quantity = objectOf({ value: decimal, comparator: code, unit: anyText, system: uri, code }, [
  'value',
  'system',
  'code',
])
const ownIdentifier = objectOf({ use: code, system: uri, value: anyText }, ['system', 'value'])
/** Whose it is cannot be known. */
const identifier: Reader = (value, judge) =>
  judge.patient === undefined ? ownIdentifier(value, judge) : 'wrong_patient'

/** FHIR R4 parameters.html, value[x]: those that can be judged whole. */
const readers: Readonly<Record<string, Reader>> = {
  valueBoolean: flag,
  valueCanonical: uri,
  valueCode: code,
  valueCodeableConcept: objectOf({ coding: listOf(coding), text: anyText }, ['coding']),
  valueCoding: coding,
  valueDate: textOf(/^\d{4}(?:-\d\d(?:-\d\d)?)?$/),
  valueDateTime: dateTime,
  valueDecimal: decimal,
  valueId: id,
  valueIdentifier: identifier,
  valueInstant: textOf(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/),
  valueInteger: integer,
  valueMarkdown: anyText,
  valuePeriod: objectOf({ start: dateTime, end: dateTime }, ['start', 'end']),
  valuePositiveInt: numberOf(/^[1-9]\d{0,9}$/),
  valueQuantity: quantity,
  valueReference: reference,
  valueString: anyText,
  valueTime: textOf(/^\d\d:\d\d:\d\d(?:\.\d{1,9})?$/),
  valueUnsignedInt: numberOf(/^(?:0|[1-9]\d{0,9})$/),
  valueUri: uri,
  valueUrl: uri,
}
