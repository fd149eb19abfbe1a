import type { ErrorCode } from '../errors.ts'
import type { OutcomeIssue } from '../smart/outcome.ts'
import type { Interaction } from '../smart/interactions.ts'
import { refuse } from './decision.ts'
import type { Refusal } from './decision.ts'

/** What a status of the EHR means that is not the one hoped for: of an answer, and of an entry of a bundle alike. */

export function refuseBy(
  status: number,
  issues: () => readonly OutcomeIssue[],
  retryAfter?: string,
): Refusal {
  const later = isRetryAfter(retryAfter) ? { retryAfter } : {}
  if (status === 400) return { ...refuse('FHIR_EHR_REFUSED'), issues: issues() }
  if (status === 422) return { ...refuse('FHIR_EHR_UNPROCESSABLE'), issues: issues() }
  // Without the EHR's own issues: a missing record and another patient's must read alike.
  if (status === 404) return refuse('FHIR_RESOURCE_UNKNOWN')
  if (status === 410) return refuse('FHIR_RESOURCE_GONE')
  if (status === 401) return refuse('TOKEN_EXPIRED')
  if (status === 403) return refuse('FHIR_EHR_FORBIDDEN')
  if (status === 429) return { ...refuse('FHIR_EHR_BUSY'), ...later }
  if (status === 503) return { ...refuse('FHIR_EHR_UNAVAILABLE'), ...later }
  if (status === 504) return refuse('EHR_TIMEOUT')
  // Not followed: a token goes only to the base (DESIGN rule 7).
  if (status >= 300 && status < 400) return refuse('FHIR_EHR_FAILED', 'redirect')
  return refuse('FHIR_EHR_FAILED')
}

/** A status that does not say that it was saved; `otherwise` is what it says of any request. */
export function refuseWrite(
  status: number,
  interaction: Interaction,
  otherwise: () => Refusal,
): Refusal {
  if (status === 504) return uncertain(true)
  if (status >= 500 || status < 400) return uncertain(false)
  const { 409: conflict, 412: failed } = conflicts[interaction] ?? conflictsOfChange
  if (status === 409 || status === 423) return refuse(conflict)
  if (status === 412) return refuse(failed)
  // RFC 6585 3: the EHR takes no change that does not name its version.
  if (status === 428) return refuse('FHIR_VERSION_REQUIRED')
  const refused = otherwise()
  if (refused.issues?.some(({ code }) => isConflict(code, interaction))) return refuse(conflict)
  // 405, 415, 424 …: it was not done, and is not done by asking again.
  return refused.code === 'FHIR_EHR_FAILED' ? refuse('FHIR_EHR_REFUSED') : refused
}

type Conflicts = Readonly<Record<409 | 412, ErrorCode>>

/**
 * Vendors answer a changed record with 409, 412 or 423, and some a missing If-Match too (fhir-access-and-audit.md 5).
 * The user is told the same; the EHR's status stands in the audit.
 */
const conflictsOfChange: Conflicts = { 409: 'FHIR_WRITE_CONFLICT', 412: 'FHIR_WRITE_STALE' }

/** Of a new record there is no earlier version: it is there already (409), or several fit its condition (412). */
const conflicts: Readonly<Partial<Record<Interaction, Conflicts>>> = {
  create: { 409: 'FHIR_CREATE_CONFLICT', 412: 'FHIR_CREATE_SEVERAL' },
  delete: { 409: 'FHIR_DELETE_CONFLICT', 412: 'FHIR_WRITE_STALE' },
}

/** FHIR R4, issue-type: `conflict` may stand under another status, where it was found behind the API. */
const isConflict = (code: string, interaction: Interaction): boolean =>
  code === 'conflict' || code === 'lock-error' || (code === 'duplicate' && interaction === 'create')

export function uncertain(timeout: boolean): Refusal {
  return refuse(timeout ? 'FHIR_WRITE_TIMEOUT' : 'FHIR_WRITE_UNCERTAIN')
}

/** RFC 9110 10.2.3: seconds or an HTTP date. */
function isRetryAfter(value: string | undefined): value is string {
  return value !== undefined && /^(?:\d{1,6}|[A-Z][a-z]{2}, [A-Za-z0-9 :]{20,24})$/.test(value)
}
