import type { Dispatcher } from 'undici'
import { createCollector } from './collect.ts'
import type { Collector, Room } from './collect.ts'
import type { Deadlines } from './resilience/deadlines.ts'
import { unfold } from './unfold.ts'
import type { Heard, UpstreamAnswer, UpstreamAsk, UpstreamFault } from './upstream.ts'
import { answerHeaders, codingOf, isTimeout, requestHeaders } from './upstream-wire.ts'
import type { ReceivedHeaders } from './upstream-wire.ts'

/**
 * One request on its way to the EHR. undici's dispatch is its cheapest door; the whole answer is collected, because it
 * is judged before it is passed on.
 */
export interface Call {
  /** Never rejects. */
  readonly done: Promise<UpstreamAnswer | UpstreamFault>
  dispatchTo(pool: Dispatcher, origin: string): void
  /** Its time is over, or nobody listens any more. */
  stop(fault: UpstreamFault['fault']): void
}

export interface CallParts {
  readonly ask: UpstreamAsk
  readonly room: Room
  readonly deadlines: Deadlines<Call>
  readonly heard: Heard
}

export const createCall = (parts: CallParts): Call => new UndiciCall(parts)

/** undici's handler with its methods on a prototype: nine functions made anew for each request cost (measured). */
class UndiciCall implements Call, Dispatcher.DispatchHandler {
  readonly done: Promise<UpstreamAnswer | UpstreamFault>
  readonly #resolve: (result: UpstreamAnswer | UpstreamFault) => void
  readonly #parts: CallParts
  readonly #collector: Collector
  readonly #startedAt = performance.now()
  #controller: Dispatcher.DispatchController | undefined
  #status = 0
  #headers: ReceivedHeaders = {}
  #sent = false
  #settled = false
  #place = -1

  constructor(parts: CallParts) {
    const { promise, resolve } = Promise.withResolvers<UpstreamAnswer | UpstreamFault>()
    this.done = promise
    this.#resolve = resolve
    this.#parts = parts
    this.#collector = createCollector(parts.ask.listener, parts.room)
  }

  dispatchTo(pool: Dispatcher, origin: string): void {
    const { ask, deadlines } = this.#parts
    this.#place = deadlines.begin(this)
    ask.listener.whenGone = () => this.stop('gone')
    pool.dispatch(
      {
        origin,
        path: ask.target,
        method: ask.method,
        headers: requestHeaders(ask),
        body: ask.body ?? null,
        // The deadline ends the whole; undici would make two timers for each request.
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      this,
    )
  }

  stop(fault: UpstreamFault['fault']): void {
    const controller = this.#controller
    this.#fail(fault)
    controller?.abort(new Error(fault))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#settled) {
      controller.abort(new Error('settled'))
      return
    }
    this.#controller = controller
    this.#sent = true
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: ReceivedHeaders,
  ): void {
    if (status < 200 || this.#settled) return
    this.#status = status
    this.#headers = headers
    const fault = this.#collector.begin(headers['content-length'])
    if (fault !== undefined) this.stop(fault)
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    // The memory may be another request's by now.
    if (this.#settled) return
    const fault = this.#collector.add(chunk)
    if (fault !== undefined) this.stop(fault)
  }

  onResponseEnd(): void {
    if (this.#settled) return
    const body = this.#collector.body()
    const coding = codingOf(this.#headers)
    if (coding === 'identity') this.#settle(this.#answer(body))
    else if (coding === undefined) this.#fail('encoding')
    else void this.#unfold(body)
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#fail(isTimeout(error) ? 'timeout' : 'unreachable')
  }

  /** Unfolded bytes are held like received ones: a small body must not become a large one unseen. */
  async #unfold(body: Buffer): Promise<void> {
    const { ask, room } = this.#parts
    if (body.length === 0) return this.#settle(this.#answer(body))
    this.#release()
    const hold = (bytes: number): boolean => room.hold(ask.listener, bytes)
    const unfolded = await unfold(body, room.maxBodyBytes, hold)
    if (typeof unfolded === 'string') this.#fail(unfolded)
    else this.#settle(this.#answer(unfolded))
  }

  #answer(body: Buffer): UpstreamAnswer {
    return { kind: 'answer', status: this.#status, headers: answerHeaders(this.#headers), body }
  }

  #fail(fault: UpstreamFault['fault']): void {
    this.#settle({ kind: 'fault', fault, sent: this.#sent })
  }

  #settle(result: UpstreamAnswer | UpstreamFault): void {
    if (this.#settled) return
    this.#settled = true
    this.#release()
    this.#parts.heard(result, (performance.now() - this.#startedAt) / 1000)
    this.#resolve(result)
  }

  /** What outlives the call holds nothing of it: V8 would keep all of it until it marks the whole heap (measured). */
  #release(): void {
    const { ask, deadlines } = this.#parts
    if (this.#place >= 0) deadlines.end(this.#place)
    this.#place = -1
    ask.listener.whenGone = undefined
    this.#controller = undefined
  }
}
