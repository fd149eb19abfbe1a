import { refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import type { Bound } from '../steps/bind.ts'
import { outboundOf } from '../steps/forward.ts'
import { isFhirJson, refuseFault, refuseStatus } from '../steps/guard.ts'
import { sendOutbound } from '../trip.ts'
import type { Trip } from '../trip.ts'
import type { StoredBytes } from './make.ts'

/** The record as it stands in the EHR before a write; judged in make.ts. `missing`: the EHR has no such record. */
export async function readStored(
  bound: Bound,
  trip: Trip,
): Promise<StoredBytes | 'missing' | Refusal> {
  const { urls } = trip.deps.upstreams.of(trip.launch.view.tenant)
  const sent = { ...bound.sent, interaction: 'read' } as const
  const received = await sendOutbound(outboundOf(sent, urls), trip)
  if (received.kind === 'fault') return refuseFault(received)
  if (received.status === 404) return 'missing'
  if (received.status !== 200) return refuseStatus(received)
  if (!isFhirJson(received.headers.contentType)) {
    return refuse('FHIR_ANSWER_UNREADABLE', 'content_type')
  }
  return { bytes: received.body, etag: received.headers.etag }
}
