import { setTimeout as sleep } from 'node:timers/promises'

const attemptsMax = 5
const betweenMs = 400

/**
 * Gives back what is held in the store, also what nobody knows whether it was granted because the answer was lost: left
 * alone it would hold the others up until its time is over. Tries for about as long as a lost connection takes to come
 * back; never throws. Answers when the first try is over.
 */
export async function letGo(release: () => Promise<unknown>): Promise<void> {
  if (!(await succeeds(release))) void again(release)
}

async function again(release: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; attempt < attemptsMax; attempt += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one try after the other is the point
    await sleep(betweenMs, undefined, { ref: false })
    // oxlint-disable-next-line no-await-in-loop -- see above
    if (await succeeds(release)) return
  }
}

const succeeds = (release: () => Promise<unknown>): Promise<boolean> =>
  release().then(
    () => true,
    () => false,
  )
