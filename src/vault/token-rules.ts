import type { LaunchRecord } from './record.ts'
import type { RefreshOutcome } from './vault.ts'

/** When a token is renewed and what becomes of its record. Pure; the doing is in refresh.ts. */

const longestMarginMs = 30_000

/** The access token may still be sent: it has not expired, or the EHR never said when it will. */
export function isUsable({ tokens }: LaunchRecord, now: number): boolean {
  return tokens.accessExpiresAt === undefined || now < tokens.accessExpiresAt
}

/**
 * Within the last fifth of its lifetime. A token without a known or sensible lifetime is never due, and none is within
 * `minIntervalMs` of the last one: a 401 will tell.
 */
export function isDue(record: LaunchRecord, now: number, minIntervalMs: number): boolean {
  const { accessExpiresAt, receivedAt, refresh } = record.tokens
  if (accessExpiresAt === undefined || accessExpiresAt <= receivedAt) return false
  if (isYoung(record, now, minIntervalMs)) return false
  if (refresh === undefined) return now >= accessExpiresAt
  return now >= accessExpiresAt - (accessExpiresAt - receivedAt) / 5
}

/** So near its end that a request had better wait for the next one. Before that it is renewed while nobody waits. */
export function isUrgent({ tokens }: LaunchRecord, now: number): boolean {
  const { accessExpiresAt, receivedAt } = tokens
  if (accessExpiresAt === undefined) return false
  return now >= accessExpiresAt - Math.min((accessExpiresAt - receivedAt) / 5, longestMarginMs)
}

export const isYoung = ({ tokens }: LaunchRecord, now: number, minIntervalMs: number): boolean =>
  now < tokens.receivedAt + minIntervalMs

/** For so long no token is asked for in place of one that the EHR refused although it was new. */
export const refusedAgainMs = 30_000

export interface KnownRefusal {
  /** Which token: the one that came then. */
  readonly receivedAt: number
  readonly until: number
}

/**
 * The token with which a refused request was tried once more was refused too. Where it had only just come, the next one
 * would not help either. Of an older one, and of one that has served, it says that its time was over.
 */
export const refusalOf = (
  record: LaunchRecord,
  served: boolean,
  now: number,
): KnownRefusal | undefined =>
  !served && isYoung(record, now, refusedAgainMs)
    ? { receivedAt: record.tokens.receivedAt, until: now + refusedAgainMs }
    : undefined

/** That this token is refused is known: no reason for a refresh. */
export const saysNothingNew = (
  { tokens }: LaunchRecord,
  known: KnownRefusal | undefined,
  now: number,
): boolean => known !== undefined && known.receivedAt === tokens.receivedAt && now < known.until

/** RFC 6749 6: what the answer does not name stays as it was. The lifetime counts from before the call. */
export function renewed(
  record: LaunchRecord,
  outcome: Extract<RefreshOutcome, { kind: 'refreshed' }>,
  sentAt: number,
): LaunchRecord {
  const lifeSeconds = outcome.expiresInSeconds
  return {
    ...record,
    context: { ...record.context, ...outcome.context },
    scopes: { ...record.scopes, granted: outcome.granted ?? record.scopes.granted },
    tokens: {
      access: outcome.access,
      receivedAt: sentAt,
      accessExpiresAt: lifeSeconds === undefined ? undefined : sentAt + lifeSeconds * 1000,
      refresh: outcome.refresh ?? record.tokens.refresh,
    },
  }
}

/** The refresh token is dropped: a refused one is never sent again (DESIGN rule 11). */
export const refused = (record: LaunchRecord): LaunchRecord => ({
  ...record,
  state: 'reauth_required',
  tokens: { ...record.tokens, refresh: undefined },
})
