import { type SentinelGroup, tell } from '../redis-groups.ts'
import type { ClinicFault } from './faults.ts'
import { atLeast, connection, exactly, type Sign, sinceNow } from './signs.ts'

const unavailable = /: 50[0234] data_unavailable$/

/** Of a Sentinel that gives a busy Redis, or one that is restarted, all the time of the world. */
export const patientMs = 600_000
const impatientMs = 800

/** In this order: the failover leaves a primary without a replica. */
export const createRedisFaults = (group: SentinelGroup): readonly ClinicFault[] => [
  createRestart(group),
  createFailover(group),
]

function createRestart(group: SentinelGroup): ClinicFault {
  let before: Server | undefined
  return {
    name: 'Redis is stopped, and starts again with its data',
    begin: async (clinic) => {
      const { port } = group.master
      before = await serverAt(port)
      const faults = await sinceNow(clinic, 'store_faults_total')
      await group.master.stop()
      return async () => [
        await refused('a connection to it', port),
        atLeast(1, 'faults of the store that replicas counted', await faults()),
      ]
    },
    end: async () => {
      await group.restartMaster()
      return async () => {
        const after = await serverAt(group.master.port)
        return [
          {
            what: 'its uptime before and after, in seconds',
            seen: `${before?.uptime}, ${after.uptime}`,
            shown: after.run !== before?.run && after.uptime < (before?.uptime ?? 0),
          },
          atLeast(1, 'keys that it still has', after.keys),
        ]
      }
    },
    maySee: unavailable,
  }
}

function createFailover(group: SentinelGroup): ClinicFault {
  return {
    name: 'the Redis primary dies, and Sentinel promotes its replica',
    begin: async (clinic) => {
      const { port } = group.master
      const faults = await sinceNow(clinic, 'store_faults_total')
      await group.patience(impatientMs)
      await group.master.kill()
      return async () => [
        await refused('a connection to the old primary', port),
        exactly('its replica', 'what Sentinel names in its place', await named(group)),
        exactly('master', 'the role of that one', await roleAt(group.replica.port)),
        atLeast(1, 'faults of the store that replicas counted', await faults()),
      ]
    },
    end: () => group.patience(patientMs),
    maySee: unavailable,
  }
}

const refused = async (what: string, port: number): Promise<Sign> =>
  exactly('ECONNREFUSED', what, await connection(port, '127.0.0.1'))

const named = async (group: SentinelGroup): Promise<string> =>
  (await group.masterPort()) === group.replica.port ? 'its replica' : 'nobody yet'

const roleAt = async (port: number): Promise<string> =>
  (await tell(port, ['ROLE'])).split(',')[0] ?? ''

interface Server {
  readonly run: string
  /** Seconds. */
  readonly uptime: number
  readonly keys: number
}

async function serverAt(port: number): Promise<Server> {
  const info = await tell(port, ['INFO', 'server'])
  return {
    run: /^run_id:(\w+)/m.exec(info)?.[1] ?? '',
    uptime: Number(/^uptime_in_seconds:(\d+)/m.exec(info)?.[1]),
    keys: Number(await tell(port, ['DBSIZE'])),
  }
}
