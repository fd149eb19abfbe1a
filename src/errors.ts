/**
 * One error class and one closed table of codes. A code says three things: the HTTP status, the state a user is told
 * (DESIGN.md, "What a user is told"), and the one public sentence. Everything else about a fault is `detail`, which is
 * private: it goes to the application log through allow-listed fields, never to a browser.
 */

/** The ten states a user can be told; each is a page in navigation and a machine-readable body in fetch. */
export type UserState =
  | 'authorization_expired'
  | 'session_ended'
  | 'context_changed'
  | 'patient_context_missing'
  | 'scope_insufficient'
  | 'not_permitted'
  | 'write_conflict'
  | 'write_uncertain'
  | 'data_unavailable'
  | 'configuration_invalid'

interface ErrorRow {
  readonly status: number
  readonly state: UserState
  readonly sentence: string
}

const row = (status: number, state: UserState, sentence: string): ErrorRow => ({
  status,
  state,
  sentence,
})

/** Sorted by station on the way of the data. Support staff search by these codes. */
export const errorTable = {
  // Launch
  LAUNCH_ISS_UNKNOWN: row(400, 'configuration_invalid', 'This EHR is not set up for this app.'),
  LAUNCH_PARAMETER_INVALID: row(
    400,
    'configuration_invalid',
    'The EHR opened the app incorrectly.',
  ),
  LAUNCH_MODE_UNKNOWN: row(404, 'configuration_invalid', 'This launch address does not exist.'),
  LAUNCH_COOKIE_NOT_KEPT: row(
    400,
    'session_ended',
    'This browser does not keep the cookie that the app needs here.',
  ),
  LAUNCH_STATE_UNKNOWN: row(
    400,
    'session_ended',
    'This sign-in is no longer valid. It may have been used already.',
  ),
  LAUNCH_STATE_FOREIGN: row(400, 'session_ended', 'This sign-in was started in another browser.'),
  LAUNCH_AUTHORIZATION_REFUSED: row(403, 'not_permitted', 'The EHR did not allow the app to open.'),
  LAUNCH_CALLBACK_INVALID: row(
    400,
    'configuration_invalid',
    'The EHR answered the sign-in incorrectly.',
  ),
  LAUNCH_TOKEN_REFUSED: row(502, 'data_unavailable', 'The EHR did not complete the sign-in.'),
  LAUNCH_TOKEN_INVALID: row(
    502,
    'configuration_invalid',
    'The EHR completed the sign-in with an answer the app cannot accept.',
  ),
  LAUNCH_IDENTITY_INVALID: row(403, 'not_permitted', 'The EHR did not prove who is signed in.'),
  LAUNCH_USER_KIND: row(403, 'not_permitted', 'This app is not open to this kind of user.'),
  LAUNCH_PATIENT_MISSING: row(403, 'patient_context_missing', 'No patient is open.'),
  LAUNCH_PATIENT_SEVERAL: row(
    403,
    'patient_context_missing',
    'The EHR named more than one patient, and the app shows one.',
  ),
  LAUNCH_ENCOUNTER_ALONE: row(
    403,
    'patient_context_missing',
    'The EHR opened a visit without saying whose visit it is.',
  ),
  LAUNCH_TENANT_PAUSED: row(503, 'data_unavailable', 'The app is closed for maintenance.'),
  LAUNCH_REAUTHORIZED_OTHER: row(
    403,
    'not_permitted',
    'The EHR signed in another user, or opened another patient. The page stays as it was.',
  ),
  LAUNCH_OPEN_AGAIN: row(401, 'authorization_expired', 'The EHR has to open the app again.'),
  LAUNCH_RATE_LIMITED: row(
    429,
    'data_unavailable',
    'Too many launches at once. Wait a minute and try again.',
  ),
  // EHR
  EHR_DISCOVERY_FAILED: row(502, 'data_unavailable', 'The EHR does not answer.'),
  EHR_DISCOVERY_INVALID: row(
    500,
    'configuration_invalid',
    'The EHR describes its sign-in in a way the app cannot use.',
  ),
  EHR_UNREACHABLE: row(502, 'data_unavailable', 'The EHR does not answer.'),
  EHR_TIMEOUT: row(504, 'data_unavailable', 'The EHR took too long to answer.'),
  // FHIR
  FHIR_ANSWER_FOREIGN: row(
    502,
    'data_unavailable',
    'The EHR answered with data of another patient. Nothing of it is shown.',
  ),
  FHIR_ANSWER_TOO_LARGE: row(502, 'data_unavailable', 'The EHR answered with too much data.'),
  FHIR_ANSWER_UNREADABLE: row(
    502,
    'data_unavailable',
    'The EHR answered in a way the app cannot check.',
  ),
  FHIR_BODY_INVALID: row(400, 'not_permitted', 'The data sent to the EHR was not understood.'),
  FHIR_BODY_TOO_LARGE: row(413, 'not_permitted', 'The data sent to the EHR is too large.'),
  FHIR_CONFIRMATION_MISSING: row(
    428,
    'not_permitted',
    'Confirm first which patient this is about. Nothing was sent.',
  ),
  FHIR_CONFIRMATION_STALE: row(
    409,
    'write_conflict',
    'The name or birth date on the screen is not the one in the EHR. Read it again before you write.',
  ),
  FHIR_CREATE_CONFLICT: row(
    409,
    'write_conflict',
    'The EHR has such a record already, or another change came first. Nothing was saved. Look before you repeat.',
  ),
  FHIR_CREATE_SEVERAL: row(
    412,
    'write_conflict',
    'More than one record in the EHR fits this one. Nothing was saved. Look at them before you repeat.',
  ),
  FHIR_DELETE_CONFLICT: row(
    409,
    'write_conflict',
    'The record was changed in the EHR meanwhile, or other records refer to it. It was not deleted. Read it again before you repeat.',
  ),
  FHIR_EHR_BUSY: row(429, 'data_unavailable', 'The EHR is busy. Try again in a moment.'),
  FHIR_EHR_FAILED: row(502, 'data_unavailable', 'The EHR could not answer.'),
  FHIR_EHR_FORBIDDEN: row(403, 'not_permitted', 'The EHR does not permit this.'),
  FHIR_EHR_REFUSED: row(400, 'not_permitted', 'The EHR did not understand the request.'),
  FHIR_EHR_UNAVAILABLE: row(503, 'data_unavailable', 'The EHR is not available at the moment.'),
  FHIR_EHR_UNPROCESSABLE: row(422, 'not_permitted', 'The EHR could not process the request.'),
  FHIR_KEY_REUSED: row(
    422,
    'not_permitted',
    'This key was used for another change before. Nothing was sent.',
  ),
  FHIR_LAUNCH_BUSY: row(
    429,
    'data_unavailable',
    'The app asks too much at once. Try again in a moment.',
  ),
  FHIR_NOT_ALLOWED: row(403, 'not_permitted', 'The app is not set up for this request.'),
  FHIR_PAGE_GONE: row(410, 'data_unavailable', 'This page of results is gone. Search again.'),
  FHIR_PARAMETER_NOT_ALLOWED: row(
    403,
    'not_permitted',
    'The app is not set up for this search parameter.',
  ),
  FHIR_PATH_INVALID: row(400, 'not_permitted', 'This FHIR address was not understood.'),
  FHIR_PATIENT_FOREIGN: row(403, 'not_permitted', 'The request is about another patient.'),
  FHIR_PATIENT_MERGED: row(
    502,
    'data_unavailable',
    'Part of this record still stands under an earlier number of this patient. Open it in the EHR.',
  ),
  FHIR_PATIENT_MISSING: row(403, 'patient_context_missing', 'No patient is open.'),
  FHIR_RESOURCE_GONE: row(410, 'not_permitted', 'This record was deleted in the EHR.'),
  FHIR_RESOURCE_UNKNOWN: row(404, 'not_permitted', 'This record does not exist.'),
  FHIR_PATCH_REFUSED: row(422, 'not_permitted', 'This change cannot be made in this way.'),
  FHIR_SCOPE_INSUFFICIENT: row(
    403,
    'scope_insufficient',
    'The EHR did not give the app access to this.',
  ),
  FHIR_VALIDATION_FAILED: row(422, 'not_permitted', 'The EHR says that this change is not valid.'),
  FHIR_VERSION_REQUIRED: row(
    428,
    'not_permitted',
    'The request does not say which version of the record it changes. Nothing was saved.',
  ),
  FHIR_WRITE_CONFLICT: row(
    409,
    'write_conflict',
    'The record was changed in the EHR meanwhile, or is being changed there now. Nothing was saved. Read it again before you repeat.',
  ),
  FHIR_WRITE_STALE: row(
    412,
    'write_conflict',
    'The record was changed in the EHR meanwhile. Nothing was saved. Read it again before you repeat.',
  ),
  FHIR_WRITE_TIMEOUT: row(
    504,
    'write_uncertain',
    'The change may have been saved. Check the chart before repeating.',
  ),
  FHIR_WRITE_UNCERTAIN: row(
    502,
    'write_uncertain',
    'The change may have been saved. Check the chart before repeating.',
  ),
  // Session
  SESSION_MISSING: row(401, 'session_ended', 'This session has ended.'),
  SESSION_CROSS_SITE: row(403, 'not_permitted', 'This request did not come from the app.'),
  DRAFT_CONDITION_MISSING: row(
    428,
    'not_permitted',
    'The draft must be read before it is changed.',
  ),
  DRAFT_CONFLICT: row(
    412,
    'write_conflict',
    'The draft was changed in another window. Nothing was saved.',
  ),
  DRAFT_TOO_LARGE: row(413, 'not_permitted', 'The draft is too large to be kept.'),
  DRAFT_USER_UNKNOWN: row(
    403,
    'not_permitted',
    'The EHR did not say who is signed in, so that no draft can be kept.',
  ),
  // Vault
  LAUNCH_ENDED: row(401, 'session_ended', 'This session has ended.'),
  LAUNCH_DISPLACED: row(
    409,
    'context_changed',
    'Too many charts were open in the app, so this one, the oldest, was closed.',
  ),
  LAUNCH_SUPERSEDED: row(409, 'context_changed', 'Another patient was opened.'),
  TOKEN_EXPIRED: row(401, 'authorization_expired', 'The EHR asks you to open the app again.'),
  // Store
  STORE_UNAVAILABLE: row(
    503,
    'data_unavailable',
    'The app cannot check your session at the moment.',
  ),
  // Audit
  AUDIT_UNAVAILABLE: row(
    503,
    'data_unavailable',
    'The app cannot write its access record, so no data may be shown.',
  ),
  // Web
  ROUTE_UNKNOWN: row(404, 'not_permitted', 'This address does not exist.'),
  APP_UNAVAILABLE: row(502, 'data_unavailable', 'The app does not answer.'),
  REQUEST_INVALID: row(400, 'not_permitted', 'The request was not understood.'),
  INTERNAL: row(500, 'data_unavailable', 'Something went wrong in the app.'),
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof errorTable

/** Refusals are the audit's business; the application log hears of faults. */
export const isOurFault = (code: ErrorCode): boolean => errorTable[code].status >= 500

/** `detail` and `cause` are private: never shown to a browser, logged only through allow-listed fields. */
export class SmartBffError extends Error {
  readonly code: ErrorCode
  readonly detail: string | undefined

  constructor(code: ErrorCode, options: { detail?: string; cause?: unknown } = {}) {
    super(code, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SmartBffError'
    this.code = code
    this.detail = options.detail
  }

  get status(): number {
    return errorTable[this.code].status
  }

  get state(): UserState {
    return errorTable[this.code].state
  }

  get sentence(): string {
    return errorTable[this.code].sentence
  }
}
