import { inTime } from '../folder.ts'

/**
 * One place for signed notes, which may hang, as a disk across the network does. One note at a time, for each that hangs
 * holds one of the few threads that write all files; of those that come meanwhile the newest is next, and covers the
 * others. Rejects with ETIMEDOUT where a note is not kept in time.
 */
export function createPlace(
  name: string,
  keep: (note: string) => Promise<void>,
  limitMs: number,
): (note: string) => Promise<void> {
  let next: string | undefined
  let underway: Promise<void> | undefined
  async function keepWaiting(): Promise<void> {
    try {
      while (next !== undefined) {
        const note = next
        next = undefined
        try {
          // oxlint-disable-next-line no-await-in-loop -- one at a time
          await keep(note)
        } catch (error) {
          // A newer one covers it.
          if (next === undefined) throw error
        }
      }
    } finally {
      underway = undefined
    }
  }
  return async (note) => {
    next = note
    await inTime((underway ??= keepWaiting()), limitMs, name)
  }
}
