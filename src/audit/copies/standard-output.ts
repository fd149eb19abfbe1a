import { write } from 'node:fs'
import type { Copy, CopyFault } from './stream.ts'

/**
 * Every record on standard output as it stands in the file, for a SIEM that collects the container's output: the lines
 * with `hash` are the audit's, and verify by it. Written beside the event loop: a reader that stalls stalls nothing
 * here, and what does not fit in the buffer any more is counted and told.
 */
export interface StandardOutputDeps {
  readonly now: () => number
  readonly onFault: (fault: CopyFault) => void
  /** 1 is standard output. */
  readonly descriptor?: number
  readonly mostWaiting?: number
}

/** POSIX PIPE_BUF on Linux: so much is written whole, so that no line of the application log comes between. */
const atOnce = 4096
const againMs = 20

export function createStandardOutputCopy(deps: StandardOutputDeps): Copy {
  const { now, onFault, descriptor = 1, mostWaiting = 8_388_608 } = deps
  const queue: string[] = []
  let waiting = 0
  let lost = 0
  let failingSince: number | undefined
  let writing = false
  let idle = Promise.withResolvers<void>()
  let closed = false

  function fail(code: string | undefined): void {
    if (failingSince === undefined) onFault({ kind: 'failing', code })
    failingSince ??= now()
  }

  function lose(text: string): void {
    lost += text.split('\n').length - 1
  }

  function next(): void {
    writing = queue.length > 0
    if (writing) step(firstPiece(queue[0] ?? ''))
    else idle.resolve()
  }

  function step(piece: string): void {
    write(descriptor, piece, null, 'latin1', (error, written) => {
      if (error?.code === 'EAGAIN' && !closed) {
        setTimeout(step, againMs, piece).unref()
        return
      }
      const done = error === null ? written : piece.length
      if (error !== null) {
        lose(piece)
        fail(error.code)
      } else if (failingSince !== undefined) {
        failingSince = undefined
        onFault({ kind: 'recovered', lost })
      }
      waiting -= done
      const rest = (queue[0] ?? '').slice(done)
      if (rest === '') queue.shift()
      else queue[0] = rest
      if (error === null && done < piece.length) step(piece.slice(done))
      else next()
    })
  }

  return {
    offer(text) {
      if (closed || waiting + text.length > mostWaiting) {
        lose(text)
        fail('full')
        return
      }
      queue.push(text)
      waiting += text.length
      if (writing) return
      idle = Promise.withResolvers<void>()
      next()
    },
    status: () => ({ waiting, lost, failingSince }),
    /** Waits a second at most for a reader that does not read. */
    async close() {
      const late = setTimeout(() => idle.resolve(), 1000)
      if (writing) await idle.promise
      closed = true
      clearTimeout(late)
    },
  }
}

/** Whole lines, as many as are written at once; a longer one by itself. */
function firstPiece(text: string): string {
  if (text.length <= atOnce) return text
  const end = text.lastIndexOf('\n', atOnce - 1) + 1
  return text.slice(0, end === 0 ? text.indexOf('\n') + 1 : end)
}
