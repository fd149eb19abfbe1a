import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { exitUnavailable, programsAreThere } from './support/install.ts'
import { createProofs, readRequirements, unproved } from './support/requirements.ts'
import { createTapStream, type FileResult } from './support/tap-stream.ts'

/**
 * What `npm test` runs: looks for Redis and Chromium, then tap, one line a test file, and the counts at the end.
 * `npm test -- test/config test/cli/main.test.ts` runs a part.
 */

/** Test files at a time: two cores, and each file may start Redis, Chromium and servers of its own. */
const jobs = 2

const root = new URL('../', import.meta.url).pathname

const startedAt = performance.now()

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  if (!programsAreThere({ who: 'The tests', say })) return exitUnavailable
  const wanted = args.flatMap(expand)
  const tap = spawn(
    process.execPath,
    [
      join(root, 'node_modules/tap/dist/esm/run.mjs'),
      `--jobs=${jobs}`,
      '--reporter=tap',
      ...wanted,
    ],
    { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const ended = once(tap, 'close')
  const stream = createTapStream()
  const proofs = createProofs()
  const failed: string[] = []
  for await (const line of createInterface({ input: tap.stdout })) {
    proofs.line(line)
    const result = stream.line(line)
    if (result === undefined) continue
    proofs.endFile(result.file)
    report(result)
    if (!result.ok) failed.push(result.file)
  }
  await ended
  const counts = stream.counts()
  if (counts === undefined) {
    say('tap ended without a summary.')
    return tap.exitCode ?? 1
  }
  if (failed.length > 0) say(`\nFailed: ${failed.join(', ')}`)
  say(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
  say(`in ${((performance.now() - startedAt) / 60_000).toFixed(1)} minutes`)
  // Only a whole run can bear out every row.
  const open = wanted.length > 0 ? [] : unprovedRows(proofs)
  for (const sentence of open) say(`docs/smart-conformance.md: ${sentence}`)
  return open.length > 0 ? 1 : (tap.exitCode ?? 1)
}

function unprovedRows(proofs: Parameters<typeof unproved>[1]): readonly string[] {
  const table = readFileSync(join(root, 'docs/smart-conformance.md'), 'utf8')
  return unproved(readRequirements(table), proofs)
}

function report({ file, ok, seconds, output }: FileResult): void {
  if (!ok) for (const line of output) say(line)
  say(`${ok ? 'ok    ' : 'FAILED'} ${file} (${seconds.toFixed(1)} s)`)
}

/** tap takes files; a folder stands for the tests in it. */
function expand(argument: string): string[] {
  const path = join(root, argument)
  if (argument.startsWith('-') || !statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    return [argument]
  }
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(argument, name))
    .toSorted()
}

function say(sentence: string): void {
  process.stdout.write(`${sentence}\n`)
}
