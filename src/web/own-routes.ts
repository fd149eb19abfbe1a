import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import { sendPage } from './headers.ts'
import type { Pages } from './pages.ts'

export interface OwnRoutesDeps {
  readonly pages: Pick<Pages, 'renderHome'>
  /** Where the build puts smart-bff.js and smart-bff.d.ts. */
  readonly helperDirectory: string
}

/** What is ours and needs no session: the browser helper and its types, the home page, a bare probe. */
export function ownRoutes({ pages, helperDirectory }: OwnRoutesDeps) {
  return async (scope: FastifyInstance): Promise<void> => {
    await scope.register(fastifyStatic, { serve: false })

    for (const [name, type] of Object.entries(helperFiles)) {
      scope.route({
        method: ['GET', 'HEAD'],
        url: `/${name}`,
        // A page keeps it and asks with its ETag: a new release reaches every launch.
        handler: async (_request, reply) =>
          reply
            .header('cache-control', 'no-cache')
            .sendFile(name, helperDirectory, { cacheControl: false, contentType: false })
            .header('content-type', type),
      })
    }
    scope.get('/', async (request, reply) =>
      sendPage(request, reply, (nonce) => pages.renderHome({ nonce })),
    )
    // For load balancers that see only this port: the process answers. Readiness is told on the operations listener.
    scope.route({
      method: ['GET', 'HEAD'],
      url: '/healthz',
      handler: async (_request, reply) => reply.type('text/plain; charset=utf-8').send('ok\n'),
    })
  }
}

const helperFiles = {
  'smart-bff.js': 'text/javascript; charset=utf-8',
  'smart-bff.d.ts': 'text/plain; charset=utf-8',
} as const
