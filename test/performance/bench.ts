import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { canPin, folder, openLab, say } from './harness.ts'
import type { Lab } from './harness.ts'
import { exitUnavailable, programsAreThere } from '../support/install.ts'
import { reached } from './goals.ts'
import { asJson, compare, keep, readHistory, thisRun } from './history.ts'
import type { Run } from './history.ts'
import { launches } from './sections/launches.ts'
import { limits } from './sections/limits.ts'
import { live } from './sections/live.ts'
import { parts } from './sections/parts.ts'
import { proxies } from './sections/proxies.ts'
import { scaling } from './sections/scaling.ts'

/** `npm run bench`: every figure of docs/performance.md. */
const help = `npm run bench -- [--quick] [--keep] [--json FILE] [SECTION...]

Prints the figures of docs/performance.md, how each stands to its goal and to the last run that was kept, and writes
the whole as JSON. With sections, only those:

  proxies     smart-bff beside other proxies: requests a second, latencies, CPU a request, memory, ratios
  launches    launches a second, the EHR excluded
  parts       store, vault and audit by themselves
  scaling     one process and two on one Redis
  live        cost against the number of live launches, 1,000 to 100,000
  limits      cold start, 500 connections at once, an answer of 5 MB

  --quick       shorter rounds, up to 10,000 live launches
  --keep        adds the run to test/performance/history.json
  --json FILE   where the JSON goes; otherwise test/performance/last.json
`

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

await main()

async function main(): Promise<void> {
  const read = readOptions()
  if (typeof read === 'string') {
    process.stderr.write(`bench: ${read}. See npm run bench -- --help\n`)
    process.exitCode = 64
    return
  }
  const { values, positionals } = read
  if (values.help === true) return say(help.trimEnd())
  const names = positionals.length === 0 ? Object.keys(sections) : positionals
  if (!programsAreThere({ who: 'The figures', say, only: ['redis-server'] })) {
    process.exitCode = exitUnavailable
    return
  }
  if (names.includes('proxies')) installComparators()
  const run = thisRun(await measure(names, values.quick === true ? quick : whole), canPin)
  sayGoals(run)
  sayChanges(run)
  const file = values.json ?? `${folder}last.json`
  writeFileSync(file, asJson(run))
  say(`\nThe whole as JSON: ${file}`)
  if (values.keep === true) keep(run)
}

/** A sentence where there is no such option or section. */
function readOptions() {
  try {
    const read = parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean' },
        quick: { type: 'boolean' },
        keep: { type: 'boolean' },
        json: { type: 'string' },
      },
    })
    const unknown = read.positionals.find((name) => sections[name] === undefined)
    return unknown === undefined ? read : `there is no section ${unknown}`
  } catch (error) {
    // The first sentence of Node's tells which; the rest is advice on another matter.
    return (error instanceof Error ? error.message : '').split('. ', 1)[0] ?? ''
  }
}

async function measure(names: readonly string[], plan: Plan): Promise<Record<string, Figures>> {
  const results: Record<string, Figures> = {}
  const lab = await openLab()
  try {
    for (const name of names) {
      await lab.empty()
      const figures = await sections[name]?.(lab, plan)
      if (figures !== undefined) results[name] = figures
    }
  } finally {
    await lab.stop()
  }
  return results
}

function sayGoals({ results }: Run): void {
  say('\n| figure | seen | goal | |\n| --- | ---: | ---: | --- |')
  for (const { figure, seen, goal, met } of reached(results)) {
    say(`| ${figure} | ${seen.toPrecision(3)} | ${String(goal)} | ${met ? 'met' : 'missed'} |`)
  }
}

function sayChanges(run: Run): void {
  const changes = compare(run, readHistory())
  const worse = changes.filter((change) => change.worse)
  say(
    `\n${String(changes.length)} figures against the last kept runs, ${String(worse.length)} worse.`,
  )
  for (const { figure, before, now, date } of worse) {
    say(`WORSE: ${figure}: ${now.toPrecision(3)}, was ${before.toPrecision(3)} on ${date}`)
  }
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
