import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { TestRedis } from '../redis.ts'
import type { SentinelGroup } from '../redis-groups.ts'
import type { Clinic, ClinicOptions } from './clinic.ts'

/** What can go wrong in a hospital while people work, and what they may see of it. */
export interface ClinicFault {
  readonly name: string
  begin(clinic: Clinic): Promise<void>
  end(clinic: Clinic): Promise<void>
  /** Of everything that is no success: `read: 503 data_unavailable`. Anything else fails the run. */
  readonly maySee: RegExp
}

const nothing = /^$/
const unavailable = /: 50[0234] data_unavailable$/
const unavailableOrBusy = /: (50[0234]|429) data_unavailable$/

export function createReplicaKilled(): ClinicFault {
  return {
    name: 'a replica is killed, and comes back',
    begin: async ({ deployment }) => deployment.replicas[0]?.kill(),
    end: async ({ deployment }) => deployment.replicas[0]?.start(),
    // What was sent and is no GET cannot be repeated by the ingress; a state is taken once, so a callback in flight is lost.
    maySee: /: lost connection|launch: 400 session_ended$/,
  }
}

export function createRedisRestarted(redis: { restart(): Promise<TestRedis> }): ClinicFault {
  return {
    name: 'Redis is stopped, and starts again with its data',
    begin: async () => undefined,
    end: async () => void (await redis.restart()),
    maySee: unavailable,
  }
}

export function createFailover(group: SentinelGroup): ClinicFault {
  return {
    name: 'the Redis primary dies, and Sentinel promotes its replica',
    begin: () => group.master.kill(),
    end: async () => undefined,
    maySee: unavailable,
  }
}

/** Faults of the EHR and of the machine, in the order in which they happen. */
export function commonFaults({
  timeoutMs,
}: Pick<ClinicOptions, 'timeoutMs'>): readonly ClinicFault[] {
  return [
    ehr('the EHR is slow', [{ where: 'fhir', kind: 'delay', delayMs: timeoutMs / 3 }], nothing),
    ehr(
      'the EHR is too slow',
      [{ where: 'fhir', kind: 'delay', delayMs: timeoutMs * 1.5 }],
      unavailableOrBusy,
    ),
    ehr('the EHR answers 503', [{ where: 'any', kind: 'status', status: 503 }], ehrDown),
    ehr('the EHR resets connections', [{ where: 'any', kind: 'reset' }], ehrDown),
    ehr('the token endpoint fails', [{ where: 'token', kind: 'status', status: 500 }], unavailable),
    {
      name: 'the disk of one replica is full',
      begin: async (clinic) => limitFiles(clinic, 'full'),
      end: async (clinic) => limitFiles(clinic, 'room'),
      maySee: unavailable,
    },
    machine('the clock steps five minutes ahead', { clockOffsetMs: 300_000 }, clockStep),
    machine('the clock steps five minutes back', { clockOffsetMs: -300_000 }, clockStep),
    {
      name: 'DNS fails, and connections break',
      begin: async (clinic) => {
        clinic.machine({ dns: 'fails' })
        clinic.deployment.sandbox.control.setFaults([{ where: 'fhir', kind: 'reset', times: 40 }])
      },
      end: async (clinic) => {
        clinic.machine({})
        clinic.deployment.sandbox.control.setFaults([])
      },
      maySee: unavailable,
    },
  ]
}

/** The EHR's own pages are down too, so a launch may end at one of them. */
const ehrDown = /: (50[0234]|429) data_unavailable$|launch: (503$|lost)/
/**
 * An id_token from the future or the past is no proof of who is signed in, nor is our own assertion one to the EHR; a
 * token may need a new one at once; and a launch that is on its way while the clock is set may come back too late.
 */
const clockStep = /: 50[0234] data_unavailable$|launch: (403 not_permitted|400 session_ended)$/

type Fault = Parameters<Clinic['deployment']['sandbox']['control']['setFaults']>[0][number]

function ehr(name: string, faults: readonly Fault[], maySee: RegExp): ClinicFault {
  return {
    name,
    begin: async ({ deployment }) => deployment.sandbox.control.setFaults(faults),
    end: async ({ deployment }) => deployment.sandbox.control.setFaults([]),
    maySee,
  }
}

function machine(
  name: string,
  faults: Parameters<Clinic['machine']>[0],
  maySee: RegExp,
): ClinicFault {
  return {
    name,
    begin: async (clinic) => clinic.machine(faults),
    end: async (clinic) => clinic.machine({}),
    maySee,
  }
}

/** A limit on the size of files: what a full disk is to a process, without a disk of its own. */
function limitFiles({ deployment }: Clinic, disk: 'full' | 'room'): void {
  const [replica] = deployment.replicas
  if (replica === undefined) throw new Error('no replica')
  const sizes = readdirSync(replica.auditFolder).map(
    (name) => statSync(join(replica.auditFolder, name)).size,
  )
  const soft = disk === 'room' ? 'unlimited' : Math.max(...sizes)
  const set = spawnSync('prlimit', [`--pid=${replica.pid()}`, `--fsize=${soft}:unlimited`])
  if (set.status !== 0) {
    throw new Error(`prlimit: ${String(set.stderr)}\n${replica.output().slice(-4000)}`)
  }
}
