import type { MatrixKey, Store } from '../store.ts'

/** The launch matrix in memory: the configuration bounds the modes, and the recorder the fields. */
export function matrixPart(now: () => number): Pick<Store, 'addToMatrix' | 'readMatrix'> {
  const kept = new Map<string, { readonly counts: Map<string, number>; expiresAt: number }>()
  const live = ({ tenant, mode }: MatrixKey): ReadonlyMap<string, number> => {
    const held = kept.get(`${tenant}:${mode}`)
    return held !== undefined && held.expiresAt > now() ? held.counts : new Map()
  }
  return {
    addToMatrix: async (of, counts, lifeMs) => {
      if (counts.size === 0) return
      const sums = new Map(live(of))
      for (const [field, count] of counts) sums.set(field, (sums.get(field) ?? 0) + count)
      // A set of a day is not added to again: what is over goes before another comes.
      for (const [name, { expiresAt }] of kept) if (expiresAt <= now()) kept.delete(name)
      kept.set(`${of.tenant}:${of.mode}`, { counts: sums, expiresAt: now() + lifeMs })
    },
    readMatrix: async (of) => new Map(live(of)),
  }
}
