import { Worker } from 'node:worker_threads'
import { join } from 'node:path'
import { auditRecord } from '../record.ts'
import type { AuditRecord } from '../record.ts'
import { SearchIndexFault } from './fault.ts'
import type { IngestProgress } from './ingest.ts'
import type { FoundLines, IndexAnswer, IndexQuestion, IndexResult } from './messages.ts'
import type { StreamedCount } from './streamed.ts'
import type { AuditQuery, Cursor, PersonRow } from './query.ts'
import type { SeriesQuery, SeriesRow } from './series-query.ts'

/**
 * The audit as it can be searched: a SQLite database beside the files, kept up to them by a worker thread. It is a
 * copy: when it fails, searching fails and nothing else. Each question may reject with a SearchIndexFault.
 */
export interface SearchIndex {
  search(query: AuditQuery): Promise<FoundRecords>
  /** How many records there are, at most `limit`; the order and the page do not matter. */
  count(query: AuditQuery): Promise<number>
  /** Who stands in them, at most `limit` of them. */
  people(query: AuditQuery): Promise<readonly PersonRow[]>
  series(query: SeriesQuery): Promise<readonly SeriesRow[]>
  /** Reads what the files have more than the index; a search after it finds what is in them now. */
  update(): Promise<IngestProgress>
  progress(): Promise<IngestProgress>
  /** Lines of other replicas, as the stream has them. */
  addStreamed(lines: readonly string[]): Promise<StreamedCount>
  close(): Promise<void>
}

export interface FoundRecords {
  readonly records: readonly AuditRecord[]
  /** Lines that were found but are not of the form of a record, so they are not shown. */
  readonly unreadable: number
  readonly next: Cursor | undefined
}

export interface SearchIndexDeps {
  readonly directory: string
  readonly instance: string
  readonly pollMs?: number
  /** So long records that came by the stream stay. */
  readonly retentionDays?: number
  readonly onFault?: (error: unknown) => void
}

const timeoutMs = 15_000
const maxWaiting = 256

export function createSearchIndex(deps: SearchIndexDeps): SearchIndex {
  const { directory, instance, pollMs = 1000, retentionDays = 2555, onFault } = deps
  const ask = createAsk(
    { path: join(directory, `${instance}.index.sqlite`), directory, pollMs, retentionDays },
    onFault,
  )
  return {
    async search(query) {
      const found = await ask.question({ kind: 'search', query })
      if (!('lines' in found)) throw new TypeError('not an answer to a search')
      return readFound(found)
    },
    async count(query) {
      const counted = await ask.question({ kind: 'count', query })
      if (!('count' in counted)) throw new TypeError('not an answer to a count')
      return counted.count
    },
    async people(query) {
      const found = await ask.question({ kind: 'people', query })
      if (!('people' in found)) throw new TypeError('not an answer to people')
      return found.people
    },
    async series(query) {
      const rows = await ask.question({ kind: 'series', query })
      if (!Array.isArray(rows)) throw new TypeError('not an answer to a series')
      return rows
    },
    update: async () => asProgress(await ask.question({ kind: 'update' })),
    progress: async () => asProgress(await ask.question({ kind: 'progress' })),
    async addStreamed(lines) {
      const counted = await ask.question({ kind: 'streamed', lines })
      if (!('corrupt' in counted)) throw new TypeError('not an answer to lines')
      return counted
    },
    close: () => ask.close(),
  }
}

function asProgress(result: IndexResult): IngestProgress {
  if (!('behind' in result)) throw new TypeError('not an answer to progress')
  return result
}

function readFound({ lines, next }: FoundLines): FoundRecords {
  const records: AuditRecord[] = []
  for (const line of lines) {
    const read = auditRecord.safeParse(JSON.parse(line))
    if (read.success) records.push(read.data)
  }
  return { records, unreadable: lines.length - records.length, next }
}

type Asked = IndexQuestion extends infer Question
  ? Question extends { id: number }
    ? Omit<Question, 'id'>
    : never
  : never

const databaseFault = (code: string): SearchIndexFault =>
  new SearchIndexFault('search index', { code })

interface Waiting {
  readonly resolve: (result: IndexResult) => void
  readonly reject: (error: Error) => void
}

/** A worker that died is started again by the next question; those that waited for it fail. */
function createAsk(data: object, onFault: ((error: unknown) => void) | undefined) {
  const waiting = new Map<number, Waiting>()
  let worker: Worker | undefined
  let id = 0

  function failAll(error: Error): void {
    worker = undefined
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  }
  function start(): Worker {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    const started = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
      workerData: data,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    })
    started.unref()
    started.on('message', (answer: IndexAnswer) => {
      const asker = waiting.get(answer.id)
      waiting.delete(answer.id)
      if (answer.ok) asker?.resolve(answer.result)
      else if (asker === undefined) onFault?.(databaseFault(answer.message))
      else asker.reject(databaseFault(answer.message))
    })
    started.on('error', (error) => {
      onFault?.(error)
      failAll(new SearchIndexFault('the search index stopped', { cause: error }))
    })
    return started
  }
  worker = start()

  return {
    async question(asked: Asked): Promise<IndexResult> {
      if (waiting.size >= maxWaiting) throw new SearchIndexFault('too many searches at once')
      worker ??= start()
      const { promise, resolve, reject } = Promise.withResolvers<IndexResult>()
      id += 1
      const own = id
      waiting.set(own, { resolve, reject })
      const timer = setTimeout(() => {
        waiting.delete(own)
        reject(new SearchIndexFault('the search took too long'))
      }, timeoutMs)
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
      worker.postMessage({ ...asked, id: own })
      try {
        return await promise
      } finally {
        clearTimeout(timer)
      }
    },
    async close() {
      await worker?.terminate()
      failAll(new SearchIndexFault('the search index is closed'))
    },
  }
}
