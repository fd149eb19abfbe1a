import { isWrite } from '../smart/interactions.ts'
import { decide } from './decide.ts'
import { isRefusal, refuse } from './decision.ts'
import type { Refusal } from './decision.ts'
import type { FhirRequest } from './request.ts'
import type { SplitBundle, SplitEntry } from './split-bundle.ts'
import type { Bound } from './steps/bind.ts'
import { parseRequest } from './steps/parse.ts'
import type { LaunchView } from './view.ts'

/** The entries of a bundle, each decided like a request of its own. Pure; one refused entry refuses the whole. */
export interface BatchEntry {
  /** Before anything narrowed it. */
  readonly asked: FhirRequest
  readonly bound: Bound
  readonly entry: SplitEntry
}

/** Each write reads its record first: so many requests one bundle may cost the EHR, and the clinician in waiting. */
const maxWrites = 20

export function decideEntries(
  bundle: SplitBundle,
  view: LaunchView,
): readonly BatchEntry[] | Refusal {
  const decided: BatchEntry[] = []
  for (const entry of bundle.entries) {
    const asked = readEntry(entry)
    if (isRefusal(asked)) return asked
    const bound = decide(asked, view)
    if (isRefusal(bound)) return bound
    decided.push({ asked, bound, entry })
  }
  return isConsistent(decided) ? decided : refuse('FHIR_BODY_INVALID', 'malformed')
}

function readEntry(entry: SplitEntry): FhirRequest | Refusal {
  // Relative to the base; the grammar knows no scheme and no leading slash.
  const [path = '', ...query] = entry.url.split('?')
  const parsed = parseRequest(entry.method, { launch: '', path, query: query.join('?') })
  if (isRefusal(parsed)) return parsed
  if (parsed.kind !== 'request') return refuse('FHIR_NOT_ALLOWED')
  const { request } = parsed
  const write = isWrite(request.interaction)
  // Searches and operations by POST, bundles in bundles: their bodies would be another kind of thing.
  if (write !== (entry.method !== 'GET')) return refuse('FHIR_NOT_ALLOWED')
  if (request.interaction === 'capabilities') return refuse('FHIR_NOT_ALLOWED')
  if (write && request.parameters.length > 0) return refuse('FHIR_PARAMETER_NOT_ALLOWED')
  return request
}

/** Two writes to one record, or two records of one name, would mean whatever the EHR makes of them. */
function isConsistent(entries: readonly BatchEntry[]): boolean {
  const writes = entries.filter(({ bound }) => isWrite(bound.request.interaction))
  const names = writes.flatMap(({ bound: { request } }) =>
    request.id === undefined ? [] : [`${request.resource ?? ''}/${request.id}`],
  )
  const urns = writes.flatMap(({ entry }) => (entry.urn === undefined ? [] : [entry.urn]))
  return (
    writes.length <= maxWrites &&
    new Set(names).size === names.length &&
    new Set(urns).size === urns.length
  )
}
