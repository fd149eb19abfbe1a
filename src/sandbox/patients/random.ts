/** A small seeded generator (mulberry32), so that the same seed gives the same records, ids included. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number
  between(low: number, high: number): number
  integer(low: number, high: number): number
  /** Roughly normal, by the sum of uniform draws. */
  normal(mean: number, deviation: number): number
  pick<T>(list: readonly [T, ...T[]]): T
  /** An opaque resource id. */
  id(): string
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  const between = (low: number, high: number): number => low + (high - low) * next()
  const integer = (low: number, high: number): number => Math.floor(between(low, high + 1))
  return {
    next,
    between,
    integer,
    normal: (mean, deviation) =>
      mean + deviation * (next() + next() + next() + next() + next() + next() - 3) * 1.41,
    pick: (list) => list[integer(0, list.length - 1)] ?? list[0],
    id: () => {
      const letters = 'abcdefghjkmnpqrstuvwxyz23456789'
      return Array.from({ length: 14 }, () => letters[integer(0, letters.length - 1)]).join('')
    },
  }
}
