import type { Audit } from '../audit/event.ts'
import type { AuditReason } from '../audit/reasons.ts'
import { SmartBffError } from '../errors.ts'
import { lostScopes } from '../smart/scopes.ts'
import type { LaunchKey } from '../store/store.ts'
import type { LaunchRecord } from './record.ts'
import type { Pause, RefreshLease } from './refresh-lease.ts'
import { remember } from './remember.ts'
import { isYoung, refused, renewed } from './token-rules.ts'
import { endCode } from './transitions.ts'
import type { OpenLaunch, RefreshOutcome, Vault } from './vault.ts'

export interface AttemptDeps {
  readonly vault: Vault
  /**
   * The token call (src/ehr). Bounded in time by itself; the lease is renewed while it runs. `maySend` is asked at the
   * last moment: a process that stood still for longer than its lease lasts holds a token that may be superseded by now.
   */
  readonly refresh: (record: LaunchRecord, maySend: () => boolean) => Promise<RefreshOutcome>
  readonly audit: Audit
  /** Gives tokens back that came after the launch had ended. Best effort; never throws. */
  readonly revoke?: (record: LaunchRecord) => Promise<void>
  readonly now: () => number
  readonly sleep: (ms: number) => Promise<unknown>
  readonly limits: AttemptLimits
  readonly pause: Pause
}

export interface AttemptLimits {
  /** Renewed at every third of it. A holder that dies holds the others up for so long. */
  readonly leaseMs: number
  /** How long after an uncertain answer the next try waits. */
  readonly backOffMs: number
  /** About how often one who waits looks again. */
  readonly pollMs: number
  /** The shortest time between two refreshes that the tenant's EHR bears. */
  readonly minIntervalMs: (tenant: string) => number
}

export type IsGood = (record: LaunchRecord) => boolean

export type Attempt = (key: LaunchKey, isGood: IsGood, lease: RefreshLease) => Promise<OpenLaunch>

/** A refresh that the EHR has granted: `from` is the token that it superseded. */
interface Granted {
  readonly from: string
  readonly sentAt: number
  readonly change: (record: LaunchRecord) => LaunchRecord
}

/** Under the lease: read again, still needed?, refresh, store. */
export function createAttempt(parts: AttemptDeps): Attempt {
  const { now, limits, pause } = parts
  const persist = createPersist(parts)
  const save = createSave(parts, persist)

  return async (key, isGood, lease) => {
    const held = await reopen(parts.vault, key)
    if (isGood(held.record)) return held
    assertAuthorized(held.record)
    const from = held.record.tokens.refresh
    if (from === undefined) return giveUp(parts, persist, key, held, 'no_refresh_token', lease)
    const unsaved = save.unsaved(key, from)
    if (unsaved !== undefined) return save.granted(key, held, unsaved, lease)
    if (await pause.lasts(key)) throw paused()
    if (isYoung(held.record, now(), limits.minIntervalMs(held.record.tenant))) {
      throw unreachable('the token is too young to be refreshed')
    }

    const sentAt = now()
    const outcome = await call(parts, held.record, () => now() < lease.endsAt())
    switch (outcome.kind) {
      case 'refreshed': {
        const change = (record: LaunchRecord): LaunchRecord => renewed(record, outcome, sentAt)
        return save.granted(key, held, { from, sentAt, change }, lease)
      }
      case 'refused':
        return giveUp(parts, persist, key, held, outcome.reason, lease)
      case 'uncertain': {
        await pause.begin(key, limits.backOffMs)
        const told = { outcome: 'failed', reason: outcome.reason, ms: now() - sentAt } as const
        await tell(parts, held.record, { event: 'token.refused', ...told })
        throw unreachable('uncertain answer')
      }
      case 'unsent':
        throw unreachable('the lease was lost')
    }
  }
}

/**
 * Stores what the EHR has granted. What cannot be stored is held in this process, so that the token it superseded is
 * not sent again from here: the next occasion stores it instead.
 */
function createSave(parts: AttemptDeps, persist: Persist) {
  const held = new Map<string, Granted>()
  return {
    unsaved: (key: LaunchKey, from: string): Granted | undefined => {
      const granted = held.get(nameOf(key))
      return granted?.from === from ? granted : undefined
    },

    granted: async (
      key: LaunchKey,
      opened: OpenLaunch,
      granted: Granted,
      lease: RefreshLease,
    ): Promise<OpenLaunch> => {
      remember(held, nameOf(key), granted)
      try {
        const saved = await persist(key, opened, granted.from, granted.change, lease)
        held.delete(nameOf(key))
        // Whoever had the lease meanwhile was refused, so that ours is worth nothing either.
        assertAuthorized(saved.record)
        const told = { outcome: 'success', ms: parts.now() - granted.sentAt } as const
        const change = grantChange(opened.record, saved.record)
        await tell(parts, saved.record, { event: 'token.refreshed', ...told, ...change })
        return saved
      } catch (error) {
        const later = hasCode(error, 'STORE_UNAVAILABLE') || hasCode(error, 'EHR_UNREACHABLE')
        if (!later) held.delete(nameOf(key))
        if (isOver(error)) void parts.revoke?.(granted.change(opened.record))
        throw error
      }
    },
  }
}

/** SMART @147: what is granted is looked at on every answer, and less than before is told. */
function grantChange(before: LaunchRecord, after: LaunchRecord) {
  const [was, is] = [before.scopes.granted, after.scopes.granted]
  if (was === is) return {}
  const lost = lostScopes(was, is).length > 0
  return { requested: was, granted: is, ...(lost ? { reason: 'scope_narrowed' as const } : {}) }
}

/** The token call is asked for a judgement; should it throw instead, nobody knows what happened at the EHR. */
async function call(
  { refresh }: AttemptDeps,
  ...ask: Parameters<AttemptDeps['refresh']>
): Promise<RefreshOutcome> {
  try {
    return await refresh(...ask)
  } catch {
    return { kind: 'uncertain', reason: 'fault' }
  }
}

type Persist = (
  key: LaunchKey,
  held: OpenLaunch,
  from: string | undefined,
  change: (record: LaunchRecord) => LaunchRecord,
  lease: RefreshLease,
) => Promise<OpenLaunch>

const maxConflicts = 20

/**
 * Writes a change onto the newest version of the record, for as long as it still holds the refresh token `from` that
 * the change is about: otherwise a newer one stands there, or our own write whose answer was lost, and that is the
 * answer. Through a store fault it keeps trying while the lease lasts. Without the lease nothing is written: whoever has
 * it now decides (EHR_UNREACHABLE). An end that came first is thrown (LAUNCH_ENDED).
 */
function createPersist({ vault, now, sleep, limits }: AttemptDeps): Persist {
  return async (key, held, from, change, lease) => {
    let opened = held
    for (let conflicts = 0; conflicts < maxConflicts;) {
      try {
        const replaced = await vault.replace(key, opened, change(opened.record), lease)
        if (replaced !== undefined) return replaced
        conflicts += 1
        opened = await reopen(vault, key)
        if (opened.record.tokens.refresh !== from) return opened
        if (!(await lease.regain())) throw unreachable('the lease was lost')
      } catch (error) {
        if (!hasCode(error, 'STORE_UNAVAILABLE') || now() >= lease.endsAt()) throw error
        await sleep(limits.pollMs * 5)
      }
    }
    throw new SmartBffError('INTERNAL', { detail: 'refresh: the record changes without end' })
  }
}

/** The user must authorize again. Answers only where a newer token has come meanwhile. */
async function giveUp(
  parts: AttemptDeps,
  persist: Persist,
  key: LaunchKey,
  held: OpenLaunch,
  reason: AuditReason,
  lease: RefreshLease,
): Promise<OpenLaunch> {
  const saved = await persist(key, held, held.record.tokens.refresh, refused, lease)
  if (saved.record.state === 'active') return saved
  const told = { outcome: 'refused', state: 'reauth_required', reason } as const
  await tell(parts, saved.record, { event: 'token.refused', ...told })
  await tell(parts, saved.record, { event: 'launch.transition', ...told })
  throw new SmartBffError('TOKEN_EXPIRED', { detail: reason })
}

function tell(
  { audit }: AttemptDeps,
  { tenant, mode, launch, user }: LaunchRecord,
  event: Omit<Parameters<Audit['record']>[0], 'tenant' | 'mode' | 'launch' | 'user' | 'actor'>,
): Promise<void> {
  return audit.record({ ...event, tenant, mode, launch, user, actor: 'system' })
}

export async function reopen(vault: Vault, key: LaunchKey): Promise<OpenLaunch> {
  const opening = await vault.open(key)
  if (opening.kind === 'open') return opening.launch
  throw new SmartBffError(opening.kind === 'ended' ? endCode(opening) : 'LAUNCH_ENDED')
}

export function assertAuthorized({ state }: LaunchRecord): void {
  if (state !== 'active') throw new SmartBffError('TOKEN_EXPIRED', { detail: state })
}

export const nameOf = (key: LaunchKey): string => `${key.session}:${key.launch}`

export const unreachable = (detail: string): SmartBffError =>
  new SmartBffError('EHR_UNREACHABLE', { detail: `refresh: ${detail}` })

/** The launch ended while its refresh was under way. */
const isOver = (error: unknown): boolean =>
  error instanceof SmartBffError && error.code.startsWith('LAUNCH_')

export const paused = (): SmartBffError => unreachable('waiting after an uncertain answer')

export const hasCode = (error: unknown, code: SmartBffError['code']): boolean =>
  error instanceof SmartBffError && error.code === code
