import { createReadStream, existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { listAuditFiles } from '../file-names.ts'
import { readLines } from '../read-lines.ts'
import { resourceTypes } from '../../smart/tables/resource-types.ts'

/**
 * Brings the index up to the files: what was added to each since the last time, newest files first, so that the recent
 * past can be searched while the rest is still being read. A file that retention removed takes its records along.
 */
export interface Ingest {
  /** One round over all files. `pause` is awaited between pieces of work, so that a search need not wait. */
  round(pause: () => Promise<void>): Promise<void>
  progress(): IngestProgress
}

export interface IngestProgress {
  readonly records: number
  /** Lines that are no records: a verification names them. */
  readonly unreadable: number
  /** Files that are not read to their end yet. */
  readonly behind: number
  /** The index is complete from the first record of this day on; undefined before anything is read. */
  readonly since: string | undefined
}

interface KnownFile {
  readonly id: number
  readonly name: string
  readonly bytes: number
}

export function createIngest(database: DatabaseSync, directory: string): Ingest {
  const insert = createInsert(database)
  const files = database.prepare('SELECT id, name, bytes FROM files')
  const addFile = database.prepare('INSERT INTO files (name, bytes, unreadable) VALUES (?, 0, 0)')
  const advance = database.prepare(
    'UPDATE files SET bytes = ?, unreadable = unreadable + ? WHERE id = ?',
  )
  let behind = 0
  let since: string | undefined

  /** A compressed file is the same file: its name in the index is the one without `.gz`. */
  async function round(pause: () => Promise<void>): Promise<void> {
    const present = (await listAuditFiles(directory)).toReversed()
    const known = new Map(
      files.all().map((row) => {
        const file = {
          id: Number(row['id']),
          name: String(row['name']),
          bytes: Number(row['bytes']),
        }
        return [file.name, file]
      }),
    )
    const names = new Set(present.map(({ name }) => name.replace(/\.gz$/, '')))
    for (const file of known.values()) if (!names.has(file.name)) forget(database, file)
    behind = present.length
    let complete: string | undefined
    for (const { name, day } of present) {
      const plain = name.replace(/\.gz$/, '')
      await readNew(name, known.get(plain) ?? create(plain), pause)
      behind -= 1
      complete = day
      since ??= day
      if (since > day) since = day
      await pause()
    }
    since = complete
  }

  function create(name: string): KnownFile {
    return { id: Number(addFile.run(name).lastInsertRowid), name, bytes: 0 }
  }

  async function readNew(name: string, file: KnownFile, pause: () => Promise<void>): Promise<void> {
    const path = join(directory, name)
    const compressed = name.endsWith('.gz')
    if (!existsSync(path)) return
    if (!compressed && statSync(path).size <= file.bytes) return
    if (compressed && file.bytes > 0) return
    let { bytes } = file
    const source = compressed ? undefined : createReadStream(path, { start: bytes })
    for await (const { lines, ended } of readLines(path, source)) {
      if (!ended) break
      database.exec('BEGIN')
      const unreadable = lines.filter((line) => !insert(file.id, line)).length
      bytes += lines.reduce((sum, line) => sum + line.length + 1, 0)
      advance.run(bytes, unreadable, file.id)
      database.exec('COMMIT')
      await pause()
    }
  }

  const count = database.prepare('SELECT count(*) AS n FROM records')
  const bad = database.prepare('SELECT coalesce(sum(unreadable), 0) AS n FROM files')
  return {
    round,
    progress: () => ({
      records: Number(count.get()?.['n'] ?? 0),
      unreadable: Number(bad.get()?.['n'] ?? 0),
      behind,
      since,
    }),
  }
}

function forget(database: DatabaseSync, { id }: KnownFile): void {
  database.exec('BEGIN')
  database
    .prepare('DELETE FROM patients WHERE record IN (SELECT id FROM records WHERE file = ?)')
    .run(id)
  database.prepare('DELETE FROM records WHERE file = ?').run(id)
  database.prepare('DELETE FROM files WHERE id = ?').run(id)
  database.exec('COMMIT')
}

/** Answers false for a line that is no record. What is shown is judged again, and strictly, when it is read. */
function createInsert(database: DatabaseSync): (file: number, line: string) => boolean {
  const addRecord = database.prepare(
    'INSERT INTO records (file, at, denied, event, outcome, tenant, launch, request, user, resource, ms, line)' +
      ' VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  )
  const addPatient = database.prepare('INSERT OR IGNORE INTO patients VALUES (?, ?, ?)')
  return (file, line) => {
    const record = parse(line)
    if (record === undefined) return false
    const { at, event, outcome } = record
    const { lastInsertRowid } = addRecord.run(
      file,
      at,
      outcome === 'success' ? 0 : 1,
      event,
      outcome,
      text(record.fields['tenant']),
      text(record.fields['launch']),
      text(record.fields['request']),
      text(record.fields['user']),
      typeOf(record.fields['resource']),
      typeof record.fields['ms'] === 'number' ? record.fields['ms'] : null,
      line,
    )
    const { patient } = record.fields
    for (const pseudonym of Array.isArray(patient) ? patient : [patient]) {
      if (typeof pseudonym === 'string') addPatient.run(pseudonym, at, lastInsertRowid)
    }
    return true
  }
}

function parse(line: string) {
  try {
    const fields: unknown = JSON.parse(line)
    if (typeof fields !== 'object' || fields === null) return undefined
    const known: Readonly<Record<string, unknown>> = { ...fields }
    const { time, event, outcome } = known
    if (typeof time !== 'string' || typeof event !== 'string' || typeof outcome !== 'string') {
      return undefined
    }
    const at = Date.parse(time)
    return Number.isNaN(at) ? undefined : { at, event, outcome, fields: known }
  } catch {
    return undefined
  }
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** `Observation/p1.…` is found as `Observation`. */
function typeOf(value: unknown): string | null {
  if (typeof value !== 'string') return null
  const type = value.split('/')[0] ?? ''
  return resourceTypes.has(type) ? type : null
}
