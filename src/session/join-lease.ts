import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { SmartBffError } from '../errors.ts'
import { letGo } from '../store/let-go.ts'
import type { Store } from '../store/store.ts'

const leaseLifeMs = 10_000
const leaseWaitMaxMs = 5_000
const leasePollMs = 15

/** One after the other. Joins are as rare as launches, so that waiting by asking again is good enough. */
export async function withLease<T>(
  store: Pick<Store, 'acquireLease' | 'releaseLease'>,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  const holder = randomBytes(16).toString('base64url')
  const until = performance.now() + leaseWaitMaxMs
  try {
    // oxlint-disable-next-line no-await-in-loop -- one request after the other is the point
    while (!(await store.acquireLease(name, holder, leaseLifeMs))) {
      if (performance.now() > until) {
        throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'join: lease not free in time' })
      }
      // oxlint-disable-next-line no-await-in-loop -- see above
      await sleep(leasePollMs)
    }
    return await work()
  } finally {
    // A lease that cannot be given back runs out by itself.
    await letGo(() => store.releaseLease(name, holder))
  }
}
