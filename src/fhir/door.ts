import type { IncomingMessage, ServerResponse } from 'node:http'
import { newIncident } from '../web/incident.ts'
import type { FhirDeps } from './deps.ts'
import type { Exchange } from './exchange.ts'
import { createProver } from './guard/prove.ts'
import { serve } from './pipeline.ts'
import { spanWordsOf } from './traced.ts'

/**
 * The way into the FHIR proxy, on raw node:http and before any router: a route and its hooks alone cost a quarter of a
 * bare proxy's CPU (measured). Answers true when the request is ours, which is then taken care of to its end.
 */
export type FhirDoor = (incoming: IncomingMessage, outgoing: ServerResponse) => boolean

export function createFhirDoor(outer: FhirDeps): FhirDoor {
  const deps = { ...outer, prove: createProver() }
  return (incoming, outgoing) => {
    if (!isOurs(incoming.url ?? '')) return false
    const exchange = begin(incoming, outgoing, deps)
    serve(exchange, deps).catch((error: unknown) => {
      deps.log.fault(error, exchange.incident)
      outgoing.destroy()
    })
    return true
  }
}

/** Case-exact. Absolute form (RFC 9112 3.2.2) is ours to refuse: no router shall make sense of it. */
function isOurs(url: string): boolean {
  if (url.startsWith('/fhir')) {
    const next = url.charAt(5)
    return next === '' || next === '/' || next === '?' || next === '#'
  }
  return !url.startsWith('/') && url !== '*'
}

function begin(incoming: IncomingMessage, outgoing: ServerResponse, deps: FhirDeps): Exchange {
  const listener: Exchange['listener'] = { gone: false, whenGone: undefined, held: 0, borrowed: [] }
  const incident = newIncident()
  const exchange: Exchange = {
    incoming,
    outgoing,
    incident,
    startedAt: performance.now(),
    client: deps.clientAddress(incoming),
    listener,
    trace: deps.tracing?.begin('fhir', { incoming, incident }),
    launch: undefined,
    view: undefined,
    opened: undefined,
    request: undefined,
    rule: undefined,
    upstreamStatus: undefined,
    savedId: undefined,
    narrowed: [],
    writeSent: false,
    refused: undefined,
  }
  outgoing.on('close', () => {
    if (!outgoing.writableFinished) {
      listener.gone = true
      listener.whenGone?.()
    }
    listener.over = true
    if (exchange.view !== undefined) deps.upstreams.release(exchange.view.tenant, listener)
    exchange.trace?.end(spanWordsOf(exchange))
  })
  return exchange
}
