import { tombstoneMs } from '../store.ts'
import type { Store } from '../store.ts'
import type { RedisClient } from './client.ts'
import type { RedisAsker } from './fault.ts'
import { readFields } from './launch-fields.ts'
import * as names from './names.ts'

/** The ends of launches and sessions, told to every replica from inside the script that writes them. */
export function endPart(
  client: RedisClient,
  ask: RedisAsker,
): Pick<Store, 'endLaunch' | 'endSession'> {
  return {
    async endLaunch(key, ended, note = '', unborn) {
      const launches = names.launchesName(key.session)
      return readFields(
        await ask('endLaunch', () =>
          client.bffEndLaunchBuffer(
            launches,
            names.launchName(key),
            key.launch,
            ended,
            names.changesChannel,
            `ended|${key.session}|${key.launch}|${ended}`,
            note,
            unborn === undefined ? 0 : tombstoneMs,
          ),
        ),
      )
    },

    async endSession(session, ended, note = '') {
      const rows = await ask('endSession', () =>
        client.bffEndSessionBuffer(
          names.sessionName(session),
          names.launchesName(session),
          names.sessionEndName(session),
          names.launchPrefix(session),
          ended,
          tombstoneMs,
          names.changesChannel,
          `ended|${session}||${ended}`,
          note,
        ),
      )
      return (Array.isArray(rows) ? rows : []).flatMap(([launch, ...fields]: unknown[]) => {
        const stored = readFields(fields)
        return Buffer.isBuffer(launch) && stored !== undefined
          ? [{ launch: launch.toString(), ...stored }]
          : []
      })
    },
  }
}

/** What stands aside of an end until it has been told. */
export function untoldPart(
  client: RedisClient,
  ask: RedisAsker,
): Pick<Store, 'readUntold' | 'readUntoldSession' | 'settleEnd'> {
  return {
    async readUntold(key) {
      const name = names.launchName(key)
      const fields = await ask('readUntold', () =>
        client.hmgetBuffer(name, 'ended', 'untold', 'note'),
      )
      const [ended = '', sealed = '', note = ''] = (fields ?? []).map((field) =>
        field?.toString('latin1'),
      )
      return ended === '' || sealed === '' ? undefined : { ended, sealed, note }
    },

    async readUntoldSession(session) {
      const name = names.sessionEndName(session)
      const fields = await ask('readUntoldSession', () =>
        client.hmget(name, 'ended', 'note', 'launches'),
      )
      const [ended, note, launches] = fields ?? []
      return ended ? { ended, note: note ?? '', launches: Number(launches) || 0 } : undefined
    },

    async settleEnd({ session, launch }) {
      await ask('settleEnd', () =>
        launch === undefined
          ? client.del(names.sessionEndName(session))
          : client.bffSettleEnd(names.launchName({ session, launch })),
      )
      const member = names.memberOf({ session, launch })
      await ask('settleEnd', () => client.zrem(names.dueName, member))
    },
  }
}
