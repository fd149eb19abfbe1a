import { Pool } from 'undici'
import type { Dispatcher } from 'undici'
import type { Tenant } from '../config/schema/tenant.ts'
import { quirksOf } from '../ehr/quirks.ts'
import { proxied, tlsOptions } from '../ehr/http.ts'
import type { Budget } from './resilience/budget.ts'
import { createDeadlines } from './resilience/deadlines.ts'
import { headerBytesMax } from './resilience/reading.ts'
import type { Reading } from './resilience/reading.ts'
import type { Borrower, Slabs } from './resilience/slabs.ts'
import { createCall } from './upstream-call.ts'
import type { Call } from './upstream-call.ts'
import type { AnswerHeaders } from './upstream-wire.ts'
import { streamBody } from './upstream-stream.ts'
import { createUpstreamUrls } from './upstream-url.ts'

/**
 * The one connection to a tenant's FHIR base: a bounded pool of undici connections, HTTP/1.1, TLS verified, redirects
 * never followed, every wait and size limited (DESIGN rules 7 and 17). Headers in and out are the ones named here.
 */
export interface Upstream {
  /** Never throws: what goes wrong on the way is a fault, and says whether the request may have reached the EHR. */
  send(ask: UpstreamAsk): Promise<UpstreamAnswer | UpstreamFault>
  /** The same, but the body goes to a sink as it comes, with back-pressure. */
  stream(ask: UpstreamAsk, begin: Begin): Promise<Streamed>
  close(): Promise<void>
}

/** Judges the head of an answer: what opens the sink, called at once or never; undefined where nothing may pass. */
export type Begin = (status: number, headers: AnswerHeaders) => Promise<(() => Sink) | undefined>

/** Where a streamed body goes. */
export interface Sink {
  /** False: full; `whenReady` is called when there is room again. */
  write(chunk: Buffer): boolean
  whenReady: (() => void) | undefined
}

export type Streamed =
  /** `whole`: to the last byte. */
  { readonly kind: 'streamed'; readonly bytes: number; readonly whole: boolean } | UpstreamFault

export interface UpstreamAsk {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Whose turn it is where many wait. */
  readonly launch: string
  /** Origin form: path and query, under the FHIR base's path. */
  readonly target: string
  readonly accessToken: string
  /** For a streamed answer; everything else is asked for as FHIR JSON. */
  readonly accept?: string
  readonly headers: readonly string[]
  readonly body: Buffer | undefined
  /** The browser; when it goes away the EHR is told. */
  readonly listener: Listener
}

export interface Listener extends Borrower {
  gone: boolean
  whenGone: (() => void) | undefined
  /** Bytes of answers held for this request; given back when it is over. */
  held: number
  /** It is over, and what it held was given back: whatever still runs for it holds nothing more, or nobody would give that back. */
  over?: true
}

export interface UpstreamAnswer {
  readonly kind: 'answer'
  readonly status: number
  readonly headers: AnswerHeaders
  readonly body: Buffer
}

export type { AnswerHeaders } from './upstream-wire.ts'

export interface UpstreamFault {
  readonly kind: 'fault'
  readonly fault:
    | 'unreachable'
    | 'timeout'
    | 'too_large'
    | 'encoding'
    | 'outside'
    | 'gone'
    /** No room: the queue is full, the circuit open, or too many bytes are held. */
    | 'busy'
    /** The EHR has asked this launch to wait. */
    | 'throttled'
    | 'circuit'
    | 'memory'
  readonly sent: boolean
  readonly retryAfter?: number
}

const connectTimeoutMsMax = 5000

/** What each answer came to, and how long it took. */
export type Heard = (result: UpstreamAnswer | UpstreamFault, seconds: number) => void

export function createUpstream(
  tenant: Tenant,
  budget: Budget,
  slabs: Slabs,
  reading: Reading,
  heard: Heard = () => undefined,
): Upstream {
  const { timeoutMs, maxBodyBytes } = tenant.upstream
  const urls = createUpstreamUrls(tenant.iss)
  const pool = createPool(tenant, urls.origin, reading)
  const deadlines = createDeadlines<Call>(timeoutMs, (call) => call.stop('timeout'))
  const room = {
    maxBodyBytes,
    hold: (listener: Listener, bytes: number): boolean => {
      if (listener.over === true || !budget.take(tenant.id, bytes)) return false
      listener.held += bytes
      return true
    },
    lend: (listener: Listener, bytes: number): Buffer => slabs.lend(listener, bytes),
  }
  /** Compared once more on the finished string: no token goes outside the base (DESIGN rule 7). */
  const notSent = ({ target, listener }: UpstreamAsk): UpstreamFault | undefined => {
    if (!urls.contains(target)) return { kind: 'fault', fault: 'outside', sent: false }
    return listener.gone ? { kind: 'fault', fault: 'gone', sent: false } : undefined
  }
  return {
    send: (ask) => {
      const fault = notSent(ask)
      if (fault !== undefined) return Promise.resolve(fault)
      const call = createCall({ ask, room, deadlines, heard })
      call.dispatchTo(pool, urls.origin)
      return call.done
    },
    stream: async (ask, begin) =>
      notSent(ask) ?? streamBody(pool, urls.origin, ask, { timeoutMs, maxBodyBytes }, begin),
    close: () => pool.close(),
  }
}

function createPool(tenant: Tenant, origin: string, reading: Reading): Dispatcher {
  const { timeoutMs, connections, proxy } = tenant.upstream
  const options = {
    connections,
    pipelining: 1,
    allowH2: quirksOf(tenant).allowHttp2,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    keepAliveTimeout: 10_000,
    maxHeaderSize: headerBytesMax,
  }
  const timeout = Math.min(connectTimeoutMsMax, timeoutMs)
  if (proxy !== undefined) {
    return proxied(proxy, tenant.upstream, { ...options, connectTimeoutMs: timeout })
  }
  const connect = { timeout, ...tlsOptions(tenant), onread: reading }
  return new Pool(origin, { ...options, connect })
}
