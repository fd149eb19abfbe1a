import { write, writeSync } from 'node:fs'
import type { Copy, CopyFault } from './stream.ts'

/**
 * Every record on standard output as it stands in the file, for a SIEM that collects the container's output: the lines
 * with `hash` are the audit's, and verify by it. Written beside the event loop: a reader that stalls stalls nothing
 * here, and what does not fit in the buffer any more is counted and told.
 */
export interface StandardOutputDeps {
  readonly now: () => number
  readonly onFault: (fault: CopyFault) => void
  /** Standard output when left out. */
  readonly descriptor?: number
  readonly mostWaiting?: number
}

export interface StandardOutputCopy extends Copy {
  /** All that waits, and this after it, before it returns: the process ends now. A second at most. */
  writeLast(text: string): void
}

/** POSIX PIPE_BUF on Linux: so much is written whole, so that no line of the application log comes between. */
const atOnce = 4096
const againMs = 20
const endLimitMs = 1000

export function createStandardOutputCopy(deps: StandardOutputDeps): StandardOutputCopy {
  // Node makes a pipe non-blocking when it is asked for the stream. A write that blocks would hold the end of the
  // process up for as long as nobody reads, since that waits for its threads.
  const { now, onFault, descriptor = process.stdout.fd, mostWaiting = 8_388_608 } = deps
  const queue: string[] = []
  let waiting = 0
  /** Characters that a thread is writing. */
  let underway = 0
  let lost = 0
  let failingSince: number | undefined
  let writing = false
  let idle = Promise.withResolvers<void>()
  let closed = false

  function lose(text: string, code: string | undefined): void {
    lost += text.split('\n').length - 1
    if (failingSince === undefined) onFault({ kind: 'failing', code })
    failingSince ??= now()
  }

  function next(): void {
    writing = queue.length > 0
    if (writing) step(firstPiece(queue[0] ?? ''))
    else idle.resolve()
  }

  function step(piece: string): void {
    underway = piece.length
    write(descriptor, piece, null, 'latin1', (error, written) => {
      underway = 0
      if (error?.code === 'EAGAIN' && !closed) {
        setTimeout(step, againMs, piece).unref()
        return
      }
      const done = error === null ? written : piece.length
      if (error !== null) {
        lose(piece, error.code)
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
        lose(text, 'full')
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
      const late = setTimeout(() => idle.resolve(), endLimitMs)
      if (writing) await idle.promise
      closed = true
      clearTimeout(late)
    },
    writeLast(text) {
      closed = true
      writeWithin(endLimitMs, descriptor, queue.join('').slice(underway) + text)
      queue.length = 0
    },
  }
}

/** What nobody reads until then is given up. */
function writeWithin(limitMs: number, descriptor: number, text: string): void {
  const end = performance.now() + limitMs
  const bell = new Int32Array(new SharedArrayBuffer(4))
  let rest = text
  while (rest !== '' && performance.now() < end) {
    try {
      rest = rest.slice(writeSync(descriptor, firstPiece(rest), null, 'latin1'))
    } catch (error) {
      if (!isBusy(error)) return
      Atomics.wait(bell, 0, 0, againMs)
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN'
}

/** Whole lines, as many as are written at once; a longer one by itself. */
function firstPiece(text: string): string {
  if (text.length <= atOnce) return text
  const end = text.lastIndexOf('\n', atOnce - 1) + 1
  return text.slice(0, end === 0 ? text.indexOf('\n') + 1 : end)
}
