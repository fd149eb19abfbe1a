import { randomUUID } from 'node:crypto'
import { letGo } from '../store/let-go.ts'
import { concerns } from '../store/store.ts'
import type { Change, Lease, LaunchKey, Store } from '../store/store.ts'
import { remember } from './remember.ts'

/** The right to refresh one launch, across all replicas, renewed for as long as the work under it runs. */
export interface RefreshLease extends Lease {
  /** Until when it is certainly ours. */
  endsAt(): number
  /** Whether it is ours, or nobody's and so ours again. */
  regain(): Promise<boolean>
  /** What cannot be released expires. */
  release(): Promise<void>
}

export interface LeaseDeps {
  readonly store: Pick<Store, 'acquireLease' | 'renewLease' | 'releaseLease'>
  readonly now: () => number
  readonly leaseMs: number
}

/** However long the work under it runs: then another replica may try. */
const renewalsMax = 12

/** The braces put it into the launch's slot, where one script can look at both. */
const nameOf = (what: string, key: LaunchKey): string => `${what}:{${key.session}}:${key.launch}`

/** `undefined` where another one holds it. */
export async function acquireRefreshLease(
  { store, now, leaseMs }: LeaseDeps,
  key: LaunchKey,
): Promise<RefreshLease | undefined> {
  const lease = { name: nameOf('refresh', key), holder: randomUUID() }
  const release = (): Promise<void> => store.releaseLease(lease.name, lease.holder)
  let endsAt = now() + leaseMs
  try {
    if (!(await store.acquireLease(lease.name, lease.holder, leaseMs))) return undefined
  } catch (fault) {
    void letGo(release)
    throw fault
  }

  const renew = async (): Promise<boolean> => {
    const sentAt = now()
    const renewed = await store.renewLease(lease.name, lease.holder, leaseMs)
    if (renewed) endsAt = sentAt + leaseMs
    return renewed
  }
  let renewals = 0
  const timer = setInterval(() => {
    renewals += 1
    if (renewals > renewalsMax) clearInterval(timer)
    // One that fails is made good by the next, or the lease ends.
    else renew().catch(() => undefined)
  }, leaseMs / 3).unref()

  return {
    ...lease,
    endsAt: () => endsAt,
    regain: async () => {
      if (await renew()) return true
      const sentAt = now()
      const again = await store.acquireLease(lease.name, lease.holder, leaseMs)
      if (again) endsAt = sentAt + leaseMs
      return again
    },
    release: async () => {
      clearInterval(timer)
      await letGo(release)
    },
  }
}

/**
 * After an uncertain answer nobody asks again for a while, in any replica: what failed for one fails for all, and a
 * storm of refreshes helps no EHR back up.
 */
export interface Pause {
  begin(key: LaunchKey, lifeMs: number): Promise<void>
  /** Asks only this process. */
  known(key: LaunchKey): boolean
  /** Asks the store. */
  lasts(key: LaunchKey): Promise<boolean>
}

export function createPause(deps: {
  readonly store: Pick<Store, 'acquireLease' | 'readLease'>
  readonly now: () => number
}): Pause {
  const { store, now } = deps
  const until = new Map<string, number>()
  const known = (key: LaunchKey): boolean => (until.get(nameOf('pause', key)) ?? 0) > now()
  return {
    known,
    begin: async (key, lifeMs) => {
      if (lifeMs <= 0) return
      const name = nameOf('pause', key)
      remember(until, name, now() + lifeMs)
      // Without it the others find out for themselves.
      await store.acquireLease(name, 'uncertain', lifeMs).catch(() => undefined)
    },
    lasts: async (key) => known(key) || (await store.readLease(nameOf('pause', key))) !== undefined,
  }
}

/** Ends a sleep early when something is told of the launch: those who wait for another replica's refresh. */
export function createWakes(store: Pick<Store, 'onChange'>) {
  const waiting = new Set<{ readonly key: LaunchKey; readonly wake: () => void }>()
  store.onChange((change: Change) => {
    for (const { key, wake } of waiting) if (concerns(change, key)) wake()
  })
  return async (key: LaunchKey, sleeping: Promise<unknown>): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const sleeper = { key, wake: resolve }
    waiting.add(sleeper)
    try {
      await Promise.race([sleeping, promise])
    } finally {
      waiting.delete(sleeper)
    }
  }
}
