import type { FastifyInstance } from 'fastify'
import { SmartBffError } from '../errors.ts'
import { dataPolicy } from '../web/headers.ts'
import { liveSession } from './browser-session.ts'
import { createEventStreams, type EventStreamDeps } from './event-streams.ts'

/** `GET /session/events`. For a scope with `browserRequests` and the browser session. */
export function eventRoutes(deps: EventStreamDeps) {
  return async (scope: FastifyInstance): Promise<void> => {
    const streams = createEventStreams(deps)
    // Before the server waits for its connections: a stream never ends by itself.
    scope.addHook('preClose', async () => streams.close())

    scope.get('/session/events', async (request, reply) => {
      const session = liveSession(request)
      if (session === undefined) throw new SmartBffError('SESSION_MISSING')
      const stream = await streams.open(session)
      // 204 makes EventSource stop; another frame of this browser passes on what it hears.
      if (stream === undefined) return reply.code(204).send()
      return reply
        .header('content-type', 'text/event-stream; charset=utf-8')
        .header('content-security-policy', dataPolicy)
        .header('x-accel-buffering', 'no')
        .send(stream)
    })
  }
}
