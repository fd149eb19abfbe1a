import { errorTable } from '../errors.ts'
import type { UserState } from '../errors.ts'

/** What went wrong, in words, and what to do: for each reason that a record can give, in the order of the way. */
export interface Cause {
  readonly what: string
  readonly todo: string
}

export function causeOf(reason: string | undefined, state: string | undefined): Cause | undefined {
  if (reason === undefined && state === undefined) return undefined
  const known = reason === undefined ? undefined : causes[reason]
  if (known !== undefined) return known
  const row = Object.entries(errorTable).find(([code]) => code === reason)?.[1]
  const todo = todoOf(row?.state ?? state)
  if (row !== undefined && todo !== undefined) return { what: row.sentence, todo }
  return todo === undefined ? undefined : { what: 'The user was told so.', todo }
}

function todoOf(state: string | undefined): string | undefined {
  return Object.entries(byState).find(([name]) => name === state)?.[1]
}

const byState: Readonly<Record<UserState, string>> = {
  authorization_expired:
    'Let the user open the app again from the chart. If it repeats within minutes, compare the token lifetime and the refresh settings with the EHR team.',
  session_ended: 'Let the user open the app again from the chart.',
  context_changed:
    'Nothing is wrong: another patient was opened. Let the user close the older window.',
  patient_context_missing:
    'Let the user open a patient first. If one was open, ask the EHR team whether the app is registered with patient context.',
  scope_insufficient:
    'Compare the scopes requested with those granted, above, and ask the EHR team to grant what is missing.',
  not_permitted:
    'The configuration does not allow it. If the app needs it, its developer names the feature and the rule.',
  write_conflict: 'Let the user look at the chart again: the record was changed there meanwhile.',
  write_uncertain: 'Let the user check the chart before repeating the change.',
  data_unavailable:
    'Look at the tenants page: is the EHR or the store down? Try again in a minute.',
  configuration_invalid:
    'Run smart-bff preflight for this tenant and compare with what the EHR team registered.',
}

const causes: Readonly<Record<string, Cause | undefined>> = {
  LAUNCH_ISS_UNKNOWN: {
    what: 'The EHR opened the app with an issuer address that is not configured.',
    todo: 'Compare the launch URL in the EHR with `iss` of the tenants: they must be equal character by character.',
  },
  LAUNCH_COOKIE_NOT_KEPT: {
    what: 'The browser did not keep the cookie of the launch.',
    todo: 'Ask for the browser version and its policy on third-party cookies; the page offers a window of its own.',
  },
  LAUNCH_STATE_UNKNOWN: {
    what: 'The sign-in came back twice, or later than ten minutes.',
    todo: 'Let the user open the app again from the chart, without the browser’s Back button.',
  },
  LAUNCH_AUTHORIZATION_REFUSED: {
    what: 'The EHR refused to authorize the app for this user.',
    todo: 'Ask the EHR team whether the user’s role may open the app, and whether the client is active.',
  },
  LAUNCH_TOKEN_REFUSED: {
    what: 'The EHR refused to exchange the code for tokens.',
    todo: 'Ask the EHR team to compare client id, secret or key (jwks) and redirect URI with their registration.',
  },
  LAUNCH_PATIENT_MISSING: {
    what: 'The EHR sent no patient, and this mode needs one.',
    todo: 'Let the user open a patient first. If one was open, ask the EHR team about the launch context.',
  },
  LAUNCH_USER_KIND: {
    what: 'The user is of a kind that this mode is not for.',
    todo: 'Use the launch URL of the mode for this kind of user.',
  },
  wrong_patient: {
    what: 'The answer or the request was about another patient than the one in context.',
    todo: 'Nothing left. If the app did not ask for it, tell the EHR team which search it was.',
  },
  cross_site: {
    what: 'The request came from another site than the app.',
    todo: 'If the app is yours, see that it calls its own address. Otherwise tell the security team.',
  },
  other_user: {
    what: 'Another user signed in in the same browser.',
    todo: 'Nothing is wrong: a shared workstation changed hands.',
  },
  idle: { what: 'Nobody used the app for a while.', todo: byState.session_ended },
  absolute: { what: 'The longest time of a session was over.', todo: byState.session_ended },
  logout: { what: 'The user closed the app.', todo: 'Nothing is wrong.' },
  invalid_grant: {
    what: 'The EHR no longer accepts the refresh token.',
    todo: 'Let the user open the app again. If it is frequent, ask the EHR team how long refresh tokens live.',
  },
  AUDIT_UNAVAILABLE: {
    what: 'The audit could not be written, so nothing was shown.',
    todo: 'Look at the disk of the audit directory: full, read-only or slow?',
  },
}
