import { errorTable, type ErrorCode } from '../errors.ts'

/**
 * The words that may stand as `reason`, besides the codes of errors.ts. A word that is not here is written as `?`:
 * what a station got from an EHR or a stranger can never become text of the log. Each station's own union type must be
 * a part of this one (test/audit/reasons.test.ts).
 */
export const reasonWords = [
  // Requests of a browser
  'service_worker',
  'navigation',
  'cross_site',
  'destination',
  'header_missing',
  'origin',
  // FHIR
  'wrong_patient',
  'patient_merged',
  'wrong_type',
  'wrong_id',
  'no_subject',
  'scope',
  'malformed',
  'content_type',
  'redirect',
  'link_outside',
  'dropped',
  'paused',
  // Launches and sessions
  'logout',
  'other_user',
  'superseded',
  'launch_limit',
  'new_patient',
  'reauthorized',
  'renewed',
  'record_missing',
  'idle',
  'absolute',
  'staff',
  'record_missing',
  'tenant_unknown',
  // Revocations: what `smart-bff revoke --reason` may say
  'account_compromised',
  'device_lost',
  'incident',
  'key_compromised',
  'left_hospital',
  'maintenance',
  'requested',
  // Tokens
  'no_refresh_token',
  'patient_changed',
  'user_changed',
  'scope_narrowed',
  'discovery',
  'fault',
  'unreadable',
  'revocation_unsupported',
  // Staff
  'no_role',
  'not_signed_in',
  'sign_in_invalid',
  'session_over',
  'form_foreign',
  // Audit and process
  'first_start',
  'closed',
  'not_closed',
  'files_gone',
  'torn_line',
  'records_missing',
  'chain_unreadable',
  'repeated',
  'retention',
  'legal_hold',
  'SIGTERM',
  'SIGINT',
] as const

/** RFC 6749 4.1.2.1 and 5.2, OpenID Connect Core 3.1.2.6, RFC 7009 2.2.1: what an EHR may say, as it is and as `ehr.…`. */
export const oauthErrors = [
  'access_denied',
  'account_selection_required',
  'consent_required',
  'interaction_required',
  'invalid_client',
  'invalid_grant',
  'invalid_request',
  'invalid_request_object',
  'invalid_request_uri',
  'invalid_scope',
  'invalid_target',
  'login_required',
  'registration_not_supported',
  'request_not_supported',
  'request_uri_not_supported',
  'server_error',
  'temporarily_unavailable',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
  'unsupported_token_type',
] as const

/** Why a member of the staff ends launches. A word, never a sentence, which could hold a person's name. */
export const revocationReasons = [
  'account_compromised',
  'device_lost',
  'incident',
  'key_compromised',
  'left_hospital',
  'maintenance',
  'requested',
] as const satisfies readonly ReasonWord[]

export type RevocationReason = (typeof revocationReasons)[number]

export type ReasonWord = (typeof reasonWords)[number]
export type EhrError = (typeof oauthErrors)[number]
/** All that may stand as `reason`. */
export type AuditReason = ErrorCode | ReasonWord | EhrError | `ehr.${EhrError}`

export const reasons: ReadonlySet<string> = new Set([
  ...Object.keys(errorTable),
  ...reasonWords,
  ...oauthErrors,
  ...oauthErrors.map((error) => `ehr.${error}`),
])
