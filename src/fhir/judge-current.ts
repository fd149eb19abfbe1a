import { patientFreeTypes } from '../smart/patient-free.ts'
import { isRefusal } from './decision.ts'
import type { Refusal } from './decision.ts'
import type { Bound } from './steps/bind.ts'
import { fetchJudged } from './trip.ts'
import type { Trip } from './trip.ts'

/**
 * The subject may have been corrected since: old versions are shown only when today's is about this patient too
 * (fhir-access-and-audit.md 1.12, row 3). A history may begin after today's version, by `_at` or on its second page.
 */
export async function judgeCurrent(bound: Bound, trip: Trip): Promise<Refusal | undefined> {
  const { interaction, resource = '' } = bound.sent
  if (interaction !== 'vread' && interaction !== 'history-instance') return undefined
  // The Patient in context is proved by its id, and what is about nobody needs no proof.
  if (resource === 'Patient' || patientFreeTypes.has(resource)) return undefined
  const sent = { ...bound.sent, interaction: 'read', version: undefined, parameters: [] } as const
  const fetched = await fetchJudged({ ...bound, request: sent, sent }, undefined, trip)
  return isRefusal(fetched) ? fetched : undefined
}
