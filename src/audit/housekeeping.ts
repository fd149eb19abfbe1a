import { createReadStream, createWriteStream } from 'node:fs'
import { open, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
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

export function createHousekeeping(deps: HousekeepingDeps): Housekeeping {
  return {
    async run() {
      const files = await listAuditFiles(deps.directory)
      const oldest = utcDay(deps.now() - deps.retentionDays * dayMs)
      const over = files.filter((file) => file.day < oldest && file.name !== deps.current())
      const removed = await removeAll(over, deps)
      const kept = removed > 0 ? files.filter((file) => !over.includes(file)) : files
      const compressed = await compressAll(kept, deps)
      return { compressed, removed }
    },
  }
}

async function removeAll(files: readonly AuditFileName[], deps: HousekeepingDeps): Promise<number> {
  if (files.length === 0) return 0
  if (await isHeld(deps.directory)) {
    await deps.record({
      event: 'audit.held',
      outcome: 'success',
      count: files.length,
      reason: 'legal_hold',
      actor: 'system',
    })
    return 0
  }
  for (const file of files) await remove(file, deps)
  return files.length
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
  await unlinkIfThere(path)
  await unlinkIfThere(`${path}.torn`)
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
  await pipeline(createReadStream(path), createGzip(), createWriteStream(partial, { mode: 0o640 }))
  const handle = await open(partial, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(partial, `${path}.gz`)
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
