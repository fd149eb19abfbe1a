import { isRefusal, refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import type { FhirRequest } from '../request.ts'
import { refuseFault } from '../steps/guard.ts'
import { look, sendOutbound } from '../trip.ts'
import type { Trip } from '../trip.ts'
import type { Made } from './make.ts'

/** Asks the EHR first ($validate, FHIR R4 resource-operation-validate); nothing is stored by it. */
export async function validate(
  { result }: Pick<Made, 'result'>,
  { resource = '', id }: FhirRequest,
  trip: Trip,
): Promise<Refusal | undefined> {
  if (result === undefined) return undefined
  const { urls } = trip.deps.upstreams.of(trip.launch.view.tenant)
  const path = id === undefined ? resource : `${resource}/${id}`
  const received = await sendOutbound(
    {
      method: 'POST',
      target: `${urls.prefix}/${path}/$validate`,
      headers: ['content-type', 'application/fhir+json'],
      body: Buffer.from(result),
    },
    trip,
  )
  if (received.kind === 'fault') return refuseFault(received)
  const looked = await look(received.body, undefined, trip)
  if (isRefusal(looked)) return looked
  if (received.status === 200 && looked.allWell) return undefined
  const faults = looked.issues.filter(
    ({ severity }) => severity === 'fatal' || severity === 'error',
  )
  return { ...refuse('FHIR_VALIDATION_FAILED'), issues: faults }
}
