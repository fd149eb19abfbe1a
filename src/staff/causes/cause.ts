import type { EhrError, ReasonWord } from '../../audit/reasons.ts'
import type { ErrorCode } from '../../errors.ts'

/** What a reason of the audit means, and what whoever is called does about it. */
export interface Cause {
  readonly what: string
  readonly todo: string
}

export type CauseTexts = Readonly<Partial<Record<ErrorCode | ReasonWord | EhrError, Cause>>>

export const cause = (what: string, todo: string): Cause => ({ what, todo })

export const nothing = 'Nothing is wrong.'
export const again = 'Let the user open the app again from the chart.'
export const developer =
  'Tell the app’s developer the incident number; the request is in the record.'
export const security = 'If it is not one of your own tools, tell the security team.'
export const service = 'Give the incident number to whoever runs this server.'
export const clientSetup =
  'Ask the EHR team to compare client id, secret or key (jwks) and redirect URI with their registration; smart-bff contract prints them.'
