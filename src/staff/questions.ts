import type { AuditEventName } from '../audit/event.ts'
import type { AuditQuery } from '../audit/search-index/query.ts'

/** The questions that the staff are asked, and the search without one. */
export const asks = ['open', 'patient', 'all'] as const
export type Ask = (typeof asks)[number]

export const askTitles: Readonly<Record<Ask, string>> = {
  open: 'Why did the app not open?',
  patient: 'Who looked at a patient?',
  all: 'All records',
}

/** How a launch came in; one that never came back from the EHR has the first only. */
const opened = [
  'launch.received',
  'launch.refused',
  'launch.failed',
  'launch.authorized',
] as const satisfies readonly AuditEventName[]

/** Data left for a browser, or may have changed. */
const looked = [
  'fhir.permitted',
  'fhir.access',
  'fhir.aborted',
  'fhir.intended',
  'fhir.written',
  'fhir.uncertain',
] as const satisfies readonly AuditEventName[]

/** What a question looks at, unless an event was chosen. */
export function questionOf(ask: Ask, query: Omit<AuditQuery, 'limit'>): Omit<AuditQuery, 'limit'> {
  if (ask === 'all' || query.event !== undefined) return query
  return { ...query, events: ask === 'open' ? opened : looked }
}

/** One row for each launch: how it ended, and only where that is not known that it began. */
export function oneForEachLaunch<
  Row extends { readonly record: { readonly event: string; readonly launch?: string | undefined } },
>(rows: readonly Row[]): readonly Row[] {
  const settled = new Set(
    rows.flatMap(({ record }) =>
      record.event === 'launch.received' || record.launch === undefined ? [] : [record.launch],
    ),
  )
  return rows.filter(
    ({ record }) => record.event !== 'launch.received' || !settled.has(record.launch ?? ''),
  )
}
