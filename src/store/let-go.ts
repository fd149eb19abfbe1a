import { setTimeout as sleep } from 'node:timers/promises'
import type { Lease, Store } from './store.ts'

const attemptsMax = 5
const betweenMs = 400

/**
 * Releases a lease, also one of which nobody knows whether it was granted because the answer was lost: left alone it
 * would hold the others up until its time is over. Tries for about as long as a lost connection takes to come back;
 * never throws. Answers when the first try is over.
 */
export async function letGo(
  store: Pick<Store, 'releaseLease'>,
  { name, holder }: Lease,
): Promise<void> {
  const released = await release(store, name, holder)
  if (!released) void again(store, name, holder)
}

async function again(...lease: Parameters<typeof release>): Promise<void> {
  for (let attempt = 1; attempt < attemptsMax; attempt += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one try after the other is the point
    await sleep(betweenMs, undefined, { ref: false })
    // oxlint-disable-next-line no-await-in-loop -- see above
    if (await release(...lease)) return
  }
}

const release = (
  store: Pick<Store, 'releaseLease'>,
  name: string,
  holder: string,
): Promise<boolean> =>
  store.releaseLease(name, holder).then(
    () => true,
    () => false,
  )
