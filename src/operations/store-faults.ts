import type { StoreFault } from '../store/redis/fault.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

/** A fault of the store, counted and said: never a key or a value. */
export function reportStoreFault(log: Log, metrics: Metrics) {
  return (fault: StoreFault): void => {
    metrics.storeFault(fault.operation)
    log.warn({ event: 'store.fault', ...fault })
  }
}
