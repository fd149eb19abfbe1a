import { z } from 'zod'
import { auditEvents } from '../audit/event-names.ts'
import type { AuditQuery } from '../audit/search-index/query.ts'
import { launchHash } from '../audit/pseudonyms.ts'
import type { Pseudonyms } from '../audit/pseudonyms.ts'
import { workforceReference } from '../audit/person.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'
import { fieldValue, fromZone, isZone, localZone } from './time-zone.ts'

/**
 * What is looked for, as it stands in the address of a search: pseudonyms, never what was typed. So an address can be
 * kept as a bookmark and sent to a colleague, and no browser history holds a patient's id.
 */
const pseudonym = /^[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{22}$/
const text = z.string().trim().max(300)
const optional = (form: z.ZodType<string>) =>
  form.or(z.literal('').transform(() => undefined)).optional()

const filterForm = z.object({
  patient: z.string().max(2000).optional(),
  user: z.string().max(2000).optional(),
  tenant: optional(z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/)),
  launch: optional(z.string().regex(/^[0-9a-f]{16}$/)),
  request: optional(z.string().regex(/^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}$/)),
  outcome: optional(z.enum(['success', 'refused', 'failed'])),
  event: optional(z.string().refine((name) => Object.hasOwn(auditEvents, name))),
  resource: optional(z.string().refine((name) => resourceTypes.has(name))),
  from: optional(text),
  to: optional(text),
  zone: optional(z.string().refine(isZone)),
  denied: z.enum(['1']).optional(),
  after: optional(z.string().regex(/^[01]\.\d{1,16}\.\d{1,16}$/)),
})

export interface Filter {
  readonly query: Omit<AuditQuery, 'limit'>
  readonly zone: string
  /** As fields of the form and of the address. */
  readonly fields: Readonly<Record<string, string>>
}

export type ReadFilter =
  | { readonly ok: true; readonly filter: Filter }
  /** Names of the fields that are not understood. */
  | { readonly ok: false; readonly fields: readonly string[] }

/** Reads an address. */
export function readFilter(query: unknown): ReadFilter {
  const read = filterForm.safeParse(query)
  if (!read.success) {
    return { ok: false, fields: [...new Set(read.error.issues.map(({ path }) => String(path[0])))] }
  }
  const { patient, user, tenant, launch, request, outcome, event, resource, denied, after } =
    read.data
  const zone = read.data.zone ?? localZone()
  const from = moment(read.data.from, zone)
  const to = moment(read.data.to, zone)
  const patients = patient?.split(',').filter((item) => pseudonym.test(item))
  const users = user?.split(',').filter((item) => pseudonym.test(item) || isName(item))
  const wrong = [
    ...(from === 'wrong' ? ['from'] : []),
    ...(to === 'wrong' ? ['to'] : []),
    ...(patient !== undefined && patient !== '' && patients?.length === 0 ? ['patient'] : []),
    ...(user !== undefined && user !== '' && users?.length === 0 ? ['user'] : []),
  ]
  if (from === 'wrong' || to === 'wrong' || wrong.length > 0) return { ok: false, fields: wrong }
  const given = Object.entries({ ...read.data, zone }).flatMap(([name, value]) =>
    value === undefined || value === '' || name === 'after' ? [] : [[name, value] as const],
  )
  const wanted: Omit<AuditQuery, 'limit'> = {
    patients: patients?.length === 0 ? undefined : patients,
    users: users?.length === 0 ? undefined : users,
    tenant,
    launch,
    request,
    outcome,
    event,
    resource,
    from,
    // The minute that was typed is part of what is looked for.
    to: to === undefined ? undefined : to + 60_000,
    order: denied === '1' ? 'denied_first' : 'newest',
    after: after === undefined ? undefined : cursorOf(after),
  }
  return { ok: true, filter: { query: wanted, zone, fields: Object.fromEntries(given) } }
}

const isName = (item: string): boolean => workforceReference.test(item)

function moment(value: string | undefined, zone: string): number | 'wrong' | undefined {
  if (value === undefined) return undefined
  return fromZone(value, zone) ?? 'wrong'
}

function cursorOf(after: string): AuditQuery['after'] {
  const [denied = 0, at = 0, id = 0] = after.split('.').map(Number)
  return { denied, at, id }
}

export const cursorText = ({ denied, at, id }: NonNullable<AuditQuery['after']>): string =>
  `${String(denied)}.${String(at)}.${String(id)}`

/** What a person typed, before any of it becomes part of an address. */
const typedForm = z.object({
  patient: text.optional(),
  user: text.optional(),
  launch: text.optional(),
  request: text.optional(),
  tenant: text.optional(),
  outcome: text.optional(),
  event: text.optional(),
  resource: text.optional(),
  from: text.optional(),
  to: text.optional(),
  zone: text.optional(),
  denied: text.optional(),
  last: z
    .enum(['1', '7', '30', ''])
    .transform((days) => (days === '' ? undefined : days))
    .optional(),
})

/** The address of the search for what was typed: ids become pseudonyms under every key and in every tenant asked. */
export function addressOf(
  typed: unknown,
  tenants: readonly string[],
  pseudonyms: Pick<Pseudonyms, 'everyPatient' | 'everyUser'>,
  now: number,
): URLSearchParams {
  const read = typedForm.safeParse(typed)
  const fields = read.success ? read.data : {}
  const address = new URLSearchParams()
  const { tenant = '' } = fields
  const asked = tenant === '' ? tenants : [tenant]
  const { patient, user, launch, last, request, ...plain } = fields
  if (patient !== undefined && patient !== '') {
    const id = patient.replace(/^Patient\//, '')
    address.set('patient', asked.flatMap((one) => pseudonyms.everyPatient(one, id)).join(','))
  }
  if (user !== undefined && user !== '') address.set('user', userOf(user, asked, pseudonyms))
  if (launch !== undefined && launch !== '') {
    address.set('launch', /^[0-9a-f]{16}$/.test(launch) ? launch : launchHash(launch))
  }
  if (request !== undefined && request !== '') address.set('request', request.toUpperCase())
  for (const [name, value] of Object.entries(plain)) {
    if (value !== undefined && value !== '') address.set(name, value)
  }
  if (last !== undefined) {
    const zone = zoneOf(fields.zone)
    address.set('from', fieldValue(now - Number(last) * 86_400_000, zone))
  }
  return address
}

const zoneOf = (zone = ''): string => (isZone(zone) ? zone : localZone())

/** A workforce user stands in the log by name; of anybody else the log holds a pseudonym. */
function userOf(
  typed: string,
  tenants: readonly string[],
  pseudonyms: Pick<Pseudonyms, 'everyUser'>,
): string {
  if (workforceReference.test(typed)) return typed
  const user = { issuer: undefined, subject: undefined, fhirUser: typed }
  return tenants.flatMap((tenant) => pseudonyms.everyUser(tenant, user)).join(',')
}
