import { patientFreeTypes } from '../smart/patient-free.ts'
import { isRefusal, refuse } from './decision.ts'
import type { Refusal } from './decision.ts'
import type { Bound } from './steps/bind.ts'
import { fetchJudged } from './trip.ts'
import type { Trip } from './trip.ts'
import type { LaunchView } from './view.ts'

/**
 * Some answers do not say whom the record is about that they were asked for, so that record is read and judged first, as
 * it is today (DESIGN rule 6). Old versions: the subject may have been corrected since, and a history may begin after
 * today's version, by `_at` or on its second page (fhir-access-and-audit.md 1.12, row 3). Operations on one record: what
 * they answer or change need not name its subject (`Observation/<id>/$meta`, rows 23 to 25).
 */
export async function judgeCurrent(bound: Bound, trip: Trip): Promise<Refusal | undefined> {
  const { view } = trip.launch
  const { resource } = bound.request
  if (resource === undefined || !needsCurrent(bound, view)) return undefined
  const coverage = view.covers(resource, 'r')
  if (coverage.kind === 'none') return refuse('FHIR_SCOPE_INSUFFICIENT', 'scope')
  const request = { ...bound.request, ...plainRead }
  const fetched = await fetchJudged({ ...bound, coverage, request, sent: request }, undefined, trip)
  return isRefusal(fetched) ? fetched : undefined
}

/** Most requests do not: nothing is begun for them. */
export function needsCurrent({ request }: Bound, view: LaunchView): boolean {
  const { interaction, resource, id } = request
  if (resource === undefined || id === undefined || interaction === 'read') return false
  if (interaction === 'operation' && view.patient === undefined) return false
  // The Patient in context is proved by its id, and what is about nobody needs no proof.
  return resource !== 'Patient' && !patientFreeTypes.has(resource)
}

const plainRead = {
  interaction: 'read',
  version: undefined,
  operation: undefined,
  parameters: [],
  post: false,
} as const
