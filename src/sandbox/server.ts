import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type EntranceDeps, enterAuthorization } from './authorization/entrance.ts'
import type { Control } from './control/control.ts'
import type { Fault, Faults } from './control/faults.ts'
import { leaked } from './control/leak.ts'
import type { LoggedRequest, RequestLog, Where } from './control/log.ts'
import { controlRoutes } from './control/routes.ts'
import type { Store } from './fhir/store.ts'
import type { Answer, Request } from './http.ts'
import { json, readBody } from './http.ts'
import type { SyntheticPatient } from './patients/generate.ts'
import type { Clinician } from './patients/organization.ts'
import { pages } from './pages/pages.ts'

export interface ListenerDeps extends EntranceDeps {
  readonly log: RequestLog
  readonly faults: Faults
  readonly control: Control
  readonly store: Store
  readonly patients: readonly SyntheticPatient[]
  readonly clinicians: readonly Clinician[]
  readonly launchUrl: string
  fhir(request: Request, path: string): Promise<Answer>
  discovery(): object
  /** What the id_token's issuer publishes, where that is not the discovery document's issuer. */
  openidConfiguration(path: string): object | undefined
}

/** The one listener: the log first, then faults, then the station the path names. */
export function createListener(
  deps: ListenerDeps,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (incoming, response) => {
    handle(deps, incoming, response).catch((error: unknown) => {
      console.error('sandbox:', error)
      if (response.headersSent) return void response.destroy()
      send(response, json(500, { error: 'The sandbox failed; its standard error says why.' }))
    })
  }
}

async function handle(
  deps: ListenerDeps,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const request: Request = {
    method: incoming.method ?? 'GET',
    url: new URL(incoming.url ?? '/', deps.origin),
    headers: incoming.headers,
    body: await readBody(incoming),
    remoteAddress: incoming.socket.remoteAddress ?? '',
  }
  const { pathname, search } = request.url
  if (pathname === '/_control' || pathname.startsWith('/_control/')) {
    return send(response, controlRoutes(deps, request))
  }
  const where = whereIs(pathname)
  const entry = deps.log.add(where, request)
  response.on('close', () => (entry.status = response.writableFinished ? response.statusCode : 0))
  const fault = deps.faults.take(where, request.method, `${pathname}${search}`)
  if (fault !== undefined) entry.fault = fault.kind
  const finished = await faultBefore(fault, response)
  if (finished) return
  faultAfter(fault, response)
  await dispatch(deps, { where, request, incoming, response, entry }, fault)
}

interface Exchange {
  readonly where: Where
  readonly request: Request
  readonly incoming: IncomingMessage
  readonly response: ServerResponse
  readonly entry: LoggedRequest
}

async function dispatch(
  deps: ListenerDeps,
  { where, request, incoming, response }: Exchange,
  fault: Fault | undefined,
): Promise<void> {
  const path = request.url.pathname
  if (path === '/fhir/r4/.well-known/smart-configuration') {
    return send(response, json(200, deps.discovery()))
  }
  if (where === 'fhir') {
    const answer = await deps.fhir(request, path.slice('/fhir/r4'.length) || '/')
    return send(
      response,
      fault?.kind === 'leak' ? await leaked(deps, fault, request, answer) : answer,
    )
  }
  if (path.startsWith('/oauth/')) return enterAuthorization(deps, request, incoming, response)
  const openid = deps.openidConfiguration(path)
  if (openid !== undefined) return send(response, json(200, openid))
  send(response, await pages(deps, request))
}

/** Faults that happen instead of the answer; true when nothing more is to be done. */
async function faultBefore(fault: Fault | undefined, response: ServerResponse): Promise<boolean> {
  switch (fault?.kind) {
    case 'reset':
      response.destroy()
      return true
    case 'status': {
      const type = fault.contentType ?? 'application/json'
      const body = typeof fault.body === 'string' ? fault.body : JSON.stringify(fault.body ?? {})
      const headers = { 'content-type': type, ...fault.headers }
      send(response, { status: fault.status, headers, body })
      return true
    }
    case 'redirect':
      send(response, { status: 302, headers: { location: fault.location }, body: '' })
      return true
    case 'delay':
      await sleep(fault.delayMs)
      return false
    case 'reset-after':
    case 'delay-after':
    case 'body':
    case 'truncate':
    case 'leak':
    case undefined:
      return false
  }
}

/** Faults that spoil an answer on its way out; both stations end their answers with one `end(body)`. */
function faultAfter(fault: Fault | undefined, response: ServerResponse): void {
  const end = response.end.bind(response)
  const replace = (spoiled: (body: string | Buffer) => void): void => {
    response.end = ((body: string | Buffer = '') => {
      response.end = end
      spoiled(body)
      return response
    }) as typeof response.end
  }
  switch (fault?.kind) {
    case 'reset-after':
      return replace(() => response.destroy())
    case 'delay-after':
      return replace((body) => void setTimeout(() => end(body), fault.delayMs))
    case 'body':
      return replace(() => {
        const body = typeof fault.body === 'string' ? fault.body : JSON.stringify(fault.body)
        response.statusCode = 200
        response.removeHeader('content-length')
        if (fault.contentType !== undefined) response.setHeader('content-type', fault.contentType)
        end(body)
      })
    case 'truncate':
      return replace((body) => {
        const whole = Buffer.from(body)
        response.setHeader('content-length', whole.length)
        response.write(whole.subarray(0, Math.floor(whole.length / 2)), () => response.destroy())
      })
    case 'status':
    case 'reset':
    case 'redirect':
    case 'delay':
    case 'leak':
    case undefined:
  }
}

function whereIs(path: string): Where {
  if (path.includes('/.well-known/')) return 'discovery'
  if (path.startsWith('/fhir/r4')) return 'fhir'
  const station = /^\/oauth\/(authorize|token|introspect|revoke|jwks)/.exec(path)?.[1]
  return (station as Where | undefined) ?? 'page'
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.statusCode = status
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  response.end(body)
}
