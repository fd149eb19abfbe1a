import { setTimeout as wait } from 'node:timers/promises'
import type { LaunchKey, Store } from '../store/store.ts'
import type { LaunchRecord } from './record.ts'
import {
  assertAuthorized,
  createAttempt,
  hasCode,
  nameOf,
  paused,
  reopen,
  unreachable,
} from './refresh-attempt.ts'
import type { AttemptDeps, AttemptLimits, IsGood } from './refresh-attempt.ts'
import { acquireRefreshLease, createPause, createWakes } from './refresh-lease.ts'
import { createRefusedAgain } from './refused-again.ts'
import { isDue, isUrgent, isUsable } from './token-rules.ts'
import type { OpenLaunch, Tokens } from './vault.ts'

export interface RefreshLimits extends AttemptLimits {
  /** How long a request waits for a refresh, its own or another's. */
  readonly waitMs: number
  /** How long a request waits whose token is still good. */
  readonly patienceMs: number
}

const refreshLimits: RefreshLimits = {
  leaseMs: 15_000,
  waitMs: 12_000,
  patienceMs: 2_000,
  backOffMs: 5_000,
  pollMs: 50,
  minIntervalMs: () => 0,
}

export type TokensDeps = Omit<AttemptDeps, 'limits' | 'sleep' | 'pause'> & {
  readonly store: Store
  readonly limits?: Partial<RefreshLimits>
  readonly sleep?: AttemptDeps['sleep']
  /** How long a request waited for a refresh, its own or another's. */
  readonly onWaited?: (seconds: number) => void
}

/** DESIGN rule 11: one refresh at a time for a launch, in this process by a shared promise, across processes by a lease. */
export function createTokens(deps: TokensDeps): Tokens {
  const limits = { ...refreshLimits, ...deps.limits }
  const { now } = deps
  const pause = createPause(deps)
  const refusedAgain = createRefusedAgain(deps)
  const flights = createFlights({ ...deps, limits, pause, sleep: deps.sleep ?? wait })
  const waited = async (startedAt: number, launch: Promise<OpenLaunch>): Promise<OpenLaunch> => {
    try {
      return await launch
    } finally {
      deps.onWaited?.((performance.now() - startedAt) / 1000)
    }
  }
  const isGood = (record: LaunchRecord): boolean =>
    !isDue(record, now(), limits.minIntervalMs(record.tenant))

  const renew = async (key: LaunchKey, opened: OpenLaunch): Promise<OpenLaunch> => {
    const usable = isUsable(opened.record, now())
    if (usable && !isUrgent(opened.record, now())) {
      // Renewed in good time, while nobody waits; whoever comes later has the new one.
      if (!pause.known(key)) flights.join(key, isGood, limits.waitMs).catch(() => undefined)
      return opened
    }
    try {
      const patience = usable ? limits.patienceMs : limits.waitMs
      return await waited(performance.now(), flights.join(key, isGood, patience))
    } catch (error) {
      if (hasCode(error, 'EHR_UNREACHABLE') && isUsable(opened.record, now())) return opened
      throw error
    }
  }

  return {
    current(key, opened) {
      assertAuthorized(opened.record)
      return isGood(opened.record) ? opened : renew(key, opened)
    },

    async afterRefusal(key, opened) {
      if (await refusedAgain.known(key, opened.record)) return opened
      const refusedToken = opened.record.tokens.access
      const renewed = ({ tokens }: LaunchRecord): boolean => tokens.access !== refusedToken
      return waited(performance.now(), flights.join(key, renewed, limits.waitMs))
    },

    triedAgain: async (key, { record }, status) => {
      if (status === 401) await refusedAgain.refused(key, record)
      // A fault of a gateway says nothing of the token.
      else if (status < 500) refusedAgain.served(key, record)
    },
  }
}

type Parts = AttemptDeps & { readonly store: Store; readonly limits: RefreshLimits }

interface Flights {
  /** A launch whose record `isGood`, by a refresh that is under way or by one of our own. */
  join(key: LaunchKey, isGood: IsGood, waitMs: number): Promise<OpenLaunch>
}

function createFlights(parts: Parts): Flights {
  const underWay = new Map<string, Promise<OpenLaunch>>()
  const refresher = createRefresher(parts)

  const start = (key: LaunchKey, isGood: IsGood): Promise<OpenLaunch> => {
    const name = nameOf(key)
    const flight = refresher.refresh(key, isGood).finally(() => underWay.delete(name))
    underWay.set(name, flight)
    return flight
  }

  return {
    async join(key, isGood, waitMs) {
      const joined = underWay.get(nameOf(key))
      if (joined !== undefined) {
        const launch = await within(joined, waitMs)
        if (isGood(launch.record)) return launch
      }
      return within(underWay.get(nameOf(key)) ?? start(key, isGood), waitMs)
    },
  }
}

interface Refresher {
  refresh(key: LaunchKey, isGood: IsGood): Promise<OpenLaunch>
}

function createRefresher(parts: Parts): Refresher {
  const { store, now, limits, pause } = parts
  const attempt = createAttempt(parts)
  const { leaseMs } = limits
  const waitForOther = createWaiting(parts)

  return {
    async refresh(key, isGood) {
      if (pause.known(key)) throw paused()
      const deadline = now() + limits.waitMs
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop -- one try after the other is the point
        const lease = await acquireRefreshLease({ store, now, leaseMs }, key)
        if (lease !== undefined) {
          try {
            // oxlint-disable-next-line no-await-in-loop -- see above
            return await attempt(key, isGood, lease)
          } finally {
            // oxlint-disable-next-line no-await-in-loop -- see above
            await lease.release()
          }
        }
        // oxlint-disable-next-line no-await-in-loop -- see above
        const latest = await waitForOther(key, isGood, deadline)
        if (latest !== undefined) return latest
      }
    },
  }
}

/** The other's result, once it is there; `undefined`: look whether the lease is free. */
function createWaiting({ store, vault, now, sleep, limits, pause }: Parts) {
  const told = createWakes(store)
  return async (
    key: LaunchKey,
    isGood: IsGood,
    deadline: number,
  ): Promise<OpenLaunch | undefined> => {
    if (now() >= deadline) throw unreachable('another refresh takes too long')
    await told(key, sleep(limits.pollMs * (0.5 + Math.random())))
    const latest = await reopen(vault, key)
    if (isGood(latest.record)) return latest
    assertAuthorized(latest.record)
    if (await pause.lasts(key)) throw paused()
    return undefined
  }
}

/** The work goes on; only this caller's patience ends. */
function within<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const timer = setTimeout(() => reject(unreachable('waited too long')), timeoutMs)
  work.then(resolve, reject).finally(() => clearTimeout(timer))
  return promise
}
