import type { MatrixKey, Store } from '../store/store.ts'

/**
 * Counters that are kept in memory and written to the store now and then, off the way of every request. What could not
 * be written waits, within a bound; its loss harms nobody.
 */
export interface Counters {
  add(of: MatrixKey, names: readonly string[]): void
  flush(): Promise<void>
  /** Writes what is left. */
  stop(): Promise<void>
}

export interface CountersDeps {
  readonly store: Pick<Store, 'addToMatrix'>
  /** How long a set of counters lives after the last addition. */
  readonly lifeMs: number
  readonly flushMs?: number | undefined
}

const flushMsDefault = 5_000
/** For one set, by far. */
const fieldsMax = 2_000
/** While the store is down sets must not gather. */
const setsMax = 1_000

interface Waiting extends MatrixKey {
  readonly counts: Map<string, number>
}

export function createCounters({ store, lifeMs, flushMs }: CountersDeps): Counters {
  const waiting = new Map<string, Waiting>()

  function addOne({ tenant, mode }: MatrixKey, name: string, count: number): void {
    const key = `${tenant}:${mode}`
    const known = waiting.get(key)
    if (known === undefined && waiting.size >= setsMax) return
    const counts = known?.counts ?? new Map<string, number>()
    if (known === undefined) waiting.set(key, { tenant, mode, counts })
    if (counts.size < fieldsMax || counts.has(name)) {
      counts.set(name, (counts.get(name) ?? 0) + count)
    }
  }

  async function flush(): Promise<void> {
    const batch = [...waiting.values()]
    waiting.clear()
    for (const { tenant, mode, counts } of batch) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- a few sets, and nobody waits
        await store.addToMatrix({ tenant, mode }, counts, lifeMs)
      } catch {
        for (const [name, count] of counts) addOne({ tenant, mode }, name, count)
      }
    }
  }

  let underway = Promise.resolve()
  const timer = setInterval(() => {
    underway = underway.then(flush)
  }, flushMs ?? flushMsDefault)
  timer.unref()
  return {
    add: (of, names) => {
      for (const name of names) addOne(of, name, 1)
    },
    flush: () => (underway = underway.then(flush)),
    stop: async () => {
      clearInterval(timer)
      await (underway = underway.then(flush))
    },
  }
}
