import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { lockInstance } from '../../src/audit/lock.ts'
import { rawConfig } from '../support/config.ts'
import { runMain } from '../support/process.ts'
import { startRedis } from '../support/redis.ts'

/** Commands on the shared store whose audit cannot be written: nothing is done, one line says why, and they end. */
const folder = mkdtempSync(join(tmpdir(), 'smart-bff-maintenance-'))
const redis = await startRedis()
t.teardown(async () => {
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

let files = 0
function write(directory: string): string {
  files += 1
  const path = join(folder, `${files}.yaml`)
  const root = { instance: 'one', audit: { directory }, store: { redis: { url: redis.url } } }
  writeFileSync(path, stringify(rawConfig({ root })))
  return path
}

const commands = [
  ['revoke', '--all', '--reason', 'maintenance', '--by', 'anna.admin'],
  ['keys', 'rotate'],
  ['audit', 'search', '--by', 'anna.admin'],
]

async function refused(directory: string, stderr: RegExp): Promise<void> {
  const path = write(directory)
  for (const command of commands) {
    // oxlint-disable-next-line no-await-in-loop -- one lock for all of them
    const said = await runMain(command, { SMART_BFF_CONFIG: path }, { limitMs: 20_000 }).ended()
    t.match(said, { code: 69, stdout: '', stderr }, command.join(' '))
  }
}

t.test('an audit folder that cannot be used', async () => {
  const file = join(folder, 'a-file')
  writeFileSync(file, '')
  await refused(join(file, 'audit'), /^smart-bff: AUDIT_UNAVAILABLE: .* \(ENOTDIR\)\n$/)
})

t.test('another command under way', async () => {
  const directory = mkdtempSync(join(folder, 'audit-'))
  const unlock = lockInstance(directory, 'one.command')
  await refused(directory, /^smart-bff: AUDIT_UNAVAILABLE: another process writes .*\n$/)
  unlock()
})

t.test('a full disk, which nobody tries again and again', async () => {
  const directory = mkdtempSync(join(folder, 'audit-'))
  // The day of a log never goes back, so this is the file that is gone on with.
  symlinkSync('/dev/full', join(directory, '9999-01-01.one.command.jsonl'))
  await refused(directory, /^smart-bff: AUDIT_UNAVAILABLE\n$/)
})
