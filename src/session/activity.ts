import { SmartBffError } from '../errors.ts'
import type { Vault } from '../vault/vault.ts'
import type { OwnLaunch } from './own-launch.ts'
import type { SessionRecords } from './session-records.ts'

const attemptsMax = 5

/**
 * The user did something: this launch's idle clock and the session's begin anew, in one script (DESIGN rule 13). Other
 * launches of the browser keep theirs. Answers the new idle deadline. Throws LAUNCH_ENDED, SESSION_MISSING or
 * STORE_UNAVAILABLE.
 */
export function createActivity(deps: {
  readonly vault: Pick<Vault, 'touch'>
  readonly records: Pick<SessionRecords, 'slide'>
}): (own: OwnLaunch) => Promise<number> {
  return async (own) => {
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      // oxlint-disable-next-line no-await-in-loop -- an attempt follows from the failure of the one before
      const slide = await deps.records.slide(own.key.session)
      if (slide === undefined) throw new SmartBffError('SESSION_MISSING')
      // oxlint-disable-next-line no-await-in-loop -- see above
      const touched = await deps.vault.touch(own.key, own, slide)
      if (touched.kind === 'gone') throw new SmartBffError('LAUNCH_ENDED')
      if (touched.kind === 'touched') return touched.idleAt
    }
    throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'activity: session changes on' })
  }
}
