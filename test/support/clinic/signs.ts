import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Replica } from '../deployment.ts'
import { plainFetch } from '../http.ts'
import type { Clinic } from './clinic.ts'

/** How a fault shows that it has happened, whatever users saw of it. */
export interface Sign {
  readonly what: string
  readonly seen: string | number
  /** It can only be seen so because of the fault. */
  readonly shown: boolean
}

/** Looks now. */
export type Evidence = () => Promise<readonly Sign[]>

const againMs = 200

/** Looks until everything is shown; after the limit it answers what was seen last. */
export async function lookFor(evidence: Evidence, limitMs: number): Promise<readonly Sign[]> {
  const deadline = performance.now() + limitMs
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- one look after the other is the point
    const signs = await evidence()
    if (signs.every(({ shown }) => shown) || performance.now() > deadline) return signs
    // oxlint-disable-next-line no-await-in-loop -- see above
    await sleep(againMs)
  }
}

export const atLeast = (least: number, what: string, seen: number): Sign => ({
  what,
  seen,
  shown: seen >= least,
})

export const exactly = <Seen extends string | number>(
  wanted: Seen,
  what: string,
  seen: Seen,
): Sign => ({ what, seen, shown: seen === wanted })

/** What a replica says of itself in its metrics: the sum of all series of this name that have this label. */
export async function metricOf(replica: Replica, name: string, label = ''): Promise<number> {
  const response = await plainFetch(`${replica.operations()}/metrics`)
  const series = (await response.text())
    .split('\n')
    .filter((line) => /^\w+/.exec(line)?.[0] === `smart_bff_${name}` && line.includes(label))
  return series.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

export async function metricOfAll(clinic: Clinic, name: string, label?: string): Promise<number> {
  const all = clinic.deployment.replicas.map((replica) => metricOf(replica, name, label))
  return (await Promise.all(all)).reduce((sum, count) => sum + count, 0)
}

/** How much more it is, of all replicas together, than it was now. */
export async function sinceNow(
  clinic: Clinic,
  name: string,
  label?: string,
): Promise<() => Promise<number>> {
  const before = await metricOfAll(clinic, name, label)
  return async () => (await metricOfAll(clinic, name, label)) - before
}

/** What became of a connection: `open`, `ECONNREFUSED`. */
export async function connection(port: number, host = 'localhost'): Promise<string> {
  const socket = connect({ host, port })
  try {
    await once(socket, 'connect')
    return 'open'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  } finally {
    socket.destroy()
  }
}
