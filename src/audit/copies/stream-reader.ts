import type { AuditEntry, Store } from '../../store/store.ts'
import type { StreamedCount } from '../search-index/streamed.ts'

/** Carries what other replicas wrote from the store to this replica's search index, once a second. */
export interface StreamReader {
  status(): {
    readonly corrupt: number
    readonly missing: number
    /** What was written since is not here: the store could not be read to its end after that. */
    readonly unreadSince: number | undefined
  }
  close(): Promise<void>
}

export interface StreamReaderDeps {
  readonly store: Pick<Store, 'readAuditBatches' | 'readAuditLines'>
  readonly index: { addStreamed(lines: readonly string[]): Promise<StreamedCount> }
  readonly now: () => number
  /** Entries that are no records of ours, or records that never came. */
  readonly onFault: (fault: {
    readonly kind: 'corrupt' | 'missing'
    readonly count: number
  }) => void
  readonly everyMs?: number
}

/** Of the index at once: searches wait so long. */
const linesAtOnce = 1000
const batchesAtOnce = 50

export function createStreamReader(deps: StreamReaderDeps): StreamReader {
  const { store, index, now, onFault, everyMs = 1000 } = deps
  let corrupt = 0
  let missing = 0
  // Until the first reading has come to its end nothing is known of the others.
  let readAt = now()
  let unreadSince: number | undefined = readAt
  let closed = false
  let running: Promise<void> | undefined

  /** Reads on from where it stopped; one page in memory at a time. */
  function follow(page: Store['readAuditLines'], atOnce: number): () => Promise<void> {
    let after: string | undefined
    return async function onward() {
      const entries = await page(after, atOnce)
      await add(entries.flatMap(linesOf))
      after = entries.at(-1)?.id ?? after
      if (entries.length === atOnce && !closed) return onward()
    }
  }

  async function add(lines: readonly string[]): Promise<void> {
    for (let start = 0; start < lines.length; start += linesAtOnce) {
      // oxlint-disable-next-line no-await-in-loop -- in their order
      tell(await index.addStreamed(lines.slice(start, start + linesAtOnce)))
    }
  }

  const readEarlier = follow((after, limit) => store.readAuditLines(after, limit), linesAtOnce)
  const readBatches = follow((after, limit) => store.readAuditBatches(after, limit), batchesAtOnce)

  /** What an instance wrote before its upgrade comes first. */
  async function read(): Promise<void> {
    const beganAt = now()
    await readEarlier()
    await readBatches()
    readAt = beganAt
    unreadSince = undefined
  }

  function tell(count: StreamedCount): void {
    corrupt += count.corrupt
    missing += count.missing
    if (count.corrupt > 0) onFault({ kind: 'corrupt', count: count.corrupt })
    if (count.missing > 0) onFault({ kind: 'missing', count: count.missing })
  }

  const timer = setInterval(() => {
    running ??= read()
      .catch(() => {
        // The store tells of its faults itself.
        unreadSince ??= readAt
      })
      .finally(() => {
        running = undefined
      })
  }, everyMs)
  timer.unref()

  return {
    status: () => ({ corrupt, missing, unreadSince }),
    async close() {
      closed = true
      clearInterval(timer)
      await running
    },
  }
}

/** The text of one line has no end; a text that did not open is one line, of nothing. */
const linesOf = ({ text }: AuditEntry): readonly string[] =>
  (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n')
