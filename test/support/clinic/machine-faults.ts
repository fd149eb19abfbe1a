import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Replica } from '../deployment.ts'
import type { ClinicFault } from './faults.ts'
import { first, readinessOf } from './replica-killed.ts'
import { atLeast, exactly, metricOf, type Sign, sinceNow } from './signs.ts'

const unavailable = /: 50[0234] data_unavailable$/

export const createMachineFaults = (): readonly ClinicFault[] => [
  createDiskFull(),
  createClockStep('the clock steps five minutes ahead', 300),
  createClockStep('the clock steps five minutes back', -300),
  createDnsFailure(),
]

function createDiskFull(): ClinicFault {
  return {
    name: 'the disk of one replica is full',
    begin: async (clinic) => {
      const replica = first(clinic)
      const spoken = replica.output().length
      limitFiles(replica, '0')
      return async () => [
        exactly('EFBIG', 'what its log says of the audit', failureIn(replica, spoken)),
        exactly(0, 'smart_bff_audit_writable', await metricOf(replica, 'audit_writable')),
        exactly('503 unavailable', 'its readiness', await readinessOf(replica)),
      ]
    },
    end: async (clinic) => {
      const replica = first(clinic)
      limitFiles(replica, 'unlimited')
      return async () => [
        exactly('200 ready', 'its readiness with room again', await readinessOf(replica)),
      ]
    },
    maySee: unavailable,
  }
}

/** A limit on the size of files: what a full disk is to a process, without a disk of its own. */
function limitFiles(replica: Replica, soft: '0' | 'unlimited'): void {
  const set = spawnSync('prlimit', [`--pid=${replica.pid()}`, `--fsize=${soft}:unlimited`])
  if (set.status !== 0) {
    throw new Error(`prlimit: ${String(set.stderr)}\n${replica.output().slice(-4000)}`)
  }
}

const failureIn = (replica: Replica, from: number): string =>
  /"event":"audit\.failing","code":"(\w+)"/.exec(replica.output().slice(from))?.[1] ?? 'nothing'

/**
 * An id_token from the future or the past is no proof of who is signed in, nor is our own assertion one to the EHR; a
 * token may need a new one at once; and a launch that is on its way while the clock is set may come back too late.
 */
const clockStep = /: 50[0234] data_unavailable$|launch: (403 not_permitted|400 session_ended)$/
const clockToleranceSeconds = 30

function createClockStep(name: string, seconds: number): ClinicFault {
  const seenBy = (replica: Replica): Sign => {
    const seen = recordsAhead(replica)
    return {
      what: `seconds that the records of ${instance(replica)} are ahead of the machine`,
      seen,
      shown: Math.abs(seen - seconds) < clockToleranceSeconds,
    }
  }
  return {
    name,
    begin: async (clinic) => {
      const skews = await sinceNow(clinic, 'store_faults_total', 'operation="clock"')
      clinic.machine({ clockOffsetMs: seconds * 1000 })
      const { replicas } = clinic.deployment
      return async () => [
        ...replicas.map(seenBy),
        atLeast(replicas.length, 'replicas that say so of themselves', await skews()),
      ]
    },
    end: async (clinic) => clinic.machine({}),
    maySee: clockStep,
  }
}

const instance = ({ auditFolder }: Replica): string => `replica ${auditFolder.slice(-1)}`

const tailBytes = 65_536

/** The time in the newest record against the time that the kernel gave to the file when it was written. */
function recordsAhead({ auditFolder }: Replica): number {
  const [newest] = readdirSync(auditFolder)
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => ({ path: join(auditFolder, name), ...times(join(auditFolder, name)) }))
    .toSorted((one, other) => other.writtenAt - one.writtenAt)
  if (newest === undefined) throw new Error('no audit file')
  const tail = Buffer.alloc(Math.min(tailBytes, newest.size))
  const file = openSync(newest.path, 'r')
  readSync(file, tail, 0, tail.length, newest.size - tail.length)
  closeSync(file)
  const time = [...tail.toString().matchAll(/"time":"([^"]+)"/g)].at(-1)?.[1] ?? ''
  return Math.round((Date.parse(time) - newest.writtenAt) / 1000)
}

function times(path: string): { readonly size: number; readonly writtenAt: number } {
  const { size, mtimeMs } = statSync(path)
  return { size, writtenAt: mtimeMs }
}

function createDnsFailure(): ClinicFault {
  return {
    name: 'DNS fails, and connections break',
    begin: async (clinic) => {
      const { sandbox, replicas } = clinic.deployment
      const before = clinic.lookupsFailed()
      clinic.machine({ dns: 'fails' })
      // Who has a connection looks nothing up: each breaks at its next use.
      sandbox.control.setFaults([{ where: 'fhir', kind: 'reset' }])
      return async () => {
        const now = clinic.lookupsFailed()
        return replicas.map((replica, index) =>
          atLeast(
            1,
            `lookups of ${instance(replica)} that failed`,
            (now[index] ?? 0) - (before[index] ?? 0),
          ),
        )
      }
    },
    end: async (clinic) => {
      clinic.machine({})
      clinic.deployment.sandbox.control.setFaults([])
    },
    maySee: unavailable,
  }
}
