import { oauthErrors, reasonWords } from '../audit/reasons.ts'
import { errorTable } from '../errors.ts'
import type { UserState } from '../errors.ts'
import type { Cause } from './causes/cause.ts'
import { endCauses } from './causes/end.ts'
import { launchCauses } from './causes/launch.ts'
import { useCauses } from './causes/use.ts'

/** What went wrong, in words, and what to do: for each reason that a record can give. */
export type { Cause } from './causes/cause.ts'

export function causeOf(reason: string | undefined, state: string | undefined): Cause | undefined {
  if (reason === undefined && state === undefined) return undefined
  const named = reason === undefined ? undefined : textOf(reason.replace(/^ehr\./, ''))
  if (named !== undefined) return named
  const row = Object.entries(errorTable).find(([code]) => code === reason)?.[1]
  const todo = adviceOf(row?.state ?? state)
  if (todo === undefined) return undefined
  return { what: row?.sentence ?? stateText(state), todo }
}

/** Codes of errors.ts that have no words of their own have their public sentence and the advice of their state. */
const texts = new Map<string, Cause>(
  Object.entries({ ...launchCauses, ...useCauses, ...endCauses }),
)

const textOf = (reason: string): Cause | undefined => texts.get(reason)

const adviceOf = (state: string | undefined): string | undefined =>
  Object.entries(advice).find(([name]) => name === state)?.[1]

const stateText = (state = ''): string => `The user was told: ${state.replaceAll('_', ' ')}.`

const advice: Readonly<Record<UserState, string>> = {
  authorization_expired:
    'Let the user open the app again from the chart. If it repeats within minutes, compare the token lifetime and the refresh settings with the EHR team.',
  session_ended: 'Let the user open the app again from the chart.',
  context_changed:
    'Nothing is wrong: another patient was opened. Let the user close the older window.',
  patient_context_missing:
    'Let the user open a patient first. If one was open, ask the EHR team whether the app is registered with patient context.',
  scope_insufficient:
    'Compare the scopes requested with those granted, and ask the EHR team to grant what is missing.',
  not_permitted:
    'The configuration does not allow it. If the app needs it, its developer names the feature and the rule.',
  write_conflict: 'Let the user look at the chart again: the record was changed there meanwhile.',
  write_uncertain: 'Let the user check the chart before repeating the change.',
  data_unavailable:
    'Look at the tenants page: is the EHR or the store down? Try again in a minute.',
  configuration_invalid:
    'Run smart-bff preflight for this tenant and compare with what the EHR team registered.',
}

export interface CauseGroup {
  readonly title: string
  readonly rows: readonly (Cause & { readonly reason: string; readonly state: string })[]
}

/** Every reason there is, for the page that lists them. */
export function allCauses(): readonly CauseGroup[] {
  return [
    group('What smart-bff said', Object.keys(errorTable)),
    group('What the EHR said', oauthErrors),
    group('Why something happened', reasonWords),
  ]
}

function group(title: string, reasons: readonly string[]): CauseGroup {
  const rows = [...new Set(reasons)].flatMap((reason) => {
    const row = Object.entries(errorTable).find(([code]) => code === reason)?.[1]
    const cause = causeOf(reason, row?.state)
    return cause === undefined ? [] : [{ reason, state: row?.state ?? '', ...cause }]
  })
  return { title, rows }
}
