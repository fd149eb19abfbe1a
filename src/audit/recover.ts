import { appendFile, open, stat, truncate } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { genesis, readLink } from './chain.ts'
import type { Head } from './chain.ts'
import { lastCheckpoint } from './checkpoints.ts'
import type { Checkpoint } from './checkpoints.ts'
import { readLines } from './read-lines.ts'
import { auditFileName, checkpointsName, listAuditFiles, listRemovedFiles } from './file-names.ts'
import type { AuditFileName } from './file-names.ts'

/**
 * What an instance finds of its own at the start: the file to go on with, where the chain stands, and what a crash
 * left behind. A torn last line is set aside in `<file>.torn`, cut off, and told as a finding, which becomes the
 * record `audit.repaired`.
 */
export interface Recovered {
  /** The file to write to: the newest one, or a new one when a day has passed or the newest cannot be continued. */
  readonly file: AuditFileName
  readonly size: number
  readonly head: Head
  /** The newest file there was, when it is left without a checkpoint over its last record. */
  readonly unsealed: AuditFileName | undefined
  /** How the last process of this instance left the log. */
  readonly left: 'first_start' | 'closed' | 'not_closed' | 'files_gone'
  readonly findings: readonly Finding[]
}

export type Finding =
  | { readonly reason: 'torn_line'; readonly bytes: number }
  /** The last checkpoint counts more records than the file holds. */
  | { readonly reason: 'records_missing'; readonly count: number }
  /** The last line is no record: the chain starts anew in another file. */
  | { readonly reason: 'chain_unreadable' }

const maxLineBytes = 1_048_576

export async function recover(
  directory: string,
  instance: string,
  today: string,
): Promise<Recovered> {
  const files = await listAuditFiles(directory, instance)
  const last = files.at(-1)
  if (last === undefined) return recoverRemoved(directory, instance, today)
  const findings: Finding[] = []
  const torn = isCompressed(last) ? 0 : await setTornLineAside(join(directory, last.name))
  if (torn > 0) findings.push({ reason: 'torn_line', bytes: torn })
  const { head, line, missing } = await findHead(directory, instance, files)
  const notes = await lastCheckpoint(join(directory, checkpointsName(last)))
  if (missing > 0) findings.push({ reason: 'records_missing', count: missing })
  if (head === undefined) findings.push({ reason: 'chain_unreadable' })
  const file = nextFile(last, today, head !== undefined)
  const size = file === last ? (await stat(join(directory, last.name))).size : 0
  const left = line.includes('"event":"audit.closed"') ? 'closed' : 'not_closed'
  const unsealed = file === last || head === undefined || sealedTo(notes, head) ? undefined : last
  return { file, size, head: head ?? genesis, unsealed, left, findings }
}

/** Retention may have removed all there was. */
async function recoverRemoved(
  directory: string,
  instance: string,
  today: string,
): Promise<Recovered> {
  const { head, last } = await findRemoved(directory, instance)
  const file = last === undefined ? auditFileName(today, 1, instance) : nextFile(last, today, false)
  const left = head === genesis ? 'first_start' : 'files_gone'
  return { file, size: 0, head, unsealed: undefined, left, findings: [] }
}

/** The chain goes on behind the last checkpoint of what retention removed: a second first record would break it. */
async function findRemoved(
  directory: string,
  instance: string,
): Promise<{ head: Head; last: AuditFileName | undefined }> {
  const removed = await listRemovedFiles(directory, instance)
  for (const file of removed.toReversed()) {
    const checkpoint = await lastCheckpoint(join(directory, checkpointsName(file)))
    if (checkpoint !== undefined) return { head: checkpoint.head, last: removed.at(-1) }
  }
  return { head: genesis, last: removed.at(-1) }
}

const sealedTo = (notes: Checkpoint | undefined, head: Head): boolean =>
  notes !== undefined && notes.head.seq >= head.seq

/** The last record of the newest file that holds one: a crash may have left a file without any. */
async function findHead(
  directory: string,
  instance: string,
  files: readonly AuditFileName[],
): Promise<{ head: Head | undefined; line: string; missing: number }> {
  let known: Head = genesis
  for (const file of files.toReversed()) {
    const checkpoint = await lastCheckpoint(join(directory, checkpointsName(file)))
    if (checkpoint !== undefined && checkpoint.head.seq > known.seq) known = checkpoint.head
    const line = await lastLine(join(directory, file.name))
    if (line === '') continue
    const link = readLink(line)
    const head = link === undefined ? undefined : { seq: link.seq, hash: link.hash }
    return { head, line, missing: head === undefined ? 0 : Math.max(0, known.seq - head.seq) }
  }
  const removed = await findRemoved(directory, instance)
  return known.seq > removed.head.seq
    ? { head: known, line: '', missing: known.seq - removed.head.seq }
    : { head: removed.head, line: '', missing: 0 }
}

/** By whoever keeps the files, or before they came from a backup: it is left as it is. */
const isCompressed = ({ name }: AuditFileName): boolean => name.endsWith('.gz')

/** A clock that jumped back must not bring an older file to life: the day never goes back. */
function nextFile(last: AuditFileName, today: string, continues: boolean): AuditFileName {
  if (today > last.day) return auditFileName(today, 1, last.instance)
  return continues && !isCompressed(last)
    ? last
    : auditFileName(last.day, last.part + 1, last.instance)
}

/** Answers the number of bytes after the last line end. */
async function setTornLineAside(path: string): Promise<number> {
  const handle = await open(path, 'r')
  try {
    const { size } = await handle.stat()
    const tail = await readTail(handle, size)
    const torn = tail.subarray(tail.lastIndexOf(0x0a) + 1)
    if (torn.length === 0) return 0
    await appendFile(`${path}.torn`, Buffer.concat([torn, Buffer.from('\n')]), {
      mode: 0o640,
      flush: true,
    })
    await truncate(path, size - torn.length)
    return torn.length
  } finally {
    await handle.close()
  }
}

async function lastLine(path: string): Promise<string> {
  if (path.endsWith('.gz')) return lastCompressedLine(path)
  const handle = await open(path, 'r')
  try {
    const tail = await readTail(handle, (await handle.stat()).size)
    const end = tail.length - 1
    if (end < 0) return ''
    const start = end === 0 ? 0 : tail.lastIndexOf(0x0a, end - 1) + 1
    return tail.toString('latin1', start, end)
  } finally {
    await handle.close()
  }
}

async function lastCompressedLine(path: string): Promise<string> {
  let last = ''
  for await (const { lines, damaged } of readLines(path)) {
    // No record: the chain starts anew in another file.
    if (damaged) return 'damaged'
    last = lines.at(-1) ?? last
  }
  return last
}

async function readTail(handle: FileHandle, size: number): Promise<Buffer> {
  const length = Math.min(size, maxLineBytes)
  const buffer = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, size - length + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}
