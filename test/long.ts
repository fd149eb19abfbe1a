import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * What `npm run test:long` runs: every test/long/*.long.ts, one after the other, because each wants the machine for
 * itself. `npm run test:long -- refresh` runs those whose names begin so. How each went last is kept in the repository:
 * test/long/report.json.
 */
const folder = join(import.meta.dirname, 'long')
/** Of a whole file; each test in it has a shorter one of its own. Tap's own is half a minute. */
const timeoutSeconds = 2 * 3600
const wanted = process.argv.slice(2)

const results = readdirSync(folder)
  .filter((name) => name.endsWith('.long.ts'))
  .filter((name) => wanted.length === 0 || wanted.some((start) => name.startsWith(start)))
  .toSorted()
  .map((name) => {
    const started = performance.now()
    process.stdout.write(`\n${name}\n`)
    const { status } = spawnSync(process.execPath, [join(folder, name)], {
      stdio: 'inherit',
      env: { ...process.env, TAP_TIMEOUT: String(timeoutSeconds) },
    })
    const seconds = Math.round((performance.now() - started) / 100) / 10
    return { name, passed: status === 0, seconds }
  })

for (const { name, passed, seconds } of results) {
  process.stdout.write(`${passed ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`)
}
keep()
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1

/** Of those that ran the newest result, of the others the one before; a file that is no more has none. */
function keep(): void {
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
