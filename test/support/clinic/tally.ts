/** What users saw, phase by phase. */
export interface Tally {
  /** From now on everything counts here. */
  phase(name: string): void
  /** `action` is what the user did; `seen` what came back: `200`, `503 data_unavailable`, `lost connection`. */
  count(action: string, seen: string): void
  /** So many launches are open now. */
  live(count: number): void
  /** An answer about somebody else, or one that no state explains. */
  wrong(what: string): void
  readonly wrongs: readonly string[]
  /** Of all phases together. */
  troubles(): number
  rows(): readonly TallyRow[]
}

export interface TallyRow {
  readonly phase: string
  readonly seconds: number
  /** The fewest launches that were open at any moment of it. */
  readonly leastLive: number
  readonly requests: number
  /** Everything but a plain success, with how often. */
  readonly troubles: Readonly<Record<string, number>>
}

interface Phase {
  readonly name: string
  readonly begun: number
  leastLive: number
  readonly counts: Map<string, number>
}

const wrongsKept = 50
const fine = 'fine'

export function createTally(): Tally {
  const wrongs: string[] = []
  let troubles = 0
  let live = 0
  const begin = (name: string): Phase => ({
    name,
    begun: performance.now(),
    leastLive: live,
    counts: new Map(),
  })
  let current = begin('')
  const phases: Phase[] = []
  return {
    phase: (name) => {
      current = begin(name)
      phases.push(current)
    },
    count: (action, seen) => {
      const key = /^2\d\d$/.test(seen) ? fine : `${action}: ${seen}`
      if (key !== fine) troubles += 1
      current.counts.set(key, (current.counts.get(key) ?? 0) + 1)
    },
    live: (count) => {
      live = count
      current.leastLive = Math.min(current.leastLive, count)
    },
    wrong: (what) => {
      if (wrongs.length < wrongsKept) wrongs.push(what)
    },
    wrongs,
    troubles: () => troubles,
    rows: () =>
      phases.map(({ name, begun, leastLive, counts }, index) => ({
        phase: name,
        seconds: Math.round(((phases[index + 1]?.begun ?? performance.now()) - begun) / 100) / 10,
        leastLive,
        requests: [...counts.values()].reduce((sum, count) => sum + count, 0),
        troubles: Object.fromEntries([...counts].filter(([key]) => key !== fine)),
      })),
  }
}
