import { isJsonObject } from '../../smart/json.ts'
import type { JsonObject } from '../../smart/json.ts'
import { isRefusal, refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import { parseExact } from '../exact-json.ts'
import { expectationOf } from '../expectation.ts'
import { judgeAnswer } from '../judge-bundle.ts'
import type { Bound } from '../steps/bind.ts'
import { outboundOf } from '../steps/forward.ts'
import { isFhirJson, refuseFault, refuseStatus } from '../steps/guard.ts'
import { sendOutbound } from '../trip.ts'
import type { Trip } from '../trip.ts'
import { opaqueTag } from './if-match.ts'

/** The record as it stands in the EHR before a write, judged like a read: nobody else's record is ever written to. */
export interface Stored {
  readonly value: JsonObject
  /** To be sent as If-Match; undefined where the EHR gives no versions. */
  readonly etag: string | undefined
  readonly tag: string | undefined
}

/** `missing`: the EHR has no such record. */
export async function readStored(bound: Bound, trip: Trip): Promise<Stored | 'missing' | Refusal> {
  const { view } = trip.launch
  const { urls } = trip.deps.upstreams.of(view.tenant)
  const sent = { ...bound.sent, interaction: 'read' } as const
  const received = await sendOutbound(outboundOf(sent, urls), trip)
  if (received.kind === 'fault') return refuseFault(received)
  if (received.status === 404) return 'missing'
  if (received.status !== 200) return refuseStatus(received)
  if (!isFhirJson(received.headers.contentType)) {
    return refuse('FHIR_ANSWER_UNREADABLE', 'content_type')
  }
  const judged = judgeAnswer(parseExact(received.body), expectationOf(bound, view))
  if (isRefusal(judged)) return judged
  const meta = judged.value['meta']
  const version = isJsonObject(meta) ? meta['versionId'] : undefined
  const fromMeta = typeof version === 'string' ? `W/"${version}"` : undefined
  const etag = received.headers.etag ?? fromMeta
  const tag = opaqueTag(etag)
  return { value: judged.value, etag: tag === undefined ? undefined : etag, tag }
}
