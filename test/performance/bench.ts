import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { folder, openLab, say } from './harness.ts'
import type { Lab } from './harness.ts'
import { compareWithHistory, keep } from './history.ts'
import { launches } from './sections/launches.ts'
import { limits } from './sections/limits.ts'
import { live } from './sections/live.ts'
import { parts } from './sections/parts.ts'
import { proxies } from './sections/proxies.ts'
import { scaling } from './sections/scaling.ts'

/**
 * `npm run bench`: every figure of docs/performance.md. `npm run bench -- --quick proxies limits` runs a part, briefly;
 * `--keep` adds the figures to history.json, and each run is held against the last one there.
 */
export type Figures = Readonly<Record<string, number>>

export interface Plan {
  readonly rounds: number
  readonly roundMs: number
  readonly launches: number
  readonly calls: number
  /** Numbers of live launches. */
  readonly live: readonly number[]
}

const whole: Plan = {
  rounds: 5,
  roundMs: 1500,
  launches: 400,
  calls: 5000,
  live: [1000, 10_000, 100_000],
}
const quick: Plan = { rounds: 3, roundMs: 700, launches: 100, calls: 1000, live: [1000, 10_000] }

const sections: Readonly<Record<string, (lab: Lab, plan: Plan) => Promise<Figures>>> = {
  proxies,
  launches,
  parts,
  scaling,
  live,
  limits,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, keep: { type: 'boolean' } },
})
await main()

async function main(): Promise<void> {
  const unknown = positionals.filter((name) => sections[name] === undefined)
  if (unknown.length > 0) {
    say(`There is no section ${unknown.join(', ')}; there are ${Object.keys(sections).join(', ')}.`)
    process.exitCode = 64
    return
  }
  const names = positionals.length === 0 ? Object.keys(sections) : positionals
  if (names.includes('proxies')) installComparators()
  const results: Record<string, Figures> = {}
  const lab = await openLab()
  try {
    for (const name of names) {
      await lab.empty()
      const figures = await sections[name]?.(lab, values.quick === true ? quick : whole)
      if (figures !== undefined) results[name] = figures
    }
  } finally {
    await lab.stop()
  }
  compareWithHistory(results)
  if (values.keep === true) keep(results)
}

/** Once; the registry is asked for nothing when they are there. */
function installComparators(): void {
  const cwd = `${folder}comparators`
  if (existsSync(`${cwd}/node_modules/express-openid-connect`)) return
  execFileSync('npm', ['install', '--no-package-lock', '--loglevel=error'], {
    cwd,
    stdio: 'inherit',
  })
}
