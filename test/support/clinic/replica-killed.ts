import type { Replica } from '../deployment.ts'
import { plainFetch } from '../http.ts'
import type { Clinic } from './clinic.ts'
import type { ClinicFault } from './faults.ts'
import { connection, exactly } from './signs.ts'

/** SIGKILL in the middle of the work. */
export function createReplicaKilled(): ClinicFault {
  return {
    name: 'a replica is killed, and comes back',
    begin: async (clinic) => {
      const replica = first(clinic)
      const pid = replica.pid()
      await replica.kill()
      const port = Number(new URL(replica.public).port)
      return async () => [
        exactly('gone', 'its process', aliveOrGone(pid)),
        exactly('ECONNREFUSED', 'a connection to it', await connection(port)),
      ]
    },
    end: async (clinic) => {
      const replica = first(clinic)
      await replica.start()
      return async () => [
        exactly('200 ready', 'its readiness once it is back', await readinessOf(replica)),
      ]
    },
    // What was sent and is no GET cannot be repeated by the ingress; a state is taken once, so a callback in flight is lost.
    maySee: /: lost connection|launch: 400 session_ended$/,
  }
}

export function first({ deployment }: Clinic): Replica {
  const [replica] = deployment.replicas
  if (replica === undefined) throw new Error('no replica')
  return replica
}

export async function readinessOf(replica: Replica): Promise<string> {
  const response = await plainFetch(`${replica.operations()}/readyz`)
  return `${response.status} ${await response.text()}`.trim()
}

/** Signal 0 asks whether there is such a process, and does nothing to it. */
function aliveOrGone(pid: number): 'alive' | 'gone' {
  try {
    process.kill(pid, 0)
    return 'alive'
  } catch {
    return 'gone'
  }
}
