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
  let sets: Waiting[] = []
  /** The same by tenant and mode: this stands on the way of every FHIR request, and one key of both would be made anew. */
  let byMode = new Map<string, Map<string, Waiting>>()

  function begin({ tenant, mode }: MatrixKey): Waiting | undefined {
    if (sets.length >= setsMax) return undefined
    const set = { tenant, mode, counts: new Map<string, number>() }
    sets.push(set)
    const modes = byMode.get(tenant) ?? new Map<string, Waiting>()
    byMode.set(tenant, modes.set(mode, set))
    return set
  }

  function add(of: MatrixKey, names: Iterable<string>, count: (name: string) => number): void {
    const counts = (byMode.get(of.tenant)?.get(of.mode) ?? begin(of))?.counts
    if (counts === undefined) return
    for (const name of names) {
      const sofar = counts.get(name)
      if (sofar !== undefined || counts.size < fieldsMax) {
        counts.set(name, (sofar ?? 0) + count(name))
      }
    }
  }

  async function flush(): Promise<void> {
    const batch = sets
    sets = []
    byMode = new Map()
    for (const { tenant, mode, counts } of batch) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- a few sets, and nobody waits
        await store.addToMatrix({ tenant, mode }, counts, lifeMs)
      } catch {
        add({ tenant, mode }, counts.keys(), (name) => counts.get(name) ?? 0)
      }
    }
  }

  let underway = Promise.resolve()
  const timer = setInterval(() => {
    underway = underway.then(flush)
  }, flushMs ?? flushMsDefault)
  timer.unref()
  return {
    add: (of, names) => add(of, names, one),
    flush: () => (underway = underway.then(flush)),
    stop: async () => {
      clearInterval(timer)
      await (underway = underway.then(flush))
    },
  }
}

const one = (): number => 1
