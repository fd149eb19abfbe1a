import type { Store } from '../store.ts'
import type { RedisClient } from './client.ts'
import type { RedisAsker } from './fault.ts'
import { matrixName } from './names.ts'

/** The launch matrix: counters without PHI, one hash for each mode. */
export function matrixPart(
  client: RedisClient,
  ask: RedisAsker,
): Pick<Store, 'addToMatrix' | 'readMatrix'> {
  return {
    async addToMatrix(of, counts, lifeMs) {
      if (counts.size === 0) return
      const added = [...counts].flat()
      await ask('addToMatrix', () => client.bffAddToMatrix(matrixName(of), lifeMs, ...added))
    },

    async readMatrix(of) {
      const fields = await ask('readMatrix', () => client.hgetall(matrixName(of)))
      return new Map(Object.entries(fields ?? {}).map(([field, count]) => [field, Number(count)]))
    },
  }
}
