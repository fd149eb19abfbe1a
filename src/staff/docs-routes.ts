import type { FastifyPluginAsync } from 'fastify'
import { z } from 'zod'
import { allCauses } from './causes.ts'
import type { Docs } from './docs.ts'
import type { Guard, Visit, VisitDeps } from './visit.ts'

/** The documents of this version, to read where one works. */
export interface DocsRoutesDeps extends VisitDeps {
  readonly guard: Guard
  readonly docs: Docs
}

const named = z.object({ name: z.string().max(80) })

export function docsRoutes({ guard, docs }: DocsRoutesDeps): FastifyPluginAsync {
  return async (server) => {
    server.get(
      '/docs',
      guard('docs', async (visit) => {
        await viewed(visit)
        return visit.show('docs', 'Docs', { list: docs.list })
      }),
    )
    server.get(
      '/causes',
      guard('docs', async (visit) => {
        await visit.record({
          event: 'staff.viewed',
          outcome: 'success',
          parameters: [{ name: 'page', value: 'causes' }],
        })
        return visit.show('causes', 'Causes', { groups: allCauses() })
      }),
    )
    server.get(
      '/docs/:name',
      guard('docs', async (visit) => {
        const name = named.safeParse(visit.request.params)
        const page = name.success ? docs.page(name.data.name) : undefined
        if (page === undefined) return visit.missing()
        await viewed(visit, page.name)
        return visit.show('doc', page.title, { page })
      }),
    )
    server.get(
      '/docs/pictures/:name',
      guard('docs', async (visit) => {
        const name = named.safeParse(visit.request.params)
        const picture = name.success ? docs.picture(name.data.name) : undefined
        return picture === undefined ? visit.missing() : visit.reply.type('image/png').send(picture)
      }),
    )
  }
}

const viewed = (visit: Visit, name?: string): Promise<void> =>
  visit.record({
    event: 'staff.viewed',
    outcome: 'success',
    parameters: [
      { name: 'page', value: 'docs' },
      ...(name === undefined ? [] : [{ name: 'document', value: name }]),
    ],
  })
