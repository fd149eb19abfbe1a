import { createReadStream, createWriteStream } from 'node:fs'
import { readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { isMissing, splitNotes } from './checkpoints.ts'
import type { AuditEvent } from './event.ts'
import { checkpointsName, listAuditFiles, utcDay } from './file-names.ts'
import type { AuditFileName } from './file-names.ts'

/**
 * Older files: compressed once they are left, removed once they are past their retention. Nothing goes without a
 * record that is written first, and nothing at all goes while a file named `legal-hold` stands in the directory. Of a
 * removed file the last checkpoint stays: it proves where the log that is left must begin.
 */
export interface HousekeepingDeps {
  readonly directory: string
  readonly instance: string
  readonly retentionDays: number
  readonly compressAfterDays: number
  /** The file that is written to is never touched. */
  readonly current: () => string
  readonly record: (event: AuditEvent) => Promise<void>
  readonly now: () => number
}

export interface Housekeeping {
  /** One round. Throws what the file system or the audit throws; the next round begins anew. */
  run(): Promise<{ readonly compressed: number; readonly removed: number }>
}

export const holdFileName = 'legal-hold'
const dayMs = 86_400_000
/** A clock that jumps far ahead makes everything look old: it may cost a few days' files until somebody sees it. */
const daysAtOnce = 3

export function createHousekeeping(deps: HousekeepingDeps): Housekeeping {
  return {
    async run() {
      const files = await listAuditFiles(deps.directory)
      const oldest = utcDay(deps.now() - deps.retentionDays * dayMs)
      const over = files.filter((file) => file.day < oldest && file.name !== deps.current())
      const days = new Set([...new Set(over.map(({ day }) => day))].slice(0, daysAtOnce))
      const removed = await removeAll(
        over.filter(({ day }) => days.has(day)),
        deps,
      )
      const kept = files.filter((file) => !removed.includes(file))
      const compressed = await compressAll(kept, deps)
      return { compressed, removed: removed.length }
    },
  }
}

/** Answers those that are gone. A hold that is laid meanwhile holds what is still there. */
async function removeAll(
  files: readonly AuditFileName[],
  deps: HousekeepingDeps,
): Promise<readonly AuditFileName[]> {
  for (const [gone, file] of files.entries()) {
    if (await isHeld(deps.directory)) {
      await deps.record({
        event: 'audit.held',
        outcome: 'success',
        count: files.length - gone,
        reason: 'legal_hold',
        actor: 'system',
      })
      return files.slice(0, gone)
    }
    await remove(file, deps)
  }
  return files
}

async function remove(file: AuditFileName, { directory, record }: HousekeepingDeps): Promise<void> {
  const path = join(directory, file.name)
  const notesPath = join(directory, checkpointsName(file))
  const size = await sizeOf(path)
  // Another replica on this directory was faster; its record says so.
  if (size === undefined) return
  await record({
    event: 'audit.removed',
    outcome: 'success',
    parameters: [{ name: 'file', value: file.name }],
    bytes: size,
    reason: 'retention',
    actor: 'system',
  })
  const notes = splitNotes(await readIfThere(notesPath))
  const last = notes.at(-1)
  if (last !== undefined) {
    await writeFile(`${notesPath}.new`, last, { mode: 0o640, flush: true })
    await rename(`${notesPath}.new`, notesPath)
  }
  // Whatever ends this half-way, the next round finds the file and goes on.
  await unlinkIfThere(`${path.replace(/\.gz$/, '')}.torn`)
  await unlinkIfThere(path)
}

/** The last days stay as they are, for `grep`. Only this instance's own: whether another still writes is not known. */
async function compressAll(
  files: readonly AuditFileName[],
  { directory, instance, compressAfterDays, current, record, now }: HousekeepingDeps,
): Promise<number> {
  const recent = utcDay(now() - compressAfterDays * dayMs)
  const left = files.filter(
    (file) =>
      file.instance === instance &&
      file.day < recent &&
      file.name !== current() &&
      file.name.endsWith('.jsonl'),
  )
  for (const file of left) {
    const path = join(directory, file.name)
    await compress(path)
    await record({
      event: 'audit.compressed',
      outcome: 'success',
      parameters: [{ name: 'file', value: file.name }],
      actor: 'system',
    })
    await unlink(path)
  }
  return left.length
}

/** The compressed file has its name only when it is whole and on the disk. */
async function compress(path: string): Promise<void> {
  const partial = `${path}.gz.new`
  try {
    await pipeline(
      createReadStream(path),
      createGzip(),
      createWriteStream(partial, { mode: 0o640, flush: true }),
    )
    await rename(partial, `${path}.gz`)
  } catch (error) {
    // On a full disk it would take the room of records.
    await unlinkIfThere(partial)
    throw error
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

async function isHeld(directory: string): Promise<boolean> {
  try {
    await stat(join(directory, holdFileName))
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return ''
    throw error
  }
}
