import type { Store } from '../../store/store.ts'
import type { StreamedCount } from '../search-index/streamed.ts'

/** Carries what other replicas wrote from the store to this replica's search index, once a second. */
export interface StreamReader {
  status(): {
    readonly corrupt: number
    readonly missing: number
    readonly failingSince: number | undefined
  }
  close(): Promise<void>
}

export interface StreamReaderDeps {
  readonly store: Pick<Store, 'readAuditLines'>
  readonly index: { addStreamed(lines: readonly string[]): Promise<StreamedCount> }
  readonly now: () => number
  /** Entries that are no records of ours, or records that never came. */
  readonly onFault: (fault: {
    readonly kind: 'corrupt' | 'missing'
    readonly count: number
  }) => void
  readonly everyMs?: number
}

const atOnce = 1000

export function createStreamReader(deps: StreamReaderDeps): StreamReader {
  const { store, index, now, onFault, everyMs = 1000 } = deps
  let after: string | undefined
  let corrupt = 0
  let missing = 0
  let failingSince: number | undefined
  let closed = false
  let running: Promise<void> | undefined

  async function read(): Promise<void> {
    const entries = await store.readAuditLines(after, atOnce)
    if (entries.length > 0) tell(await index.addStreamed(entries.map(({ line }) => line)))
    after = entries.at(-1)?.id ?? after
    // One page in memory at a time.
    if (entries.length === atOnce && !closed) return read()
    failingSince = undefined
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
        failingSince ??= now()
      })
      .finally(() => {
        running = undefined
      })
  }, everyMs)
  timer.unref()

  return {
    status: () => ({ corrupt, missing, failingSince }),
    async close() {
      closed = true
      clearInterval(timer)
      await running
    },
  }
}
