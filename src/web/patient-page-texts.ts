import type { ErrorCode, UserState } from '../errors.ts'
import type { PageText } from './page-texts.ts'

/** What a page tells a patient instead: they have no chart to go back to, no service desk, and no word for an EHR. */
type PatientText = Partial<PageText> & { readonly sentence?: string }

const openAgain = 'Open the app again, from where you opened it before.'
const tellHospital = 'Tell the hospital, with the incident number below.'

const byState: Readonly<Record<UserState, PatientText>> = {
  authorization_expired: { next: ['Close the app.', openAgain] },
  session_ended: { next: [openAgain] },
  context_changed: {
    title: 'This page is closed',
    next: ['It shows nothing any more, so that two records cannot be mixed up.', openAgain],
  },
  patient_context_missing: {
    title: 'The app does not know whose record to show',
    sentence: 'The app was opened without a record.',
    next: [openAgain, `If it happens again, t${tellHospital.slice(1)}`],
  },
  scope_insufficient: {
    next: ['The app has no access to what this page needs.', tellHospital],
  },
  not_permitted: { next: [`If you expected to see something here, t${tellHospital.slice(1)}`] },
  write_conflict: {},
  write_uncertain: {
    sentence: 'The change may have been saved.',
    next: ['Look whether it is there before you repeat it.'],
  },
  data_unavailable: { next: ['Wait a minute, then open the app again.'] },
  configuration_invalid: { next: [`You cannot solve this yourself. ${tellHospital}`] },
}

const byCode: Readonly<Partial<Record<ErrorCode, PatientText>>> = {
  LAUNCH_STATE_FOREIGN: { next: ['Open the app again, in the browser in which you began.'] },
  LAUNCH_AUTHORIZATION_REFUSED: {
    title: 'The app was not allowed to open',
    sentence: 'Either you did not agree, or the hospital does not allow it.',
    next: [openAgain, `If it happens again, t${tellHospital.slice(1)}`],
  },
  LAUNCH_PATIENT_SEVERAL: { title: 'Choose one record', next: ['Choose one record.', openAgain] },
  LAUNCH_ENCOUNTER_ALONE: { sentence: 'The app was opened for a visit, and not for a record.' },
  LAUNCH_REAUTHORIZED_OTHER: {
    title: 'This is not the same person',
    next: ['Sign in as the person who opened the app.', openAgain],
  },
  LAUNCH_DISPLACED: {
    title: 'The app was opened too often',
    sentence: 'It was open too many times at once, so this page, the oldest, was closed.',
    next: ['Close what you do not need any more.', openAgain],
  },
  LAUNCH_IDENTITY_INVALID: { next: [openAgain, `If it happens again, t${tellHospital.slice(1)}`] },
  LAUNCH_OPEN_AGAIN: { sentence: 'The app has to be opened again.' },
  LAUNCH_TENANT_PAUSED: { next: ['Open the app again later.'] },
  AUDIT_UNAVAILABLE: { next: ['Wait a minute, then open the app again.'] },
  FHIR_CONFIRMATION_STALE: { sentence: 'The record has changed meanwhile. Nothing was saved.' },
  FHIR_PATIENT_MERGED: { sentence: 'Part of this record stands under an earlier number of yours.' },
  ROUTE_UNKNOWN: { next: [openAgain] },
  REQUEST_INVALID: { next: [openAgain] },
  INTERNAL: { next: [openAgain, `If it happens again, t${tellHospital.slice(1)}`] },
}

export const patientHome = {
  title: 'Open this app from the hospital’s own pages',
  sentence: 'This address shows nothing by itself.',
  next: ['Sign in where the hospital shows you your record.', 'Choose this app there.'],
} as const

export const patientCookieNotKept = { next: ['Open it in a new window.'] } as const

export const patientCookieNotKeptAnywhere = {
  next: ['Allow this address to keep cookies in your browser, then open the app again.'],
} as const

/** `text` is what a clinician is told; what nothing here replaces is said in words that anybody knows. */
export function forPatient<T extends PageText & { readonly sentence: string }>(
  text: T,
  code: ErrorCode,
  state: UserState,
): T {
  const told = { ...text, ...byState[state], ...byCode[code] }
  return {
    ...told,
    title: plain(told.title),
    sentence: plain(told.sentence),
    next: told.next.map(plain),
  }
}

const plain = (text: string): string => text.replaceAll(/\bEHR\b/g, 'record system')
