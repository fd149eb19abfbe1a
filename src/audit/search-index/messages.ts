import { z } from 'zod'
import type { IngestProgress } from './ingest.ts'
import type { StreamedCount } from './streamed.ts'
import type { AuditQuery, Cursor, PersonRow } from './query.ts'
import type { SeriesQuery, SeriesRow } from './series-query.ts'

/** What passes between the search index and its worker. */
export const indexWorkerData = z.strictObject({
  path: z.string(),
  directory: z.string(),
  pollMs: z.int().min(10),
  retentionDays: z.int().min(1),
})

export type IndexQuestion = { readonly id: number } & (
  | { readonly kind: 'search'; readonly query: AuditQuery }
  | { readonly kind: 'count'; readonly query: AuditQuery }
  | { readonly kind: 'people'; readonly query: AuditQuery }
  | { readonly kind: 'series'; readonly query: SeriesQuery }
  | { readonly kind: 'update' }
  | { readonly kind: 'streamed'; readonly lines: readonly string[] }
  | { readonly kind: 'progress' }
)

export interface FoundLines {
  readonly lines: readonly string[]
  readonly next: Cursor | undefined
}

export type IndexAnswer = { readonly id: number } & (
  | { readonly ok: true; readonly result: IndexResult }
  | { readonly ok: false; readonly message: string }
)

export interface Counted {
  readonly count: number
}

export interface People {
  readonly people: readonly PersonRow[]
}

export type IndexResult =
  FoundLines | Counted | People | readonly SeriesRow[] | IngestProgress | StreamedCount
