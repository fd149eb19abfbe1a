import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Tenant } from '../config/schema/tenant.ts'
import { type ErrorCode, errorTable, SmartBffError } from '../errors.ts'
import { wantsPage } from './fetch-metadata.ts'
import { dataPolicy, sendPage, setEarlyHeaders } from './headers.ts'
import { newIncident } from './incident.ts'
import type { Pages } from './pages.ts'

/** The body of every refusal in a fetch. */
export interface ErrorBody {
  readonly state: string
  readonly sentence: string
  readonly incident: string
  /** The tenant's support text, where the tenant is known. */
  readonly support: string | null
}

/** For the application log, which prints allow-listed fields only. */
export interface Fault {
  readonly code: ErrorCode
  readonly incident: string
  readonly error: unknown
}

export interface ErrorHandlerDeps {
  readonly pages: Pick<Pages, 'renderState'>
  readonly report: (fault: Fault) => void
}

/** The one place where an error becomes an answer: a page in a navigation, a body in a fetch, never a foreign text. */
export function registerErrorHandler(app: FastifyInstance, deps: ErrorHandlerDeps): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const known = asSmartBffError(error)
    deps.report({ code: known.code, incident: request.incident, error })
    return sendError(deps, known, request, reply)
  })
  app.setNotFoundHandler((request, reply) =>
    sendError(deps, new SmartBffError('ROUTE_UNKNOWN'), request, reply),
  )
}

/** For faults that Fastify finds before any hook has run. */
export function answerFrameworkError(
  deps: ErrorHandlerDeps & { readonly publicOrigin: string },
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  request.incident = newIncident()
  setEarlyHeaders(reply, deps.publicOrigin)
  reply.header('smart-bff-request', request.incident)
  void sendError(deps, asSmartBffError(error), request, reply)
}

function sendError(
  { pages }: Pick<ErrorHandlerDeps, 'pages'>,
  { code }: SmartBffError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { status, state, sentence } = errorTable[code]
  const { incident, tenant, reader } = request
  reply.code(status).header('smart-bff-state', state).header('cache-control', 'no-store')
  if (wantsPage(request.headers)) {
    const shown = tenant && { name: tenant.name, support: supportOf(code, tenant) }
    return sendPage(request, reply, (nonce) =>
      pages.renderState({
        code,
        incident,
        nonce,
        reader,
        tenant: shown,
        retryUrl: retryUrl(state, request),
      }),
    )
  }
  const support = tenant === undefined ? undefined : supportOf(code, tenant)
  const body: ErrorBody = { state, sentence, incident, support: support ?? null }
  return reply
    .header('content-security-policy', dataPolicy)
    .header('content-type', 'application/json; charset=utf-8')
    .send(body)
}

/** The app's document may be asked for again; a launch value or a code works once. */
const retryUrl = (state: string, { method, url }: FastifyRequest): string | undefined =>
  state === 'data_unavailable' && method === 'GET' && url.startsWith('/app/') ? url : undefined

/** A tenant that is closed for maintenance says so in its own words. */
const supportOf = (code: ErrorCode, tenant: Tenant): string | undefined =>
  code === 'LAUNCH_TENANT_PAUSED' ? tenant.paused : tenant.support?.text

/** What Fastify itself refuses (too large, not JSON, a bad URL) is the client's fault; all else is ours. */
function asSmartBffError(error: FastifyError): SmartBffError {
  if (error instanceof SmartBffError) return error
  const { statusCode } = error
  const clients = statusCode !== undefined && statusCode >= 400 && statusCode < 500
  return new SmartBffError(clients ? 'REQUEST_INVALID' : 'INTERNAL', { cause: error })
}
