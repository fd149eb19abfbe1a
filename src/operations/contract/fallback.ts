import type { UserState } from '../../errors.ts'
import { code, table } from './markdown.ts'

/** The ten states a user can be told (DESIGN.md), and what the ward does meanwhile. */
const fallbacks: Readonly<Record<UserState, readonly [cause: string, meanwhile: string]>> = {
  authorization_expired: ['the EHR no longer takes the token', 'open the app again from the chart'],
  session_ended: [
    'signed out, or nothing was done for too long',
    'open the app again from the chart',
  ],
  context_changed: [
    'another patient was opened',
    'go to the chart you work on and open the app there',
  ],
  patient_context_missing: ['no patient is open', 'open a chart, then the app'],
  scope_insufficient: [
    'the EHR gave less access than asked',
    'use the EHR; the service desk compares the scopes',
  ],
  not_permitted: ['the request or the user is not meant for this app', 'use the EHR'],
  write_conflict: [
    'the record changed in the EHR meanwhile',
    'look at the record again, then repeat',
  ],
  write_uncertain: ['sent, and the answer was lost', 'check the chart before repeating'],
  data_unavailable: [
    'the EHR or the session store does not answer',
    'use the EHR; try again later',
  ],
  configuration_invalid: [
    'the EHR and this configuration do not fit',
    'use the EHR; tell the service desk',
  ],
}

export const fallbackTable = (): string =>
  table(
    ['state', 'typical cause', 'meanwhile'],
    Object.entries(fallbacks).map(([state, [cause, meanwhile]]) => [code(state), cause, meanwhile]),
  )
