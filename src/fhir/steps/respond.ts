import { errorTable } from '../../errors.ts'
import { operationOutcome } from '../../smart/outcome.ts'
import type { Refusal } from '../decision.ts'
import type { Exchange, Reply } from '../exchange.ts'

/**
 * respond: the answer with the headers every /fhir answer carries. An EHR's document can never become a script or a
 * page of ours, and nothing is kept by any cache (DESIGN, Requests from a browser; rule 15).
 */
const always: Readonly<Record<string, string>> = {
  'content-security-policy': "sandbox; default-src 'none'",
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
}
const alwaysListed: readonly string[] = Object.entries(always).flat()
const fhirJson = 'application/fhir+json; charset=utf-8'

export function respond(exchange: Exchange, result: Reply | Refusal): void {
  if (result.kind === 'reply') {
    send(exchange, result.status, result.headers, result.body)
    return
  }
  const { status, state } = errorTable[result.code]
  const headers: Record<string, string> = { 'smart-bff-state': state }
  if (result.retryAfter !== undefined) headers['retry-after'] = result.retryAfter
  send(exchange, status, headers, Buffer.from(JSON.stringify(outcomeOf(result))))
}

/** A Binary of a type that a browser may show, or else only save. */
export function beginBinary({ outgoing, incident }: Exchange, contentType: string): void {
  const shown = contentType.startsWith('image/')
  outgoing.writeHead(200, {
    ...always,
    'content-type': contentType,
    'content-disposition': shown ? 'inline' : 'attachment',
    'smart-bff-request': incident,
  })
}

export function outcomeOf({ code, issues = [] }: Refusal): object {
  const { status, sentence } = errorTable[code]
  const own = { severity: 'error', code: issueCode(status), text: sentence } as const
  return operationOutcome([own, ...issues])
}

/** FHIR R4, value set issue-type. */
function issueCode(status: number): string {
  return issueCodes[status] ?? (status >= 500 ? 'transient' : 'processing')
}

const issueCodes: Readonly<Record<number, string>> = {
  400: 'invalid',
  401: 'login',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  410: 'deleted',
  412: 'conflict',
  413: 'too-long',
  428: 'required',
  429: 'throttled',
  500: 'exception',
  504: 'timeout',
}

/** Less than this a socket takes at once. */
const unwatchedBytes = 65_536
const stallMs = 15_000

function send(
  { incoming, outgoing, incident, view }: Exchange,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): void {
  if (outgoing.destroyed || outgoing.writableEnded) return
  if (outgoing.headersSent) {
    // A stream that failed on its way must not look as if more were to come.
    outgoing.destroy()
    return
  }
  // A body that was not read would be taken for the next request on this connection.
  const unread = !incoming.complete && hasBody(incoming.headers)
  // Name, value, name, value: node:http takes a list as it is, and objects put together for each answer cost more.
  const list = [...alwaysListed, 'content-type', fhirJson, 'smart-bff-request', incident]
  list.push('content-length', String(body.length))
  for (const name of Object.keys(headers)) list.push(name, headers[name] ?? '')
  if (unread) list.push('connection', 'close')
  outgoing.writeHead(status, list)
  if (body.length > unwatchedBytes) {
    // A browser that takes nothing for so long gives back what is held for it.
    outgoing.setTimeout(view?.tenant.upstream.timeoutMs ?? stallMs, () => outgoing.destroy())
  }
  outgoing.end(incoming.method === 'HEAD' ? undefined : body)
}

function hasBody(headers: Exchange['incoming']['headers']): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}
