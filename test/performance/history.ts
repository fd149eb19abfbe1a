import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { canPin, folder, say } from './harness.ts'

/** The kept figures of earlier runs, so that a regression shows. Times of different machines say nothing: ratios do. */
const file = `${folder}history.json`

type Results = Readonly<Record<string, Readonly<Record<string, number>>>>

interface Run {
  readonly date: string
  readonly machine: { readonly cores: number; readonly node: string; readonly pinned: boolean }
  readonly results: Results
}

const bare = 'bare node:http + undici'
const ours = 'smart-bff on Redis'
/** More than noise on a quiet machine. */
const tolerance = 0.1

/** Says where the ratio of bare to ours fell against the last kept run. */
export function compareWithHistory(results: Results): void {
  const last = read().findLast((run) => run.results['proxies'] !== undefined)
  const now = ratios(results)
  if (last === undefined || now.size === 0) return
  say(`\nAgainst the run of ${last.date.slice(0, 10)}:`)
  for (const [body, ratio] of now) {
    const before = ratios(last.results).get(body)
    if (before === undefined) continue
    const word = ratio < before * (1 - tolerance) ? 'WORSE' : 'no worse'
    say(`${body}: bare / smart-bff ${ratio.toFixed(2)}, was ${before.toFixed(2)}: ${word}`)
  }
}

export function keep(results: Results): void {
  const run: Run = {
    date: new Date().toISOString(),
    machine: { cores: cpus().length, node: process.version, pinned: canPin },
    results: rounded(results),
  }
  writeFileSync(file, `${JSON.stringify([...read(), run], undefined, 2)}\n`)
}

function read(): readonly Run[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Run[]) : []
}

function ratios(results: Results): ReadonlyMap<string, number> {
  const figures = results['proxies'] ?? {}
  const found = new Map<string, number>()
  for (const [name, value] of Object.entries(figures)) {
    const [body = '', proxy, figure] = name.split(' / ')
    if (proxy !== ours || figure !== 'cpuMicroseconds') continue
    found.set(body, (figures[`${body} / ${bare} / cpuMicroseconds`] ?? 0) / value)
  }
  return found
}

function rounded(results: Results): Results {
  const shorten = (figures: Readonly<Record<string, number>>) =>
    Object.fromEntries(
      Object.entries(figures).map(([name, value]) => [name, Number(value.toPrecision(4))]),
    )
  return Object.fromEntries(Object.entries(results).map(([name, one]) => [name, shorten(one)]))
}
