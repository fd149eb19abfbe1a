import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { goals, reached } from './goals.ts'
import type { Results } from './goals.ts'

/** Runs as JSON: the one that has just been made, and those that are kept, so that a regression shows. */
const file = fileURLToPath(new URL('history.json', import.meta.url))

export interface Run {
  readonly date: string
  readonly machine: Machine
  readonly results: Results
}

interface Machine {
  readonly cores: number
  /** Runs from before this was noted are of no known machine. */
  readonly cpu?: string
  readonly node: string
  readonly pinned: boolean
}

export interface Change {
  readonly figure: string
  readonly before: number
  readonly now: number
  readonly date: string
  readonly worse: boolean
}

export function thisRun(results: Results, pinned: boolean): Run {
  const [one] = cpus()
  const machine = { cores: cpus().length, cpu: one?.model ?? '', node: process.version, pinned }
  return { date: new Date().toISOString(), machine, results: rounded(results) }
}

/** Each figure against the last kept run that has it; CPU only against one of the same machine and Node. */
export function compare(run: Run, kept: readonly Run[]): readonly Change[] {
  return [...measures(run.results)].flatMap(([figure, { value, more, cpu }]) => {
    const last = kept.findLast(
      (one) => measures(one.results).has(figure) && (!cpu || isSame(one.machine, run.machine)),
    )
    const before = last && measures(last.results).get(figure)?.value
    if (last === undefined || before === undefined) return []
    const tolerance = cpu ? cpuTolerance : ratioTolerance
    const worse = more ? value < before * (1 - tolerance) : value > before * (1 + tolerance)
    return [{ figure, before, now: value, date: last.date.slice(0, 10), worse }]
  })
}

/** More than noise on a quiet machine. */
const ratioTolerance = 0.1
const cpuTolerance = 0.25

interface Measure {
  readonly value: number
  readonly more: boolean
  readonly cpu: boolean
}

/** What is held against earlier runs: every figure with a goal, and what the parts by themselves cost. */
function measures(results: Results): ReadonlyMap<string, Measure> {
  const found = new Map<string, Measure>()
  for (const { figure, more, kind, seen } of goals) {
    const value = kind === 'restless' ? undefined : seen(results)
    if (value !== undefined) found.set(figure, { value, more, cpu: kind === 'cpu' })
  }
  for (const [section, figures] of Object.entries(results)) {
    for (const [name, value] of Object.entries(figures)) {
      const cpu = /CPU|cpu ms/.test(name) || section === 'parts'
      if ((cpu || /bytes/.test(name)) && !found.has(name)) {
        found.set(name, { value, more: false, cpu })
      }
    }
  }
  return found
}

const isSame = (one: Machine, other: Machine): boolean =>
  one.cpu === other.cpu && one.cores === other.cores && one.node === other.node

export function readHistory(): readonly Run[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Run[]) : []
}

export function keep(run: Run): void {
  writeFileSync(file, `${JSON.stringify([...readHistory(), run], undefined, 2)}\n`)
}

/** What `--json` writes: the run, and how it stands to its goals. */
export const asJson = (run: Run): string =>
  `${JSON.stringify({ ...run, goals: reached(run.results) }, undefined, 2)}\n`

function rounded(results: Results): Results {
  const shorten = (figures: Readonly<Record<string, number>>) =>
    Object.fromEntries(
      Object.entries(figures).map(([name, value]) => [name, Number(value.toPrecision(4))]),
    )
  return Object.fromEntries(Object.entries(results).map(([name, one]) => [name, shorten(one)]))
}
