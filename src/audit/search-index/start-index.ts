import type { Config } from '../../config/schema/config.ts'
import type { Store } from '../../store/store.ts'
import { createStreamReader } from '../copies/stream-reader.ts'
import type { IngestProgress } from './ingest.ts'
import { createSearchIndex } from './search-index.ts'
import type { SearchIndex } from './search-index.ts'

/** Of the log alone: no user and no record meets them. */
export const streamCodes = { corrupt: 'AUDIT_STREAM_CORRUPT', missing: 'AUDIT_STREAM_GAP' } as const

/** The search index as the configuration has it: fed by the files here, and by the stream for other replicas. */
export interface StartIndexDeps {
  readonly config: Pick<Config, 'audit' | 'instance' | 'store'>
  readonly store: Pick<Store, 'readAuditBatches' | 'readAuditLines'>
  readonly now: () => number
  readonly onFault: (error: unknown) => void
}

export function startSearchIndex({ config, store, now, onFault }: StartIndexDeps): SearchIndex {
  const { directory, retentionDays, stream } = config.audit
  const index = createSearchIndex({
    directory,
    instance: config.instance,
    retentionDays,
    onFault,
  })
  if (!('redis' in config.store) || stream.records === 0) return index
  const reader = createStreamReader({
    store,
    index,
    now,
    onFault: ({ kind }) => {
      onFault(Object.assign(new Error('audit stream'), { code: streamCodes[kind] }))
    },
  })
  const withOthers = async (progress: Promise<IngestProgress>): Promise<IngestProgress> => ({
    ...(await progress),
    unreadSince: reader.status().unreadSince,
  })
  return {
    ...index,
    update: () => withOthers(index.update()),
    progress: () => withOthers(index.progress()),
    async close() {
      await reader.close()
      await index.close()
    },
  }
}
