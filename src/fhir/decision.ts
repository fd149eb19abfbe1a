import type { ErrorCode } from '../errors.ts'
import type { OutcomeIssue } from '../smart/outcome.ts'

/** A step that says no says so as a value; the pipeline hands it to record and respond. */
export interface Refusal {
  readonly kind: 'refuse'
  readonly code: ErrorCode
  /** A word of the closed list below, for the audit; without one the code stands there. */
  readonly reason?: RefusalReason
  /** From the EHR, as seconds or a date; passed on where the code is FHIR_EHR_BUSY or FHIR_EHR_UNAVAILABLE. */
  readonly retryAfter?: string
  /** What may be said of the EHR's own outcome: severity, code, expression. */
  readonly issues?: readonly OutcomeIssue[]
  /** The other patient that an answer was about. Never shown or logged. */
  readonly foreign?: string
}

export type RefusalReason =
  | 'wrong_patient'
  | 'patient_merged'
  | 'wrong_type'
  | 'wrong_id'
  | 'no_subject'
  | 'scope'
  | 'malformed'
  | 'content_type'
  | 'redirect'
  | 'link_outside'
  | 'paused'
  | 'service_worker'
  | 'navigation'
  | 'cross_site'
  | 'destination'
  | 'header_missing'
  | 'origin'

export function refuse(code: ErrorCode, reason?: RefusalReason): Refusal {
  return reason === undefined ? { kind: 'refuse', code } : { kind: 'refuse', code, reason }
}

export function isRefusal(value: object): value is Refusal {
  return 'kind' in value && value.kind === 'refuse'
}
