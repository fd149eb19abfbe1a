import { resourceTypes } from '../smart/tables/resource-types.ts'
import { auditEvents } from './event-names.ts'
import { readFileName } from './file-names.ts'
import { workforceReference } from './person.ts'
import { reasons } from './reasons.ts'

/**
 * What was asked of us, as FHIR's parameters are what is asked of the EHR: the staff's searches and the files of the
 * audit itself. The same rule holds: a name of this list, and a value only in the form that the list gives. A patient
 * who was searched for stands in `patient`, as a pseudonym.
 */
export function ownParameter(event: string, name: string, value: string): string | undefined {
  const station = event.slice(0, event.indexOf('.'))
  if (station !== 'staff' && station !== 'audit') return undefined
  const fits = judges.get(name)
  if (fits === undefined) return undefined
  return value.length <= 300 && fits(value) ? `${name}=${value}` : name
}

const judges: ReadonlyMap<string, (value: string) => boolean> = new Map([
  ['file', (value) => readFileName(value) !== undefined],
  ['page', oneWord('audit launch overview tenants launches integrity export')],
  ['from', (value) => moment.test(value)],
  ['to', (value) => moment.test(value)],
  ['user', (value) => workforceReference.test(value) || pseudonymForm.test(value)],
  ['patient', (value) => pseudonymForm.test(value)],
  ['incident', (value) => /^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}$/.test(value)],
  ['launch', (value) => /^[0-9a-f]{16}$/.test(value)],
  ['tenant', (value) => /^[a-z0-9][a-z0-9-]{0,63}$/.test(value)],
  ['outcome', oneWord('success refused failed')],
  ['event', (value) => Object.hasOwn(auditEvents, value)],
  ['resource', (value) => resourceTypes.has(value)],
  ['reason', (value) => reasons.has(value)],
  ['format', oneWord('csv ndjson')],
])

const pseudonymForm = /^[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{22}$/
const moment = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{3})?)?Z?)?$/

function oneWord(list: string): (value: string) => boolean {
  const words = new Set(list.split(' '))
  return (value) => words.has(value)
}
