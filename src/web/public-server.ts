import Fastify, { type FastifyInstance } from 'fastify'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createTlsServer, type TlsFiles } from './tls.ts'
import type { Duplex } from 'node:stream'
import { SmartBffError } from '../errors.ts'
import {
  answerFrameworkError,
  registerErrorHandler,
  type ErrorHandlerDeps,
} from './error-handler.ts'
import { isServiceWorkerScript } from './fetch-metadata.ts'
import { registerSecurityHeaders } from './headers.ts'
import { newIncident } from './incident.ts'
import { noSchemas } from './no-schemas.ts'

/** Answers a /fhir request on the raw socket and says true; anything else is Fastify's. */
export type FhirDoor = (request: IncomingMessage, response: ServerResponse) => boolean

export interface PublicServerDeps extends ErrorHandlerDeps {
  /** The origin of publicUrl. */
  readonly publicOrigin: string
  /** Addresses and networks whose X-Forwarded-For counts; none of them, and only the socket's address counts. */
  readonly trustProxy: readonly string[]
  readonly tls?: TlsFiles | undefined
  /** From now on every answer ends its connection, so that a proxy in front finds none that is about to be closed. */
  readonly draining?: () => boolean
  readonly fhirDoor: FhirDoor
}

const headersTimeoutMs = 15_000
const requestTimeoutMs = 60_000
/** Longer than an ingress keeps its side open, or it would meet closed connections. */
const keepAliveTimeoutMs = 75_000
/** Longer than the longest upstream timeout that the configuration allows. */
const socketIdleTimeoutMs = 150_000
const maxHeaderBytes = 16_384
const maxConnections = 10_000
/** A route that takes more says so itself. */
const maxBodyBytes = 65_536
const maxParameterChars = 256

/** The listener the browser meets: explicit limits, headers, error pages. Routes are registered by src/app.ts. */
export async function createPublicServer(deps: PublicServerDeps): Promise<FastifyInstance> {
  const app = Fastify({
    serverFactory: (handler) => createListener(deps, handler),
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error, request, reply) => answerFrameworkError(deps, error, request, reply),
    // Addresses stand in URLs here: what is logged is decided by src/operations, not by the framework.
    logger: false,
    schemaController: noSchemas,
    trustProxy: deps.trustProxy.length === 0 ? false : [...deps.trustProxy],
    bodyLimit: maxBodyBytes,
    // A HEAD must not run a handler that takes a state or a launch; routes that have one say so.
    exposeHeadRoutes: false,
    // What still comes over a connection that is open is answered while the listener closes.
    return503OnClosing: false,
    routerOptions: { maxParamLength: maxParameterChars },
  })
  app.decorateRequest('incident', '')
  app.decorateRequest('tenant', undefined)
  app.decorateRequest('reader', undefined)
  app.addHook('onRequest', async (request) => {
    request.incident = newIncident()
  })
  await registerSecurityHeaders(app, deps)
  app.addHook('onRequest', async (request) => judgeAnyRequest(request.raw))
  registerErrorHandler(app, deps)
  closeWhatFallsIdle(app)
  return app
}

/** Node closes the connections that are idle when a server closes; one that falls idle later would keep it open. */
function closeWhatFallsIdle(app: FastifyInstance): void {
  app.addHook('preClose', async () => {
    const timer = setInterval(() => app.server.closeIdleConnections(), 100)
    app.server.once('close', () => clearInterval(timer))
    // A server that never listened is never closed.
    timer.unref()
  })
}

/** What holds at every address. */
function judgeAnyRequest({ url = '', headers }: IncomingMessage): void {
  if (isServiceWorkerScript(headers)) throw new SmartBffError('SESSION_CROSS_SITE')
  // RFC 9112 3.2.2, absolute-form: for proxies, which this is not; `//host` would be one in disguise.
  if (!url.startsWith('/') || url.startsWith('//')) throw new SmartBffError('REQUEST_INVALID')
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** /fhir is answered before Fastify: its hooks alone would cost as much as the whole proxy (measured). */
function createListener(
  { fhirDoor, tls, draining = () => false }: PublicServerDeps,
  fastify: Handler,
): Server {
  const handler: Handler = (request, response) => {
    if (draining()) response.shouldKeepAlive = false
    if (!fhirDoor(request, response)) fastify(request, response)
  }
  const limits = {
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: 5_000,
    maxHeaderSize: maxHeaderBytes,
  }
  const server =
    tls === undefined ? createServer(limits, handler) : createTlsServer(limits, tls, handler)
  server.maxConnections = maxConnections
  server.setTimeout(socketIdleTimeoutMs)
  return server
}

/** What is not HTTP gets no body, and nothing of what it was. */
function answerBrokenRequest(_error: Error, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
}
