import { auditEvents } from '../audit/event-names.ts'
import { workforceReference } from '../audit/person.ts'
import { createPseudonyms, launchHash } from '../audit/pseudonyms.ts'
import type { Pseudonyms } from '../audit/pseudonyms.ts'
import type { AuditRecord } from '../audit/record.ts'
import { scanAudit } from '../audit/scan.ts'
import type { ScanQuery } from '../audit/scan.ts'
import { userNames } from '../audit/user-names.ts'
import type { UserNamesDeps } from '../audit/user-names.ts'
import type { Config } from '../config/schema/config.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'
import type { Output } from './audit-verify.ts'

/**
 * `smart-bff audit search DIR…`: the staff's search in the files themselves. Without a configuration it finds whatever
 * stands in a record as it is; a patient's or a patient-like user's id needs the keys that pseudonyms are made under.
 */

/** What is searched for, as typed. */
export type Wanted = Readonly<Partial<Record<WantedName, string>>>
export type WantedName = (typeof wantedNames)[number]

export const wantedNames = [
  'patient',
  'user',
  'launch',
  'request',
  'tenant',
  'outcome',
  'event',
  'resource',
  'from',
  'to',
  'limit',
] as const

export type SearchQuery =
  | { readonly ok: true; readonly query: ScanQuery; readonly asked: Asked }
  /** `needsKeys`: that is all that is wrong with it. */
  | { readonly ok: false; readonly sentence: string; readonly needsKeys: boolean }

interface SearchKeys extends UserNamesDeps {
  readonly pseudonyms: Pseudonyms
}

/** Files may be older than the configuration, which no longer has each tenant that it had. */
const tenantsOf = ({ tenants }: SearchKeys, wanted: string | undefined): SearchKeys['tenants'] => {
  const own = tenants.filter(({ id }) => wanted === undefined || id === wanted)
  return own.length === 0 && wanted !== undefined ? [{ id: wanted }] : own
}

/** For the record of the search: nothing that was typed and is not in a record's form. */
export type Asked = readonly { readonly name: string; readonly value: string }[]

const pseudonymForm = /^[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{22}$/
const limitDefault = 1000

/** Understood or refused as a whole. `keys` are those of a configuration, where there is one. */
export function readSearch(wanted: Wanted, keys: SearchKeys | undefined): SearchQuery {
  const faults: string[] = []
  const locked: string[] = []
  const check = (name: WantedName, fits: (value: string) => boolean, expected: string) => {
    const value = wanted[name]
    if (value === undefined || fits(value)) return value
    faults.push(`--${name} must be ${expected}`)
    return undefined
  }
  const tenant = check('tenant', (value) => /^[a-z0-9][a-z0-9-]{0,63}$/.test(value), 'a tenant id')
  const persons = (
    name: 'patient' | 'user',
    make: (value: string, known: SearchKeys) => readonly string[],
  ) => {
    const value = wanted[name]
    if (value === undefined) return undefined
    if (pseudonymForm.test(value)) return [value]
    if (keys !== undefined) return make(value, { ...keys, tenants: tenantsOf(keys, tenant) })
    if (name === 'user' && workforceReference.test(value)) return [value]
    locked.push(`--${name} needs the configuration with its pseudonym keys, or a pseudonym`)
    return undefined
  }
  const query: ScanQuery = {
    tenant,
    patients: persons('patient', (id, { tenants, pseudonyms }) =>
      tenants.flatMap((one) => pseudonyms.everyPatient(one.id, id.replace(/^Patient\//, ''))),
    ),
    // A login name stands there as it is.
    users: persons('user', (name, known) => [...new Set([name, ...userNames(name, known)])]),
    launch: wanted.launch === undefined ? undefined : launchOf(wanted.launch),
    request: check(
      'request',
      (value) => incidentForm.test(value.toUpperCase()),
      'an incident number',
    )?.toUpperCase(),
    outcome: check(
      'outcome',
      (value) => /^(success|refused|failed)$/.test(value),
      'success, refused or failed',
    ),
    event: check('event', (value) => Object.hasOwn(auditEvents, value), 'the name of an event'),
    resource: check('resource', (value) => resourceTypes.has(value), 'a FHIR resource type'),
    from: momentOf(check('from', isMoment, momentSentence)),
    to: momentOf(check('to', isMoment, momentSentence)),
    limit: Number(
      check('limit', (value) => /^[1-9]\d{0,5}$/.test(value), 'a number up to 999999') ??
        limitDefault,
    ),
  }
  const said = [...faults, ...locked]
  if (said.length > 0) {
    return { ok: false, sentence: said.join('; '), needsKeys: faults.length === 0 }
  }
  return { ok: true, query, asked: askedFor(query, wanted) }
}

const incidentForm = /^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}$/
const launchOf = (id: string): string => (/^[0-9a-f]{16}$/.test(id) ? id : launchHash(id))

const momentSentence =
  'a time such as 2026-03-01 or 2026-03-01T10:14, in UTC unless an offset follows'
const momentForm =
  /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})?)?$/

const isMoment = (text: string): boolean =>
  momentForm.test(text) && !Number.isNaN(momentOf(text)) && isDay(text.slice(0, 10))

/** Date.parse takes 31 February for 3 March. */
const isDay = (day: string): boolean => new Date(day).toISOString().startsWith(day)

function momentOf(text: string): number
function momentOf(text: string | undefined): number | undefined
function momentOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  return Date.parse(
    /T.*(?:Z|[+-]\d{2}:\d{2})$/.test(text) || !text.includes('T') ? text : `${text}Z`,
  )
}

function askedFor(query: ScanQuery, wanted: Wanted): Asked {
  const { patients = [], users = [], launch, request, tenant, outcome, event, resource } = query
  const plain = { launch, incident: request, tenant, outcome, event, resource }
  return [
    ...patients.slice(0, 8).map((value) => ({ name: 'patient', value })),
    ...users.slice(0, 8).map((value) => ({ name: 'user', value })),
    ...[
      ...Object.entries(plain),
      ['from', wanted.from] as const,
      ['to', wanted.to] as const,
    ].flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }])),
  ]
}

export const searchKeys = ({ keys, tenants }: Config): SearchKeys => ({
  pseudonyms: createPseudonyms(keys.pseudonym),
  tenants,
})

/** Answers how many were found. */
export async function runAuditSearch(
  directories: readonly string[],
  query: ScanQuery,
  json: boolean,
  { output, notice }: { readonly output: Paced; readonly notice: Output },
): Promise<number> {
  const scan = await scanAudit(directories, query, ({ record, line }) =>
    isRead(output, json ? `${line}\n` : `${rowOf(record)}\n`),
  )
  const files = scan.files === 1 ? 'one file' : `${String(scan.files)} files`
  const found = scan.found === 1 ? '1 record' : `${String(scan.found)} records`
  const passed = scan.passed === 0 ? '' : `; passed over ${String(scan.passed)} of other days`
  notice.write(
    `${found}${scan.more ? ', and there are more (--limit)' : ''}; ` +
      `looked through ${String(scan.lines)} lines in ${files}${passed}.\n`,
  )
  if (scan.unreadable > 0) {
    notice.write(`${String(scan.unreadable)} lines are no records: see audit verify.\n`)
  }
  return scan.found
}

type Paced = Pick<NodeJS.WritableStream, 'write' | 'once' | 'off'>

/** No more is written than is read, for it would be held here; false once nobody reads any more. */
function isRead(output: Paced, text: string): boolean | Promise<boolean> {
  if (output.write(text)) return true
  return new Promise((resolve) => {
    const drained = (): void => {
      output.off('error', left)
      resolve(true)
    }
    const left = (): void => {
      output.off('drain', drained)
      resolve(false)
    }
    output.once('drain', drained)
    output.once('error', left)
  })
}

/** What a person wants to see of a record; --json shows all. */
function rowOf(record: AuditRecord): string {
  const { time, outcome, event, tenant, user, patient, launch, request, resource, status, reason } =
    record
  const patients = [patient ?? []].flat()
  const about =
    patients.length > 1
      ? `${patients[0] ?? ''} and ${String(patients.length - 1)} more`
      : patients[0]
  const named = { tenant, user, patient: about, launch, request, resource, status, reason }
  const rest = Object.entries(named).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${String(value)}`],
  )
  return [time, outcome.padEnd(7), event.padEnd(18), ...rest].join('  ')
}
