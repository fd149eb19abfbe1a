import type { Dispatcher } from 'undici'
import type { Begin, Sink, Streamed, UpstreamAsk, UpstreamFault } from './upstream.ts'
import { answerHeaders, codingOf, isTimeout, requestHeaders } from './upstream-wire.ts'
import type { AnswerHeaders } from './upstream-wire.ts'

/**
 * A body that needs no judging goes on as it comes: the EHR is read no faster than the browser takes, and not at all
 * before `begin` has let it pass.
 */
export function streamBody(
  pool: Dispatcher,
  origin: string,
  ask: UpstreamAsk,
  limits: { readonly timeoutMs: number; readonly maxBodyBytes: number },
  begin: Begin,
): Promise<Streamed> {
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined
    let sink: Sink | undefined
    let bytes = 0
    let settled = false

    const settle = (result: Streamed): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      ask.listener.whenGone = undefined
      resolve(result)
    }
    const stop = (fault: UpstreamFault['fault']): void => {
      settle(
        sink === undefined
          ? { kind: 'fault', fault, sent: true }
          : { kind: 'streamed', bytes, whole: false },
      )
      controller?.abort(new Error(fault))
    }
    // Until the first byte; after it undici's own body timeout watches the EHR, and this the browser.
    const timer = setTimeout(() => stop('timeout'), limits.timeoutMs)
    ask.listener.whenGone = () => stop('gone')

    const start = async (status: number, headers: AnswerHeaders): Promise<void> => {
      clearTimeout(timer)
      const open = await begin(status, headers)
      // The EHR or the browser may have gone meanwhile: then there is nothing to begin.
      if (settled) return
      if (open === undefined) return stop('encoding')
      sink = open()
      controller?.resume()
    }

    const headers = requestHeaders(ask, ask.accept, 'identity')
    pool.dispatch(
      { origin, path: ask.target, method: ask.method, headers, body: null },
      {
        onRequestStart: (started) => {
          controller = started
          if (settled) started.abort(new Error('settled'))
        },
        onResponseStart: (started, status, received) => {
          if (status < 200) return
          // It was asked for as it is: nobody would unfold it.
          if (status === 200 && codingOf(received) !== 'identity') return stop('encoding')
          started.pause()
          start(status, answerHeaders(received)).catch((error: unknown) => {
            settled = true
            reject(error)
            started.abort(new Error('refused'))
          })
        },
        onResponseData: (started, chunk) => {
          bytes += chunk.length
          if (sink === undefined || bytes > limits.maxBodyBytes) stop('too_large')
          else if (!sink.write(Buffer.from(chunk)))
            waitFor(sink, started, limits.timeoutMs, () => stop('gone'))
        },
        onResponseEnd: () => settle({ kind: 'streamed', bytes, whole: true }),
        onResponseError: (_, error) => stop(isTimeout(error) ? 'timeout' : 'unreachable'),
      },
    )
  })
}

/** The EHR is read no further until the browser takes more; one that takes nothing for so long is given up. */
function waitFor(
  sink: Sink,
  started: Dispatcher.DispatchController,
  ms: number,
  giveUp: () => void,
): void {
  started.pause()
  const timer = setTimeout(giveUp, ms)
  sink.whenReady = () => {
    clearTimeout(timer)
    started.resume()
  }
}
