import { Readable } from 'node:stream'
import type { FastifyPluginAsync } from 'fastify'
import { z } from 'zod'
import { auditEvents } from '../audit/event-names.ts'
import type { Pseudonyms } from '../audit/pseudonyms.ts'
import type { SearchIndex } from '../audit/search-index/search-index.ts'
import type { Tenant } from '../config/schema/tenant.ts'
import { csvHead, exportLine } from './export.ts'
import type { ExportFormat } from './export.ts'
import { addressOf, cursorText, readFilter } from './filter.ts'
import type { Filter } from './filter.ts'
import { may } from './permissions.ts'
import { rowOf, storyOf } from './story.ts'
import { localZone } from './time-zone.ts'
import { showMessage } from './visit.ts'
import type { Guard, Visit, VisitDeps } from './visit.ts'

/** Find, one launch, export: each is recorded with who asked and for what. */
export interface AuditRoutesDeps extends VisitDeps {
  readonly guard: Guard
  readonly index: SearchIndex
  readonly pseudonyms: Pseudonyms
  readonly tenants: readonly Pick<Tenant, 'id' | 'name'>[]
}

const pageSize = 100
const storyLimit = 1000
const exportLimit = 100_000

export function auditRoutes(deps: AuditRoutesDeps): FastifyPluginAsync {
  const { guard, pseudonyms, tenants, now } = deps
  const tenantIds = tenants.map(({ id }) => id)
  return async (server) => {
    server.get(
      '/',
      guard('find', (visit) => find(deps, visit)),
    )
    server.post(
      '/find',
      guard('find', async ({ request, reply }) =>
        reply.redirect(
          `/?${addressOf(request.body, tenantIds, pseudonyms, now()).toString()}`,
          303,
        ),
      ),
    )
    server.get(
      '/launch/:hash',
      guard('read_launch', (visit) => launch(deps, visit)),
    )
    server.get(
      '/export',
      guard('export', (visit) => exportAll(deps, visit)),
    )
  }
}

async function find(deps: AuditRoutesDeps, visit: Visit): Promise<unknown> {
  const { index, tenants } = deps
  const { request, member } = visit
  const read = readFilter(request.query)
  const mayFindPatient = may(member.roles, 'find_patient')
  const form = { tenants, events: Object.keys(auditEvents), mayFindPatient }
  if (!read.ok) {
    await visit.record({ event: 'staff.refused', outcome: 'refused', reason: 'REQUEST_INVALID' })
    const nothing = {
      fields: {},
      zone: localZone(),
      rows: [],
      looking: [],
      next: null,
      exports: null,
    }
    const problem = `Not understood: ${read.fields.join(', ')}.`
    visit.reply.code(400)
    return visit.show('find', 'Find', { ...form, ...nothing, problem, complete: '' })
  }
  const { filter } = read
  if (filter.query.patients !== undefined && !mayFindPatient) return refusePatient(deps, visit)
  const progress = await index.update()
  const found = await index.search({ ...filter.query, limit: pageSize })
  await visit.record({
    event: 'staff.searched',
    outcome: 'success',
    parameters: parametersOf(filter),
    count: found.records.length,
  })
  const problem =
    found.unreadable > 0
      ? `${String(found.unreadable)} lines are not of the form of a record and are not shown. Verify the files.`
      : null
  return visit.show('find', 'Find', {
    ...form,
    fields: filter.fields,
    zone: filter.zone,
    rows: found.records.map((record) => rowOf(record, filter.zone)),
    looking: lookingFor(filter),
    complete: completeness(progress),
    problem,
    next: found.next === undefined ? null : address('/', filter, { after: cursorText(found.next) }),
    exports: may(member.roles, 'export')
      ? {
          csv: address('/export', filter, { format: 'csv' }),
          ndjson: address('/export', filter, { format: 'ndjson' }),
        }
      : null,
  })
}

async function refusePatient({ views }: AuditRoutesDeps, visit: Visit) {
  await visit.record({ event: 'staff.refused', outcome: 'refused', reason: 'no_role' })
  return showMessage(views, visit.reply, 403, visit.incident, {
    title: 'Not for your role',
    sentence: 'Who looked at a patient is a question of the privacy office.',
    link: { href: '/', label: 'Back' },
    member: visit.member,
  })
}

async function launch({ index }: AuditRoutesDeps, visit: Visit): Promise<unknown> {
  const hash = z
    .object({ hash: z.string().regex(/^[0-9a-f]{16}$/) })
    .safeParse(visit.request.params)
  if (!hash.success) return visit.reply.callNotFound()
  await index.update()
  const found = await index.search({ launch: hash.data.hash, order: 'oldest', limit: storyLimit })
  const parameters = [{ name: 'launch', value: hash.data.hash }]
  await visit.record({ event: 'staff.viewed', outcome: 'success', parameters })
  const zone = localZone()
  const story = storyOf(found.records, zone)
  return visit.show('launch', `Launch ${hash.data.hash}`, {
    story,
    zone,
    more: found.next !== undefined,
  })
}

async function exportAll({ index }: AuditRoutesDeps, visit: Visit): Promise<unknown> {
  const format = z.object({ format: z.enum(['csv', 'ndjson']) }).safeParse(visit.request.query)
  const read = readFilter(visit.request.query)
  if (!read.ok || !format.success) return visit.reply.callNotFound()
  await index.update()
  const parameters = [...parametersOf(read.filter), { name: 'format', value: format.data.format }]
  // Before the first line leaves; how many there were is in the file itself.
  await visit.record({ event: 'staff.exported', outcome: 'success', parameters })
  return visit.reply
    .type(format.data.format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson')
    .header('content-disposition', `attachment; filename="audit.${format.data.format}"`)
    .send(Readable.from(exported(index, read.filter, format.data.format)))
}

async function* exported(
  index: SearchIndex,
  filter: Filter,
  format: ExportFormat,
): AsyncGenerator<string> {
  if (format === 'csv') yield csvHead
  let { after } = filter.query
  for (let sent = 0; sent < exportLimit; sent += 1000) {
    const found = await index.search({ ...filter.query, after, limit: 1000 })
    yield found.records.map((record) => exportLine(record, format)).join('')
    after = found.next
    if (after === undefined) return
  }
}

export function completeness({
  since,
  behind,
  records,
}: {
  since: string | undefined
  behind: number
  records: number
}): string {
  if (since === undefined) return 'The index is empty.'
  const rest = behind > 0 ? `; ${String(behind)} older files are still being read` : ''
  return `The index holds ${String(records)} records and is complete from ${since} on${rest}. For what is older: smart-bff audit search.`
}

function parametersOf({ fields }: Filter) {
  return Object.entries(fields).flatMap(([name, value]) => {
    if (name === 'zone' || name === 'denied') return []
    return value
      .split(',')
      .slice(0, 8)
      .map((one) => ({ name, value: one }))
  })
}

function lookingFor({ fields, zone }: Filter): readonly string[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    if (name === 'zone') return []
    if (name === 'denied') return ['what was denied first']
    if (name === 'patient') return [`the patient ${value.split(',')[0] ?? ''}`]
    if (name === 'from' || name === 'to') return [`${name} ${value.replace('T', ' ')} ${zone}`]
    return [`${name} ${value}`]
  })
}

function address(path: string, { fields }: Filter, more: Readonly<Record<string, string>>): string {
  return `${path}?${new URLSearchParams({ ...fields, ...more }).toString()}`
}
