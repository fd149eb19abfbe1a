import type { AuditBatch, Store } from '../../store/store.ts'

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
  readonly store: Pick<Store, 'addAuditBatches'>
  /** Records that the stream keeps, about. */
  readonly most: number
  readonly now: () => number
  readonly onFault: (fault: CopyFault) => void
  readonly gatherMs?: number
}

const mostWaiting = 4_194_304
const mostAtOnce = 524_288
/** What is sealed as one costs hardly more than a line by itself, and must be little enough to be held many at a time. */
const mostInBatch = 65_536
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
      const texts = firstOf(queue)
      try {
        // oxlint-disable-next-line no-await-in-loop -- in their order
        await store.addAuditBatches(batchesOf(texts.join('')), most)
      } catch {
        if (failingSince === undefined) onFault({ kind: 'failing', code: undefined })
        failingSince ??= now()
        arm(againMs)
        return
      }
      queue = queue.slice(texts.length)
      for (const text of texts) waiting -= text.length
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
      // The index of another replica shows the gap by the numbers of the records.
      if (waiting + text.length > mostWaiting) {
        lost += countLines(text)
        return
      }
      waiting += text.length
      queue.push(text)
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

/** As many as are sent at once, and one in any case. */
function firstOf(queue: readonly string[]): readonly string[] {
  let length = 0
  const end = queue.findIndex((text) => (length += text.length) > mostAtOnce)
  return end === -1 ? queue : queue.slice(0, Math.max(1, end))
}

function batchesOf(text: string): readonly AuditBatch[] {
  const batches: AuditBatch[] = []
  for (let start = 0; start < text.length;) {
    const batch = firstLines(text, start)
    batches.push({ text: batch, lines: countLines(batch) })
    start += batch.length
  }
  return batches
}

/** Whole lines, as many as are sealed as one; a longer one by itself. */
function firstLines(text: string, start: number): string {
  if (text.length - start <= mostInBatch) return text.slice(start)
  const end = text.lastIndexOf('\n', start + mostInBatch - 1) + 1
  return text.slice(start, end > start ? end : text.indexOf('\n', start) + 1)
}

function countLines(text: string): number {
  let lines = 0
  for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', end + 1)) lines += 1
  return lines
}
