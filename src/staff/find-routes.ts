import type { FastifyPluginAsync } from 'fastify'
import { auditEvents } from '../audit/event-names.ts'
import type { Pseudonyms } from '../audit/pseudonyms.ts'
import type { AuditRecord } from '../audit/record.ts'
import type { AuditQuery } from '../audit/search-index/query.ts'
import type { IngestProgress } from '../audit/search-index/ingest.ts'
import type { SearchIndex } from '../audit/search-index/search-index.ts'
import type { Tenant } from '../config/schema/tenant.ts'
import { address, cursorText, namesToProve, readFilter } from './filter.ts'
import type { Filter } from './filter.ts'
import { may } from './permissions.ts'
import { asks, askTitles, oneForEachLaunch, questionOf, settledBefore } from './questions.ts'
import type { Ask } from './questions.ts'
import type { SavedSearch, SavedSearches } from './saved.ts'
import { rowOf } from './story.ts'
import { inZone, isZone } from './time-zone.ts'
import { addressOf, tooMany } from './typed.ts'
import { showMessage } from './visit.ts'
import type { Guard, Visit, VisitDeps } from './visit.ts'

/** Find: the two questions that the staff are asked, and every record there is. Each search is recorded. */
export interface FindRoutesDeps extends VisitDeps {
  readonly guard: Guard
  readonly index: SearchIndex
  readonly pseudonyms: Pseudonyms
  readonly tenants: readonly Pick<Tenant, 'id' | 'name' | 'iss'>[]
  readonly saved: SavedSearches
}

const pageSize = 100
/** More than that is not counted for a page. */
const countMost = 10_000
const peopleMost = 200

export function findRoutes(deps: FindRoutesDeps): FastifyPluginAsync {
  const { guard } = deps
  return async (server) => {
    server.get(
      '/',
      guard('find', (visit) => find(deps, visit)),
    )
    server.post(
      '/find',
      guard('find', (visit) => goTo(deps, visit)),
    )
  }
}

/** From what was typed to an address that can be kept. */
async function goTo({ index, tenants, pseudonyms }: FindRoutesDeps, visit: Visit) {
  const sought = await addressOf(visit.request.body, {
    tenants,
    pseudonyms,
    isKnown: async (name) => (await index.count({ users: [name], order: 'newest', limit: 1 })) > 0,
  })
  if (tooMany(sought)) {
    return visit.say(400, 'Choose a tenant', 'There are too many to look in all of them at once.')
  }
  const zone = sought.get('zone') ?? ''
  if (isZone(zone)) visit.readIn(zone)
  return visit.reply.redirect(`/?${sought.toString()}`, 303)
}

async function find(deps: FindRoutesDeps, visit: Visit): Promise<unknown> {
  const { index, now } = deps
  const { request, member } = visit
  const nothingAsked = Object.keys(Object(request.query)).length === 0
  const query = nothingAsked ? { ask: 'open', last: '1', denied: '1' } : request.query
  const read = readFilter(query, visit.zone, now())
  if (!read.ok || (await unknownNames(index, read.filter)).length > 0) {
    return notUnderstood(deps, visit, read.ok ? ['user'] : read.fields)
  }
  const { filter } = read
  const { ask, zone } = filter
  const asksForPatient = filter.query.patients !== undefined || ask === 'patient'
  if (asksForPatient && !may(member.roles, 'find_patient')) return refusePatient(deps, visit)
  const form = { ...formOf(deps, visit, ask), fields: filter.fields, zone }
  // Who looked is a question about somebody: without a patient there is nothing to answer yet.
  if (ask === 'patient' && filter.query.patients === undefined) {
    await recordSearch(visit, filter, 0)
    const progress = await index.progress()
    return show(visit, {
      ...form,
      complete: completeness(progress, now(), visit.zone),
      saved: await keptBy(deps, member.name),
    })
  }
  const progress = await index.update()
  const wanted = questionOf(ask, filter.query)
  const [found, total, people] = await Promise.all([
    index.search({ ...wanted, limit: pageSize }),
    index.count({ ...wanted, limit: countMost + 1 }),
    ask === 'patient' ? index.people({ ...wanted, limit: peopleMost }) : undefined,
  ])
  await recordSearch(visit, filter, found.records.length)
  const records = ask === 'open' ? await launchesIn(index, wanted, found.records) : found.records
  return show(visit, {
    ...form,
    rows: records.map((record) => rowOf(record, zone)),
    counted: countedIn(ask === 'open' ? records.length : undefined, total, {
      first: filter.query.after === undefined,
      last: found.next === undefined,
    }),
    people: people?.map((person) => personOf(person, filter)),
    looking: lookingFor(deps, filter),
    complete: completeness(progress, now(), visit.zone),
    problem: problemOf(found.unreadable + progress.unreadable),
    first: filter.query.after === undefined ? null : address('/', filter),
    next: found.next === undefined ? null : address('/', filter, { after: cursorText(found.next) }),
    exports: may(member.roles, 'export')
      ? {
          csv: address('/export', filter, { format: 'csv' }),
          ndjson: address('/export', filter, { format: 'ndjson' }),
        }
      : null,
    saved: await keptBy(deps, member.name),
    address: address('/', filter),
  })
}

async function launchesIn(
  index: SearchIndex,
  wanted: Omit<AuditQuery, 'limit'>,
  records: readonly AuditRecord[],
): Promise<readonly AuditRecord[]> {
  const asked = settledBefore(wanted, records).map((query) => index.search(query))
  const before = (await Promise.all(asked)).flatMap((found) => found.records)
  return oneForEachLaunch(records, before)
}

/** While the store is away the audit must still be readable; the searches are back when it is. */
async function keptBy({ saved }: FindRoutesDeps, name: string): Promise<readonly SavedSearch[]> {
  try {
    return await saved.list(name)
  } catch {
    return []
  }
}

/** `The first page of 520 records`, `9 launches`: what stands in the table, and of how much. */
function countedIn(
  launches: number | undefined,
  total: number,
  page: { readonly first: boolean; readonly last: boolean },
): string {
  const whole = page.first && page.last
  if (launches !== undefined) {
    const rows = launches === 1 ? '1 launch' : `${launches.toLocaleString('en')} launches`
    return whole ? rows : `${rows} on this page`
  }
  const most = countMost.toLocaleString('en')
  const count = total > countMost ? `more than ${most}` : total.toLocaleString('en')
  const records = total === 1 ? '1 record' : `${count} records`
  if (whole) return records
  return `${page.first ? 'The first page' : 'A later page'} of ${records}`
}

/** A name that the log does not know is not repeated, neither in a record nor on a page: it may be a patient's. */
export async function unknownNames(index: SearchIndex, filter: Filter): Promise<readonly string[]> {
  const known = await Promise.all(
    namesToProve(filter).map(async (name) => ({
      name,
      count: await index.count({ users: [name], order: 'newest', limit: 1 }),
    })),
  )
  return known.filter(({ count }) => count === 0).map(({ name }) => name)
}

export const recordSearch = (visit: Visit, filter: Filter, count: number): Promise<void> =>
  visit.record({
    event: 'staff.searched',
    outcome: 'success',
    parameters: parametersOf(filter),
    count,
  })

/** As the audit writes them: one value each, and of many pseudonyms those that fit. */
export function parametersOf({ fields }: Pick<Filter, 'fields'>) {
  return Object.entries(fields).flatMap(([name, value]) =>
    value
      .split(',')
      .slice(0, 24)
      .map((one) => ({ name, value: one })),
  )
}

function formOf({ tenants }: FindRoutesDeps, { member }: Visit, ask: Ask) {
  const mayFindPatient = may(member.roles, 'find_patient')
  return {
    ask,
    asks: asks
      .filter((one) => one !== 'patient' || mayFindPatient)
      .map((one) => ({ one, title: askTitles[one], current: one === ask })),
    tenants,
    events: Object.entries(auditEvents).map(([name, sentence]) => ({ name, sentence })),
    mayFindPatient,
    fields: {},
    rows: null,
    counted: '',
    people: undefined,
    looking: [],
    problem: null,
    first: null,
    next: null,
    exports: null,
    saved: [],
    address: null,
  }
}

const show = (visit: Visit, data: object): unknown => visit.show('find', 'Find', data)

async function notUnderstood(deps: FindRoutesDeps, visit: Visit, fields: readonly string[]) {
  await visit.record({ event: 'staff.refused', outcome: 'refused', reason: 'REQUEST_INVALID' })
  visit.reply.code(400)
  const problem = `Not understood: ${fields.map((name) => fieldNames[name] ?? name).join(', ')}.`
  const progress = await deps.index.progress()
  return show(visit, {
    ...formOf(deps, visit, 'all'),
    zone: visit.zone,
    problem,
    complete: completeness(progress, deps.now(), visit.zone),
  })
}

const fieldNames: Readonly<Record<string, string>> = {
  request: 'incident number',
  resource: 'resource type',
  zone: 'time zone',
}

async function refusePatient({ views }: FindRoutesDeps, visit: Visit) {
  await visit.record({ event: 'staff.refused', outcome: 'refused', reason: 'no_role' })
  return showMessage(views, visit.reply, 403, visit.incident, {
    title: 'Not for your role',
    sentence: 'Who looked at a patient is a question of the privacy office.',
    link: { href: '/', label: 'Back' },
    member: visit.member,
  })
}

function personOf(
  {
    user,
    tenant,
    requests,
    launches,
    writes,
    first,
    last,
  }: Awaited<ReturnType<SearchIndex['people']>>[number],
  filter: Filter,
) {
  const time = (at: number): string => inZone(at, filter.zone).slice(0, 16)
  const narrowed = address('/', filter, { user, ...(tenant === undefined ? {} : { tenant }) })
  return {
    user,
    tenant: tenant ?? '',
    requests,
    launches,
    writes,
    first: time(first),
    last: time(last),
    href: narrowed,
  }
}

/** What the page was made of, and when: a print is kept. */
export function completeness(
  { since, behind, records, failing, unreadSince }: IngestProgress,
  at: number,
  zone: string,
): string {
  if (since === undefined) return 'The index is empty.'
  if (failing) {
    return `The index cannot be brought up to date now: what is newest may be missing. It holds ${records.toLocaleString('en')} records. The files have them all: smart-bff audit search.`
  }
  const rest = behind > 0 ? `; ${String(behind)} older files are still being read` : ''
  const time = (moment: number): string => `${inZone(moment, zone).slice(0, 19)} ${zone}`
  const others =
    unreadSince === undefined
      ? ''
      : `. What other replicas have written since ${time(unreadSince)} cannot be read now and may be missing`
  return `As of ${time(at)}. The index holds ${records.toLocaleString('en')} records and is complete from ${since} on${rest}${others}. For what is older: smart-bff audit search.`
}

const problemOf = (unreadable: number): string | null =>
  unreadable === 0
    ? null
    : `${unreadable.toLocaleString('en')} lines of the files are not of the form of a record and are not shown. Verify the files.`

/** In words, for whoever reads the page or its print. */
function lookingFor({ tenants }: FindRoutesDeps, { fields, zone }: Filter): readonly string[] {
  const words: Readonly<Record<string, (value: string) => string>> = {
    patient: (value) => `the patient ${value.split(',')[0] ?? ''}`,
    user: (value) => `the user ${value.split(',')[0] ?? ''}`,
    tenant: (value) => tenants.find(({ id }) => id === value)?.name ?? value,
    launch: (value) => `launch ${value}`,
    request: (value) => `incident ${value}`,
    outcome: (value) => value,
    event: (value) => value,
    resource: (value) => value,
    around: (value) => `15 minutes around ${value.replace('T', ' ')} ${zone}`,
    last: (value) => (value === '1' ? 'within the last 24 hours' : `within the last ${value} days`),
    from: (value) => `from ${value.replace('T', ' ')} ${zone}`,
    to: (value) => `until ${value.replace('T', ' ')} ${zone}`,
    denied: () => 'denied first',
  }
  return Object.entries(fields).flatMap(([name, value]) => words[name]?.(value) ?? [])
}
