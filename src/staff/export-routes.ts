import { Readable } from 'node:stream'
import type { FastifyPluginAsync } from 'fastify'
import { z } from 'zod'
import type { IngestProgress } from '../audit/search-index/ingest.ts'
import type { SearchIndex } from '../audit/search-index/search-index.ts'
import { csvHead, exportLine } from './export.ts'
import type { ExportFormat } from './export.ts'
import { address, readFilter } from './filter.ts'
import type { Filter } from './filter.ts'
import { parametersOf, unknownNames } from './find-routes.ts'
import { questionOf } from './questions.ts'
import type { Guard, Visit, VisitDeps } from './visit.ts'

/** What was found, as a file; it is recorded before the first line leaves, with how many there are. */
export interface ExportRoutesDeps extends VisitDeps {
  readonly guard: Guard
  readonly index: SearchIndex
  /** For tests. */
  readonly exportMost?: number
}

const mostDefault = 1_000_000
const pageSize = 1000
const formatForm = z.object({ format: z.enum(['csv', 'ndjson']) })

export function exportRoutes(deps: ExportRoutesDeps): FastifyPluginAsync {
  const { guard } = deps
  return async (server) => {
    server.get(
      '/export',
      guard('export', (visit) => exportAll(deps, visit)),
    )
  }
}

async function exportAll(deps: ExportRoutesDeps, visit: Visit): Promise<unknown> {
  const { index, now, exportMost = mostDefault } = deps
  const asked = formatForm.safeParse(visit.request.query)
  const read = readFilter(visit.request.query, visit.zone, now())
  if (!read.ok || !asked.success) return visit.missing()
  const { format } = asked.data
  const progress = await index.update()
  if ((await unknownNames(index, read.filter)).length > 0) return visit.missing()
  // What is recorded meanwhile, this export included, belongs to the next one.
  const to = Math.min(read.filter.query.to ?? Infinity, now())
  const query = { ...questionOf(read.filter.ask, read.filter.query), to }
  const count = await index.count({ ...query, limit: exportMost + 1 })
  // Never a file that only looks whole.
  if (count > exportMost) {
    const sentence = `These are more than ${exportMost.toLocaleString('en')} records: choose a shorter time. smart-bff audit search reads the files themselves.`
    return visit.say(400, 'Too much for one file', sentence, address('/', read.filter))
  }
  const parameters = [...parametersOf(read.filter), { name: 'format', value: format }]
  await visit.record({ event: 'staff.exported', outcome: 'success', parameters, count })
  const day = new Date(now()).toISOString().slice(0, 10)
  const name = `smart-bff-audit-${day}${lacks(progress, to) ? '-incomplete' : ''}.${format}`
  return visit.reply
    .type(format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson')
    .header('content-disposition', `attachment; filename="${name}"`)
    .send(Readable.from(exported(index, query, format, count)))
}

/** Of what was asked for something may not be in the index yet. */
const lacks = ({ behind, failing, unreadSince = Infinity }: IngestProgress, to: number): boolean =>
  behind > 0 || failing || unreadSince < to

/** As many as were counted. */
async function* exported(
  index: SearchIndex,
  query: Filter['query'],
  format: ExportFormat,
  count: number,
): AsyncGenerator<string> {
  if (format === 'csv') yield csvHead
  let after: Filter['query']['after'] = undefined
  for (let left = count; left > 0; left -= pageSize) {
    const limit = Math.min(pageSize, left)
    const found: Awaited<ReturnType<SearchIndex['search']>> = await index.search({
      ...query,
      after,
      limit,
    })
    yield found.records.map((record) => exportLine(record, format)).join('')
    after = found.next
    if (after === undefined) return
  }
}
