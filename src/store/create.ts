import type { Config } from '../config/schema/config.ts'
import { createEmbeddedStore } from './embedded.ts'
import { createRedisStore } from './redis.ts'
import type { StoreFault } from './redis/fault.ts'
import type { Store } from './store.ts'

/** The store that the configuration names; the embedded one passes only in development (src/config/relations). */
export function createStore(
  config: Config['store'],
  deps: {
    readonly now: () => number
    readonly onFault: (fault: StoreFault) => void
    readonly onAnswer?: (operation: string, seconds: number) => void
  },
): Store {
  return 'redis' in config
    ? createRedisStore({ config: config.redis, ...deps })
    : createEmbeddedStore({ now: deps.now })
}

/** In which form launch records are to be written; undefined where the configuration does not say. */
export const recordForm = (config: Config['store']) => ({
  launchRecords: 'redis' in config ? config.redis.launchRecords : undefined,
})
