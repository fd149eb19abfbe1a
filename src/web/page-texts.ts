import { type ErrorCode, errorTable, type UserState } from '../errors.ts'

/** What a page says of a state. The sentence of the error code says what happened; this says the rest. */
export interface PageText {
  readonly title: string
  readonly next: readonly string[]
  /** The path of a 24 by 24 line drawing. */
  readonly icon: string
}

export const icons = {
  clock: 'M12 7v5l3 2M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21a8 8 0 0 1 16 0',
  lock: 'M7 11V8a5 5 0 0 1 10 0v3M5 11h14v10H5z',
  warning: 'M12 9v5M12 17.5v.5M12 3 2 20h20z',
  cloud: 'M7 18a4.5 4.5 0 0 1-.6-8.96A6 6 0 0 1 17.7 8.5 4.8 4.8 0 0 1 17 18zM9 22h6',
  window: 'M4 5h16v14H4zM4 9h16M13 13h3v3M16 13l-4 3.5',
  compass: 'M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18zM15.5 8.5l-2 5-5 2 2-5z',
} as const

const tellSupport =
  'You cannot solve this yourself. Tell the service desk, with the incident number below.'
const ifAgain = 'If it happens again, tell the service desk, with the incident number below.'
const useEhr = 'Until then, use the EHR itself.'

const byState: Readonly<Record<UserState, PageText>> = {
  authorization_expired: {
    title: 'Your access has run out',
    next: ['Close the app and open it again from the patient’s chart.'],
    icon: icons.clock,
  },
  session_ended: {
    title: 'Please open the app again',
    next: ['Open the app again from the patient’s chart.'],
    icon: icons.clock,
  },
  context_changed: {
    title: 'This chart is closed here',
    next: [
      'This page no longer shows a patient, so that two charts cannot be mixed up.',
      'Go to the chart you are working on and open the app there.',
    ],
    icon: icons.person,
  },
  patient_context_missing: {
    title: 'Open a patient first',
    next: ['Open a patient’s chart in the EHR.', 'Then open the app from that chart.'],
    icon: icons.person,
  },
  scope_insufficient: {
    title: 'The app has no access to this',
    next: ['The EHR has not given the app access to what this page needs.', tellSupport, useEhr],
    icon: icons.lock,
  },
  not_permitted: {
    title: 'This is not permitted',
    next: ['If you need it for your work, tell the service desk, with the incident number below.'],
    icon: icons.lock,
  },
  write_conflict: {
    title: 'The record has changed',
    next: [
      'Nothing was saved.',
      'Look at the record as it is now, and make your change again if it is still needed.',
    ],
    icon: icons.warning,
  },
  write_uncertain: {
    title: 'The change may have been saved',
    next: ['Check the chart before repeating the change.'],
    icon: icons.warning,
  },
  data_unavailable: {
    title: 'The app is not available right now',
    next: ['Wait a minute, then open the app again.', useEhr],
    icon: icons.cloud,
  },
  configuration_invalid: {
    title: 'The app is not set up correctly',
    next: [tellSupport, useEhr],
    icon: icons.warning,
  },
}

/** Where a code needs other words than its state. */
const byCode: Readonly<Partial<Record<string, Partial<PageText>>>> = {
  LAUNCH_STATE_UNKNOWN: { title: 'This sign-in is over' },
  LAUNCH_STATE_FOREIGN: {
    title: 'This sign-in belongs to another browser',
    next: ['Open the app from the patient’s chart, in the browser in which you work.'],
  },
  LAUNCH_AUTHORIZATION_REFUSED: { title: 'The EHR did not open the app' },
  LAUNCH_TOKEN_REFUSED: { title: 'The sign-in did not finish' },
  LAUNCH_PATIENT_SEVERAL: {
    title: 'Choose one patient',
    next: ['Choose one patient in the EHR and open that chart.', 'Then open the app from it.'],
  },
  LAUNCH_ENCOUNTER_ALONE: {
    title: 'Open the patient of this visit',
    next: ['Open the patient’s chart in the EHR, and the visit in it.', 'Then open the app there.'],
  },
  LAUNCH_REAUTHORIZED_OTHER: {
    title: 'This is not the same user and patient',
    next: [
      'Sign in to the EHR as the user who opened the app.',
      'Then open the app again from the patient’s chart.',
    ],
  },
  LAUNCH_DISPLACED: {
    title: 'Too many charts are open',
    next: ['Close charts that you do not need any more.', 'Then open the app again in this one.'],
  },
  LAUNCH_TENANT_PAUSED: {
    title: 'Closed for maintenance',
    next: ['Open the app again later.', useEhr],
    icon: icons.clock,
  },
  LAUNCH_IDENTITY_INVALID: {
    title: 'The sign-in did not finish',
    next: ['Open the app again from the patient’s chart.', ifAgain],
  },
  LAUNCH_RATE_LIMITED: { title: 'Please wait a minute' },
  AUDIT_UNAVAILABLE: { next: ['Wait a minute, then open the app again.', ifAgain, useEhr] },
  ROUTE_UNKNOWN: {
    title: 'There is no such page',
    next: ['Open the app from the patient’s chart.'],
    icon: icons.compass,
  },
  REQUEST_INVALID: {
    title: 'This address is not complete',
    next: ['Open the app from the patient’s chart.'],
    icon: icons.compass,
  },
  INTERNAL: {
    title: 'Something went wrong',
    next: ['Open the app again from the patient’s chart.', ifAgain, useEhr],
    icon: icons.warning,
  },
}

/** Of a state's page, where one knows the state alone. */
export const titleOf = (state: string): string | undefined =>
  Object.entries(byState).find(([name]) => name === state)?.[1].title

export function pageText(code: ErrorCode): PageText {
  return { ...byState[errorTable[code].state], ...byCode[code] }
}
