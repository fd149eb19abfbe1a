import { configSchema, keys } from '../config/schema/config.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'
import { auditEvents } from './event-names.ts'
import { readFileName } from './file-names.ts'
import { loginName, workforceReference } from './person.ts'
import { reasons } from './reasons.ts'

/**
 * What was asked of us, as FHIR's parameters are what is asked of the EHR: the staff's searches and the files of the
 * audit itself. The same rule holds: a name of this list, and a value only in the form that the list gives. A patient
 * who was searched for stands in `patient`, as a pseudonym.
 */
export function ownParameter(event: string, name: string, value: string): string | undefined {
  const station = event.slice(0, event.indexOf('.'))
  if (!stations.has(station)) return undefined
  const fits = judges.get(name)
  if (fits === undefined) return undefined
  return value.length <= 300 && fits(value) ? `${name}=${value}` : name
}

const stations = new Set(['staff', 'audit', 'config', 'keys'])

const judges: ReadonlyMap<string, (value: string) => boolean> = new Map([
  ['file', (value) => readFileName(value) !== undefined],
  [
    'page',
    oneWord('audit launch overview tenants launches integrity export docs causes contract saved'),
  ],
  ['document', (value) => /^[a-z0-9-]{1,64}$/.test(value)],
  ['last', oneWord('1 7 30 90')],
  ['around', (value) => moment.test(value)],
  ['days', oneWord('1 7 30')],
  ['zone', (value) => /^[A-Za-z0-9_+/-]{1,64}$/.test(value)],
  ['denied', oneWord('1')],
  ['ask', oneWord('open patient all')],
  ['action', oneWord('saved removed verified')],
  ['from', (value) => moment.test(value)],
  ['to', (value) => moment.test(value)],
  // A login name stands only where the log knows it already: src/staff/filter.ts sees to that.
  [
    'user',
    (value) => workforceReference.test(value) || pseudonymForm.test(value) || loginName.test(value),
  ],
  ['patient', (value) => pseudonymForm.test(value)],
  ['request', (value) => /^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}$/.test(value)],
  ['launch', (value) => /^[0-9a-f]{16}$/.test(value)],
  ['tenant', (value) => /^[a-z0-9][a-z0-9-]{0,63}$/.test(value)],
  ['outcome', oneWord('success refused failed')],
  ['event', (value) => Object.hasOwn(auditEvents, value)],
  ['resource', (value) => resourceTypes.has(value)],
  ['reason', (value) => reasons.has(value)],
  ['format', oneWord('csv ndjson')],
  ['section', (value) => Object.hasOwn(configSchema.shape, value)],
  ['keys', (value) => Object.hasOwn(keys.shape, value)],
])

const pseudonymForm = /^[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{22}$/
const moment = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{3})?)?Z?)?$/

function oneWord(list: string): (value: string) => boolean {
  const words = new Set(list.split(' '))
  return (value) => words.has(value)
}
