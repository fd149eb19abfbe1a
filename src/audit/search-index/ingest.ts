import { createReadStream, existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { listAuditFiles } from '../file-names.ts'
import { readLines } from '../read-lines.ts'
import { createInsert, forget } from './insert.ts'
import { streamPrefix } from './streamed.ts'

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
    for (const file of known.values()) if (isGone(file, names)) forget(database, file)
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

/** What came by the stream has no file of its own. */
const isGone = ({ name }: KnownFile, present: ReadonlySet<string>): boolean =>
  !present.has(name) && !name.startsWith(streamPrefix)
