import { spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * What `npm run test:long` runs: every test/long/*.long.ts, one after the other, because each wants the machine for
 * itself. `npm run test:long -- refresh` runs those whose names begin so. The last report is kept in the repository:
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
if (wanted.length === 0) {
  const report = { day: new Date().toISOString().slice(0, 10), node: process.version, results }
  writeFileSync(join(folder, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`)
}
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1
