/** What users saw, phase by phase. */
export interface Tally {
  /** From now on everything counts here. */
  phase(name: string): void
  /** `action` is what the user did; `seen` what came back: `200`, `503 data_unavailable`, `lost connection`. */
  count(action: string, seen: string): void
  /** An answer about somebody else, or one that no state explains. */
  wrong(what: string): void
  readonly wrongs: readonly string[]
  /** Of all phases together. */
  troubles(): number
  rows(): readonly TallyRow[]
}

export interface TallyRow {
  readonly phase: string
  readonly requests: number
  /** Everything but a plain success, with how often. */
  readonly troubles: Readonly<Record<string, number>>
}

const wrongsKept = 50
const fine = 'fine'

export function createTally(): Tally {
  const phases = new Map<string, Map<string, number>>()
  const wrongs: string[] = []
  let troubles = 0
  let current = new Map<string, number>()
  return {
    phase: (name) => {
      current = phases.get(name) ?? new Map<string, number>()
      phases.set(name, current)
    },
    count: (action, seen) => {
      const key = /^2\d\d$/.test(seen) ? fine : `${action}: ${seen}`
      if (key !== fine) troubles += 1
      current.set(key, (current.get(key) ?? 0) + 1)
    },
    wrong: (what) => {
      if (wrongs.length < wrongsKept) wrongs.push(what)
    },
    wrongs,
    troubles: () => troubles,
    rows: () =>
      [...phases].map(([phase, counts]) => ({
        phase,
        requests: [...counts.values()].reduce((sum, count) => sum + count, 0),
        troubles: Object.fromEntries([...counts].filter(([key]) => key !== fine)),
      })),
  }
}
