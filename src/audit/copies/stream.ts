import type { Store } from '../../store/store.ts'

/**
 * The newest records for every replica's search index, through the store that they share. Gathered for a quarter of a
 * second, so that a busy replica asks the store four times a second and not once a record.
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

export function createStreamCopy(deps: StreamDeps): Copy {
  const { store, most, now, onFault, gatherMs = 250 } = deps
  let waiting = ''
  let lost = 0
  let failingSince: number | undefined
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  async function flush(): Promise<void> {
    timer = undefined
    const lines = waiting.split('\n').filter(Boolean)
    waiting = ''
    for (let from = 0; from < lines.length; from += linesAtOnce) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- in their order
        await store.addAuditLines(lines.slice(from, from + linesAtOnce), most)
      } catch {
        // The index of another replica shows the gap by the numbers of the records.
        lost += lines.length - from
        if (failingSince === undefined) onFault({ kind: 'failing', code: undefined })
        failingSince ??= now()
        return
      }
    }
    if (failingSince === undefined) return
    failingSince = undefined
    onFault({ kind: 'recovered', lost })
  }

  function begin(): void {
    running = (running ?? Promise.resolve()).then(flush)
  }

  return {
    offer(text) {
      if (waiting.length + text.length > mostWaiting) {
        lost += text.split('\n').length - 1
        return
      }
      waiting += text
      if (timer !== undefined) return
      timer = setTimeout(begin, gatherMs)
      timer.unref()
    },
    status: () => ({ waiting: waiting.length, lost, failingSince }),
    async close() {
      clearTimeout(timer)
      begin()
      await running
    },
  }
}
