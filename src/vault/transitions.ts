import { type ErrorCode, SmartBffError } from '../errors.ts'
import type { FinalState, LaunchState } from './record.ts'
import type { Ended } from './vault.ts'

/** DESIGN.md, "The life of a launch": the one table of legal transitions. Final states have no way out. */
const transitions: Readonly<Record<'pending' | LaunchState, readonly LaunchState[]>> = {
  pending: ['active', 'superseded', 'revoked', 'ended', 'expired'],
  active: ['reauth_required', 'superseded', 'revoked', 'ended', 'expired'],
  reauth_required: ['active', 'superseded', 'revoked', 'ended', 'expired'],
  superseded: [],
  revoked: [],
  ended: [],
  expired: [],
}

/** Staying in a state is no transition. Throws INTERNAL where the table has no such way: a fault of the program. */
export function assertTransition(from: 'pending' | LaunchState, to: LaunchState): void {
  if (from === to || transitions[from].includes(to)) return
  throw new SmartBffError('INTERNAL', { detail: `illegal transition: ${from} to ${to}` })
}

/** What a request for a launch that has ended is refused with. */
export function endCode({ state, cause }: Omit<Ended, 'kind'>): ErrorCode {
  if (cause === 'launch_limit') return 'LAUNCH_DISPLACED'
  return state === 'superseded' ? 'LAUNCH_SUPERSEDED' : 'LAUNCH_ENDED'
}

export const isFinal = (state: string): state is FinalState =>
  state === 'superseded' || state === 'revoked' || state === 'ended' || state === 'expired'
