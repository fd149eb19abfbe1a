import type { AuditEventName } from '../audit/event.ts'
import { mostValues } from '../audit/search-index/query.ts'
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

type OfLaunch = { readonly event: string; readonly launch?: string | undefined }

/** One record for each launch: how it ended, and only where that is not known that it began. */
export function oneForEachLaunch<Found extends OfLaunch>(
  records: readonly Found[],
  before: readonly OfLaunch[],
): readonly Found[] {
  const known = [...records, ...before].filter(({ event }) => event !== 'launch.received')
  const settled = new Set(known.map(({ launch }) => launch))
  return records.filter(
    ({ event, launch = '' }) => event !== 'launch.received' || !settled.has(launch),
  )
}

/** What a page before this one has of the launches that only began here: what came of a launch sorts before its beginning. */
export function settledBefore(
  wanted: Omit<AuditQuery, 'limit'>,
  records: readonly OfLaunch[],
): readonly AuditQuery[] {
  if (wanted.after === undefined || wanted.events === undefined) return []
  const launches = records.flatMap(({ event, launch = [] }) =>
    event === 'launch.received' ? launch : [],
  )
  const events = wanted.events.filter((event) => event !== 'launch.received')
  const parts = Array.from({ length: Math.ceil(launches.length / mostValues) }, (_, part) =>
    launches.slice(part * mostValues, (part + 1) * mostValues),
  )
  const all = { ...wanted, after: undefined, order: 'newest', limit: 1000 } as const
  return parts.map((part) => ({ ...all, events, launches: part }))
}
