import { Pool, ProxyAgent } from 'undici'
import type { Dispatcher } from 'undici'
import type { Tenant } from '../config/schema/tenant.ts'
import { quirksOf } from '../ehr/quirks.ts'
import { tlsOptions } from '../ehr/http.ts'
import type { Budget } from './resilience/budget.ts'
import { headerBytesMax } from './resilience/reading.ts'
import type { Reading } from './resilience/reading.ts'
import type { Borrower, Slabs } from './resilience/slabs.ts'
import type { AnswerHeaders } from './upstream-wire.ts'
import { answerHeaders, isTimeout, requestHeaders } from './upstream-wire.ts'
import { createCollector } from './collect.ts'
import { unfold } from './unfold.ts'
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

export function createUpstream(
  tenant: Tenant,
  budget: Budget,
  slabs: Slabs,
  reading: Reading,
): Upstream {
  const { timeoutMs, maxBodyBytes } = tenant.upstream
  const urls = createUpstreamUrls(tenant.iss)
  const pool = createPool(tenant, urls.origin, reading)
  const hold = (listener: Listener, bytes: number): boolean => {
    if (listener.over === true || !budget.take(tenant.id, bytes)) return false
    listener.held += bytes
    return true
  }
  return {
    send: async (ask) => {
      // Compared once more on the finished string: no token goes outside the base (DESIGN rule 7).
      if (!urls.contains(ask.target)) return { kind: 'fault', fault: 'outside', sent: false }
      if (ask.listener.gone) return { kind: 'fault', fault: 'gone', sent: false }
      const result = await dispatch(pool, urls.origin, ask, {
        timeoutMs,
        maxBodyBytes,
        hold: (bytes) => hold(ask.listener, bytes),
        lend: (bytes) => slabs.lend(ask.listener, bytes),
      })
      if (result.kind === 'fault') return result
      if (isPlain(result)) return answer(result, result.body)
      return await decode(result, maxBodyBytes, (bytes) => hold(ask.listener, bytes))
    },
    stream: async (ask, begin) => {
      if (!urls.contains(ask.target)) return { kind: 'fault', fault: 'outside', sent: false }
      if (ask.listener.gone) return { kind: 'fault', fault: 'gone', sent: false }
      return streamBody(pool, urls.origin, ask, { timeoutMs, maxBodyBytes }, begin)
    },
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
    return new ProxyAgent({ ...options, uri: proxy.reveal(), requestTls: tlsOptions(tenant) })
  }
  const connect = { timeout, ...tlsOptions(tenant), onread: reading }
  return new Pool(origin, { ...options, connect })
}

interface Limits {
  readonly timeoutMs: number
  readonly maxBodyBytes: number
  readonly hold: (bytes: number) => boolean
  readonly lend: (bytes: number) => Buffer
}

interface RawAnswer {
  readonly kind: 'raw'
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** A request that may still be stopped. */
interface Underway {
  stop: ((fault: UpstreamFault['fault']) => void) | undefined
}

/**
 * Made out here, so that a timer or a listener that V8 still keeps when the request is over keeps nothing of the request:
 * its headers, its answer and undici's parts would wait with it for the next marking of the whole heap (measured).
 */
function stopper(underway: Underway, fault: UpstreamFault['fault']): () => void {
  return () => underway.stop?.(fault)
}

/** undici's dispatch is its cheapest door; the whole answer is collected, because it is judged before it is passed on. */
function dispatch(
  pool: Dispatcher,
  origin: string,
  ask: UpstreamAsk,
  limits: Limits,
): Promise<RawAnswer | UpstreamFault> {
  return new Promise((resolve) => {
    const collector = createCollector(limits)
    let sent = false
    let status = 0
    let headers: RawAnswer['headers'] = {}
    let controller: Dispatcher.DispatchController | undefined
    let settled = false

    const settle = (result: RawAnswer | UpstreamFault): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      underway.stop = undefined
      ask.listener.whenGone = undefined
      resolve(result)
      controller = undefined
    }
    const stop = (fault: UpstreamFault['fault']): void => {
      const stopped = controller
      settle({ kind: 'fault', fault, sent })
      stopped?.abort(new Error(fault))
    }
    const underway: Underway = { stop }
    const timer = setTimeout(stopper(underway, 'timeout'), limits.timeoutMs)
    ask.listener.whenGone = stopper(underway, 'gone')

    pool.dispatch(
      {
        origin,
        path: ask.target,
        method: ask.method,
        headers: requestHeaders(ask),
        body: ask.body ?? null,
        // The timer above ends the whole; undici would make two more for each request.
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      {
        onRequestStart: (started) => {
          controller = started
          if (settled) started.abort(new Error('settled'))
          else sent = true
        },
        onResponseStart: (_, statusCode, received) => {
          if (statusCode < 200 || settled) return
          status = statusCode
          headers = received
          const fault = collector.begin(received['content-length'])
          if (fault !== undefined) stop(fault)
        },
        onResponseData: (_, chunk) => {
          // The memory may be another request's by now.
          if (settled) return
          const fault = collector.add(chunk)
          if (fault !== undefined) stop(fault)
        },
        onResponseEnd: () => {
          settle({ kind: 'raw', status, headers, body: collector.body() })
        },
        onResponseError: (_, error) => {
          settle({ kind: 'fault', fault: isTimeout(error) ? 'timeout' : 'unreachable', sent })
        },
      },
    )
  })
}

const isPlain = ({ headers }: RawAnswer): boolean =>
  headers['content-encoding'] === undefined || headers['content-encoding'] === 'identity'

/** Unfolded bytes are held like received ones: a small body must not become a large one unseen. */
async function decode(
  raw: RawAnswer,
  maxBodyBytes: number,
  hold: (bytes: number) => boolean,
): Promise<UpstreamAnswer | UpstreamFault> {
  if (raw.headers['content-encoding'] !== 'gzip')
    return { kind: 'fault', fault: 'encoding', sent: true }
  if (raw.body.length === 0) return answer(raw, raw.body)
  const unfolded = await unfold(raw.body, maxBodyBytes, hold)
  return typeof unfolded === 'string'
    ? { kind: 'fault', fault: unfolded, sent: true }
    : answer(raw, unfolded)
}

function answer(raw: RawAnswer, body: Buffer): UpstreamAnswer {
  return { kind: 'answer', status: raw.status, headers: answerHeaders(raw.headers), body }
}
