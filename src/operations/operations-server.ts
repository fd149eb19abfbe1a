import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import type { Health } from './health.ts'
import type { Metrics } from './metrics.ts'
import { noSchemas } from '../web/no-schemas.ts'
import { createTlsServer, type TlsFiles } from '../web/tls.ts'

export interface OperationsServerDeps {
  readonly health: Pick<Health, 'status'>
  readonly metrics: Pick<Metrics, 'expose'>
  readonly tls?: TlsFiles | undefined
}

/**
 * The operations listener: probes and metrics, never in the iframe. A probe answers one bare word; the reasons are for
 * the staff. The caller listens and closes.
 */
export function createOperationsServer(deps: OperationsServerDeps): FastifyInstance {
  const { health, metrics, tls } = deps
  const limits = {
    logger: false,
    schemaController: noSchemas,
    bodyLimit: 16_384,
    connectionTimeout: 30_000,
    requestTimeout: 10_000,
    keepAliveTimeout: 65_000,
    routerOptions: { maxParamLength: 200 },
    return503OnClosing: false,
  } as const
  const server =
    tls === undefined
      ? fastify(limits)
      : fastify({
          ...limits,
          serverFactory: (handler) => createTlsServer({}, tls, handler),
        })
  answerPlainly(server)
  server.get('/healthz', async (_request, reply) => reply.type('text/plain').send('ok\n'))
  server.get('/readyz', async (_request, reply) => {
    const { word, ready } = health.status()
    return reply
      .code(ready ? 200 : 503)
      .type('text/plain')
      .send(`${word}\n`)
  })
  server.get('/metrics', async (_request, reply) => {
    const { contentType, body } = await metrics.expose()
    return reply.type(contentType).send(body)
  })
  return server
}

/**
 * What every answer of a listener on the operations side has in common, errors and unknown paths included: nobody keeps
 * it (DESIGN rule 15), and it is nothing that may run or be framed unless a handler says what it is.
 */
export function answerPlainly(server: FastifyInstance): void {
  server.addHook('onSend', async (_request, reply) => {
    reply.header('X-Content-Type-Options', 'nosniff')
    reply.header('Cache-Control', 'no-store')
    if (!reply.hasHeader('Content-Security-Policy')) {
      reply.header('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'")
    }
  })
  server.setNotFoundHandler(async (_request, reply) =>
    reply.code(404).type('text/plain').send('not found\n'),
  )
  server.setErrorHandler(async (error, _request, reply) => {
    const fault = error instanceof Error && 'statusCode' in error ? error.statusCode : 500
    const status = typeof fault === 'number' && fault >= 400 && fault < 500 ? fault : 500
    return reply.code(status).type('text/plain').send('error\n')
  })
}
