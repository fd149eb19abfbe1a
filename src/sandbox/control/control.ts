import type { LaunchContext, Launch } from '../authorization/launches.ts'
import type { TokenResponseOverride } from '../authorization/token-response.ts'
import type { PagingStyle } from '../fhir/paging.ts'
import type { Fault } from './faults.ts'
import type { LoggedRequest } from './log.ts'

/** What tests and EHR pages may change while the sandbox runs. */
export interface Settings {
  readonly accessTokenSeconds: number
  readonly refreshTokenSeconds: number
  readonly refreshTokens: 'rotate' | 'keep'
  /** The sandbox's clock ahead of the machine's. Tokens already given expire earlier when it grows. */
  readonly clockOffsetSeconds: number
  /** Granted instead of what was asked; null grants what was asked. */
  readonly grantedScopes: string | null
  readonly tokenResponse: TokenResponseOverride | null
  /** Claims put over the id_token; a null claim is removed. The signature stays valid. */
  readonly idToken: Readonly<Record<string, unknown>> | null
  /** Members put over smart-configuration; a null member is removed. */
  readonly discovery: Readonly<Record<string, unknown>> | null
  /** Every authorization ends with access_denied and this description. */
  readonly authorizeError: string | null
  readonly paging: PagingStyle
  /** The context of a launch that starts in the app, as if the user had picked it; null for a user without a patient. */
  readonly standalone: LaunchContext | null
}

/** The sandbox's controls, the same whether called in the process or through `/_control`. */
export interface Control {
  settings(): Settings
  set(changes: Partial<Settings>): Settings
  faults(): readonly Fault[]
  /** Replaces all faults. */
  setFaults(faults: readonly Fault[]): void
  requests(): readonly LoggedRequest[]
  clearRequests(): void
  createLaunch(context?: LaunchContext): Launch
  /** Every token given out since the start or the last reset, for searches that must not find them. */
  issued(): readonly string[]
  /** Makes tokens invalid; returns how many there were. */
  revoke(which: 'all' | 'access' | 'refresh'): number
  /** Settings, faults, log, tokens and launches as at the start; records that were written stay. */
  reset(): void
}
