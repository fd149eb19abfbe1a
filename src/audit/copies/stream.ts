import type { Store } from '../../store/store.ts'

/**
 * The newest records for every replica's search index, through the store that they share. Gathered for a quarter of a
 * second, so that a busy replica asks the store four times a second and not once a record. While the store is away they
 * wait, as many as there is room for.
 */
export interface Copy {
  /** Whole lines, each with its end. */
  offer(text: string): void
  status(): CopyStatus
  close(): Promise<void>
}

export interface CopyStatus {
  /** Bytes that wait. */
  readonly waiting: number
  /** Lines. */
  readonly lost: number
  readonly failingSince: number | undefined
}

export type CopyFault =
  | { readonly kind: 'failing'; readonly code: string | undefined }
  | { readonly kind: 'recovered'; readonly lost: number }

export interface StreamDeps {
  readonly store: Pick<Store, 'addAuditLines'>
  /** Records that the stream keeps, about. */
  readonly most: number
  readonly now: () => number
  readonly onFault: (fault: CopyFault) => void
  readonly gatherMs?: number
}

const mostWaiting = 4_194_304
const linesAtOnce = 500
const againMs = 1000

export function createStreamCopy(deps: StreamDeps): Copy {
  const { store, most, now, onFault, gatherMs = 250 } = deps
  let queue: string[] = []
  let waiting = 0
  let lost = 0
  let failingSince: number | undefined
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  /** What was sent twice, because the answer did not come, is here already for whoever reads it. */
  async function flush(): Promise<void> {
    timer = undefined
    while (queue.length > 0) {
      const lines = queue.slice(0, linesAtOnce)
      try {
        // oxlint-disable-next-line no-await-in-loop -- in their order
        await store.addAuditLines(lines, most)
      } catch {
        if (failingSince === undefined) onFault({ kind: 'failing', code: undefined })
        failingSince ??= now()
        arm(againMs)
        return
      }
      queue = queue.slice(lines.length)
      for (const line of lines) waiting -= line.length
    }
    if (failingSince === undefined) return
    failingSince = undefined
    onFault({ kind: 'recovered', lost })
  }

  function begin(): void {
    running = (running ?? Promise.resolve()).then(flush)
  }

  function arm(ms: number): void {
    if (timer !== undefined) return
    timer = setTimeout(begin, ms)
    timer.unref()
  }

  return {
    offer(text) {
      const lines = text.split('\n').filter(Boolean)
      // The index of another replica shows the gap by the numbers of the records.
      if (waiting + text.length > mostWaiting) {
        lost += lines.length
        return
      }
      for (const line of lines) waiting += line.length
      queue.push(...lines)
      arm(gatherMs)
    },
    status: () => ({ waiting, lost, failingSince }),
    async close() {
      clearTimeout(timer)
      begin()
      await running
      clearTimeout(timer)
    },
  }
}
