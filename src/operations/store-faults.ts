import type { StoreFault } from '../store/redis/fault.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

export interface StoreFaults {
  readonly report: (fault: StoreFault) => void
  /** What broke the connection last, for a start that fails; `not_connected` says less than that. */
  last(): StoreFault | undefined
}

/** A fault of the store, counted and said: never a key or a value. */
export function reportStoreFault(log: Log, metrics: Metrics): StoreFaults {
  let last: StoreFault | undefined
  return {
    report: (fault) => {
      if (fault.reason !== 'not_connected') last = fault
      metrics.storeFault(fault.operation)
      log.warn({ event: 'store.fault', ...fault })
    },
    last: () => last,
  }
}
