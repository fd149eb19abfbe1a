import { join } from 'node:path'
import type { Head } from './chain.ts'
import { isMissing, readNote, splitNotes } from './checkpoints.ts'
import type { PublicKeys } from './checkpoints.ts'
import { checkpointsName, listAuditFiles } from './file-names.ts'
import type { AuditFileName } from './file-names.ts'
import { readPresent } from './read-lines.ts'
import { readNotes, readOrphanNotes, readSeals } from './seals.ts'
import type { FaultKind } from './verify-line.ts'
import { createWalk } from './verify-walk.ts'

/**
 * Proves the audit files of a directory whole, or names the first record of each instance at which they are not.
 * Nothing but the files and the public key is needed. A note that was kept elsewhere shows even a log that was cut
 * together with its checkpoints.
 */
export interface Verification {
  readonly files: number
  readonly logs: readonly LogReport[]
}

export interface LogReport {
  readonly instance: string
  readonly records: number
  /** The first record there is: more than 1 when retention removed older files. */
  readonly first: number
  readonly head: Head
  /** The last record that a checkpoint covers. */
  readonly sealed: number
  /** The last record that a checkpoint kept elsewhere covers; 0 without any. */
  readonly kept: number
  /** The newest file ends in the middle of a line: it is being written, or the next start will set the line aside. */
  readonly unfinished: boolean
  /** In the order of the log; the first is where it broke. */
  readonly faults: readonly VerificationFault[]
}

export interface VerificationFault {
  readonly file: string
  /** 1 for the first line of the file; 0 when the fault is not in a line. */
  readonly line: number
  readonly seq: number
  readonly kind: FaultKind
}

export interface VerifyOptions {
  readonly directory: string
  readonly publicKey: PublicKeys
  readonly instance?: string | undefined
  /** Text of notes that were kept elsewhere. */
  readonly keptNotes?: string | undefined
}

export async function verifyAudit(options: VerifyOptions): Promise<Verification> {
  const files = await listAuditFiles(options.directory, options.instance)
  const logs: LogReport[] = []
  for (const instance of new Set(files.map((file) => file.instance))) {
    logs.push(await verifyPresent(instance, options))
  }
  // Without any file: retention leaves the last checkpoint of what it removes.
  const without = instancesOf(options.keptNotes, options.instance).filter(
    (instance) => !logs.some((log) => log.instance === instance),
  )
  for (const instance of without) logs.push(await verifyLog(instance, [], options))
  return { files: files.length, logs }
}

/** Whose notes these are. */
export function instancesOf(keptNotes = '', only: string | undefined): readonly string[] {
  const named = splitNotes(keptNotes).flatMap((note) => {
    const read = readNote(note)
    if (read.kind !== 'checkpoint') return []
    return /^smart-bff\/audit\/([A-Za-z0-9._-]{1,128})$/.exec(read.checkpoint.origin)?.[1] ?? []
  })
  return [...new Set(named)].filter((instance) => only === undefined || instance === only)
}

const triesMost = 10

/** Retention may remove files that were listed: then the log begins behind them, and is gone over from there. */
async function verifyPresent(
  instance: string,
  options: VerifyOptions,
  tries = 1,
): Promise<LogReport> {
  try {
    return await verifyLog(instance, await listAuditFiles(options.directory, instance), options)
  } catch (error) {
    if (!isMissing(error) || tries >= triesMost) throw error
    return verifyPresent(instance, options, tries + 1)
  }
}

async function verifyLog(
  instance: string,
  files: readonly AuditFileName[],
  { directory, publicKey, keptNotes = '' }: VerifyOptions,
): Promise<LogReport> {
  const names = new Set(files.map(checkpointsName))
  const orphans = await readOrphanNotes(directory, instance, names)
  const kept = readSeals(keptNotes, instance, publicKey)
  const removed = readSeals(orphans.before, instance, publicKey)
  const walk = createWalk(instance, removed, [kept, readSeals(orphans.rest, instance, publicKey)])
  if (kept.broken) walk.keptBroken()
  for (const [index, file] of files.entries()) {
    const notes = await readNotes(join(directory, checkpointsName(file)))
    walk.begin(file, readSeals(notes, instance, publicKey), index === files.length - 1)
    for await (const { lines, ended, damaged } of readPresent(join(directory, file.name))) {
      for (const line of lines) walk.line(line, ended)
      if (damaged) walk.damaged()
    }
    walk.end()
  }
  if (files.length === 0) walk.nothing()
  return { instance, kept: kept.last.seq, ...walk.report() }
}
