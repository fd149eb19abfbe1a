import type { HealthStatus } from './health.ts'
import type { Log } from './log.ts'

/** A change of readiness, in the application log: a warning unless all is well. */
export function reportReadiness(log: Log): (status: HealthStatus) => void {
  return ({ word, ready }) => {
    const event = { event: 'readiness.changed', ready, reason: word } as const
    return word === 'ready' ? log.info(event) : log.warn(event)
  }
}
