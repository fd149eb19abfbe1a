import { z } from 'zod'
import { auditEvents } from '../audit/event-names.ts'
import { loginName, workforceReference } from '../audit/person.ts'
import { mostValues } from '../audit/search-index/query.ts'
import type { AuditQuery } from '../audit/search-index/query.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'
import { asks } from './questions.ts'
import type { Ask } from './questions.ts'
import { fromZone, isZone } from './time-zone.ts'
import type { Moment } from './time-zone.ts'

/**
 * What is looked for, as it stands in the address of a search: pseudonyms, never what was typed. So an address can be
 * kept as a bookmark and sent to a colleague, and no browser history holds a patient's id.
 */
const pseudonym = /^[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{22}$/
const optional = (form: z.ZodType<string>) =>
  form.or(z.literal('').transform(() => undefined)).optional()
const list = (fits: (item: string) => boolean) =>
  optional(
    z
      .string()
      .max(16_000)
      .refine((text) => text.split(',').length <= mostValues && text.split(',').every(fits)),
  )

const dayMs = 86_400_000
const minuteMs = 60_000
/** What somebody remembers as 10:14. */
const aroundMs = 15 * minuteMs

const filterForm = z.object({
  ask: z.enum(asks).optional(),
  patient: list((item) => pseudonym.test(item)),
  user: list((item) => pseudonym.test(item) || isName(item)),
  tenant: optional(z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/)),
  launch: optional(z.string().regex(/^[0-9a-f]{16}$/)),
  request: optional(z.string().regex(/^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}$/)),
  outcome: optional(z.enum(['success', 'refused', 'failed'])),
  event: optional(z.string().refine((name) => Object.hasOwn(auditEvents, name))),
  resource: optional(z.string().refine((name) => resourceTypes.has(name))),
  around: optional(z.string().max(32)),
  last: optional(z.enum(['1', '7', '30', '90'])),
  from: optional(z.string().max(32)),
  to: optional(z.string().max(32)),
  zone: optional(z.string().refine(isZone)),
  denied: optional(z.enum(['1'])),
  after: optional(z.string().regex(/^[01]\.\d{1,16}\.\d{1,16}$/)),
})

export interface Filter {
  readonly ask: Ask
  readonly query: Omit<AuditQuery, 'limit'>
  readonly zone: string
  /** As fields of the form and of the address. */
  readonly fields: Readonly<Record<string, string>>
}

export type ReadFilter =
  | { readonly ok: true; readonly filter: Filter }
  /** Names of the fields that are not understood. */
  | { readonly ok: false; readonly fields: readonly string[] }

/** Reads an address. `home` is the zone of whoever asks. */
export function readFilter(query: unknown, home: string, now: number): ReadFilter {
  const read = filterForm.safeParse(query)
  if (!read.success) {
    return { ok: false, fields: [...new Set(read.error.issues.map(({ path }) => String(path[0])))] }
  }
  const { patient, user, tenant, launch, request, outcome, event, resource, denied, after } =
    read.data
  const zone = read.data.zone ?? home
  const span = spanOf(read.data, zone, now)
  if (!span.ok) return span
  const unused = ['after', ...overruled(read.data)]
  const given = Object.entries({ ...read.data, zone }).flatMap(([name, value]) =>
    value === undefined || unused.includes(name) ? [] : [[name, value] as const],
  )
  const wanted: Omit<AuditQuery, 'limit'> = {
    patients: patient?.split(','),
    users: user?.split(','),
    tenant,
    launch,
    request,
    outcome,
    event,
    resource,
    from: span.from,
    to: span.to,
    order: denied === '1' ? 'denied_first' : 'newest',
    after: after === undefined ? undefined : cursorOf(after),
  }
  const ask = read.data.ask ?? 'all'
  return { ok: true, filter: { ask, query: wanted, zone, fields: Object.fromEntries(given) } }
}

const isName = (item: string): boolean => workforceReference.test(item) || loginName.test(item)

/** Names that only the log can say whether they are one: what is not in it is not repeated anywhere. */
export const namesToProve = ({ query }: Filter): readonly string[] =>
  (query.users ?? []).filter((item) => !pseudonym.test(item) && !workforceReference.test(item))

type Span =
  | { readonly ok: true; readonly from: number | undefined; readonly to: number | undefined }
  | { readonly ok: false; readonly fields: readonly string[] }

type Times = { readonly [name in 'around' | 'last' | 'from' | 'to']?: string | undefined }

/** What is not looked at stands on no page, in no address and in no record of the search. */
function overruled({ around, from }: Times): readonly string[] {
  if (around !== undefined) return ['last', 'from', 'to']
  return from === undefined ? [] : ['last']
}

function spanOf(given: Times, zone: string, now: number): Span {
  const moments = new Map<string, Moment>()
  for (const name of ['around', 'from', 'to'] as const) {
    const text = given[name]
    if (text === undefined) continue
    const moment = fromZone(text, zone)
    if (moment === undefined) return { ok: false, fields: [name] }
    moments.set(name, moment)
  }
  const around = moments.get('around')
  if (around !== undefined) {
    return { ok: true, from: around.earlier - aroundMs, to: around.later + aroundMs }
  }
  const last = given.last === undefined ? undefined : now - Number(given.last) * dayMs
  const to = moments.get('to')?.later
  // The minute that was typed is part of what is looked for.
  return { ok: true, from: moments.get('from')?.earlier ?? last, to: to && to + minuteMs }
}

function cursorOf(after: string): AuditQuery['after'] {
  const [denied = 0, at = 0, id = 0] = after.split('.').map(Number)
  return { denied, at, id }
}

export const cursorText = ({ denied, at, id }: NonNullable<AuditQuery['after']>): string =>
  `${String(denied)}.${String(at)}.${String(id)}`

export function address(
  path: string,
  { fields }: Pick<Filter, 'fields'>,
  more: Readonly<Record<string, string>> = {},
): string {
  return `${path}?${new URLSearchParams({ ...fields, ...more }).toString()}`
}
