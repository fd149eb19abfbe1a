import { isJsonObject } from '../../smart/json.ts'
import { isRefusal, refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import type { Parameter } from '../request.ts'
import { isAboutAnother } from '../operation-patient.ts'
import { readValue } from './operation-values.ts'
import type { ValueJudge } from './operation-values.ts'

/**
 * The Parameters body of an operation by POST (FHIR R4 operations.html 3.2.0.1.1), read entry by entry: a name and one
 * value, or a record, which is judged like the body of a write ($validate). Parts inside an entry mean what only the
 * operation knows, and are refused with all that is unknown.
 */
const maxEntries = 100
const namePattern = /^_?[A-Za-z][A-Za-z0-9_-]{0,63}$/

export function readParameters(value: unknown, judge: ValueJudge): readonly Parameter[] | Refusal {
  if (!isJsonObject(value) || value['resourceType'] !== 'Parameters') return malformed()
  const { resourceType: _, parameter: list = [], ...unknown } = value
  if (Object.keys(unknown).length > 0) return malformed()
  if (!Array.isArray(list) || list.length > maxEntries) return malformed()
  const parameters: Parameter[] = []
  for (const item of list as unknown[]) {
    const parameter = readEntry(item, judge)
    if (isRefusal(parameter)) return parameter
    parameters.push(parameter)
  }
  return parameters
}

/** What goes to the EHR: the judged values, and as text what the binding to the patient added. */
export function printParameters(parameters: readonly Parameter[]): Buffer {
  const parameter = parameters.map(({ name, value, typed }) =>
    typed === undefined ? { name, valueString: value } : { name, [typed.member]: typed.json },
  )
  return Buffer.from(JSON.stringify({ resourceType: 'Parameters', parameter }))
}

function readEntry(item: unknown, judge: ValueJudge): Parameter | Refusal {
  if (!isJsonObject(item)) return malformed()
  const { name, ...rest } = item
  const [only, ...others] = Object.entries(rest)
  if (typeof name !== 'string' || !namePattern.test(name)) return malformed()
  if (only === undefined || others.length > 0) return malformed()
  if (only[0] === 'resource') return readResource(name, only[1], judge)
  const read = readValue(only[0], only[1], judge)
  if (read === 'malformed') return malformed()
  if (read === 'wrong_patient') return foreign()
  const { text, typed } = read
  if (judge.patient !== undefined && isAboutAnother(name, text, judge.patient)) return foreign()
  return { name, modifier: '', value: text, typed }
}

/** Whose the record is, it says itself; its name says nothing of a patient, or is refused. */
function readResource(
  name: string,
  value: unknown,
  { patient, resource }: ValueJudge,
): Parameter | Refusal {
  const judged = resource?.(value) ?? malformed()
  if (isRefusal(judged)) return judged
  if (patient !== undefined && isAboutAnother(name, '', patient)) return foreign()
  return { name, modifier: '', value: '', typed: { member: 'resource', json: judged } }
}

function malformed(): Refusal {
  return refuse('FHIR_BODY_INVALID', 'malformed')
}

function foreign(): Refusal {
  return refuse('FHIR_PATIENT_FOREIGN', 'wrong_patient')
}
