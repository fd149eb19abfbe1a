import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { readFigures, type Figures } from './support/figures.ts'
import { exitUnavailable, programsAreThere } from './support/install.ts'

/**
 * What `npm run test:long` runs: every test/long/*.long.ts, one after the other, because each wants the machine for
 * itself. `npm run test:long -- refresh` runs those whose names begin so. How each went last, with the figures that it
 * told (test/support/figures.ts), is kept in the repository: test/long/report.json.
 */
const folder = join(import.meta.dirname, 'long')
/** Of a whole file; each test in it has a shorter one of its own. Tap's own is half a minute. */
const timeoutSeconds = 2 * 3600

interface Result {
  readonly name: string
  readonly passed: boolean
  readonly seconds: number
  readonly figures?: Figures
}

process.exitCode = await main(process.argv.slice(2))

async function main(wanted: readonly string[]): Promise<number> {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.long.ts'))
    .filter((name) => wanted.length === 0 || wanted.some((start) => name.startsWith(start)))
    .toSorted()
  if (names.length === 0) {
    say(`No long test begins with ${wanted.join(' or ')}.`)
    return 64
  }
  if (!programsAreThere({ who: 'The long tests', say })) return exitUnavailable
  const results: Result[] = []
  // oxlint-disable-next-line no-await-in-loop -- each wants the machine for itself
  for (const name of names) results.push(await run(name))
  for (const { name, passed, seconds } of results) {
    say(`${passed ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`)
  }
  keep(results)
  return results.every(({ passed }) => passed) ? 0 : 1
}

async function run(name: string): Promise<Result> {
  const started = performance.now()
  say(`\n${name}`)
  const test = spawn(process.execPath, [join(folder, name)], {
    stdio: ['inherit', 'pipe', 'inherit'],
    env: { ...process.env, TAP_TIMEOUT: String(timeoutSeconds) },
  })
  const ended = once(test, 'close')
  const told: Figures[] = []
  for await (const line of createInterface({ input: test.stdout })) {
    say(line)
    const figures = readFigures(line)
    if (figures !== undefined) told.push(figures)
  }
  await ended
  const seconds = Math.round((performance.now() - started) / 100) / 10
  const result = { name, passed: test.exitCode === 0, seconds }
  return told.length === 0 ? result : { ...result, figures: Object.assign({}, ...told) as Figures }
}

/** Of those that ran the newest result, of the others the one before; a file that is no more has none. */
function keep(results: readonly Result[]): void {
  const path = join(folder, 'report.json')
  const before: Record<string, unknown> = existsSync(path)
    ? JSON.parse(readFileSync(path, 'utf8'))
    : {}
  const now = { day: new Date().toISOString().slice(0, 10), node: process.version }
  const ran = results.map(({ name, ...result }) => [name, { ...now, ...result }] as const)
  const all = Object.entries({ ...before, ...Object.fromEntries(ran) })
    .filter(([name]) => existsSync(join(folder, name)))
    .toSorted(([one], [other]) => one.localeCompare(other))
  writeFileSync(path, `${JSON.stringify(Object.fromEntries(all), undefined, 2)}\n`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
