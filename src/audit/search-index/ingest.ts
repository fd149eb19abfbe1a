import { createReadStream, existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { listAuditFiles } from '../file-names.ts'
import { readLines } from '../read-lines.ts'
import { inTransaction } from './database.ts'
import { createInsert, forget } from './insert.ts'
import { streamPrefix } from './streamed.ts'

/**
 * Brings the index up to the files: what was added to each since the last time, newest files first, so that the recent
 * past can be searched while the rest is still being read. A file that retention removed takes its records along.
 */
export interface Ingest {
  /** One round over all files. `pause` is awaited between pieces of work, so that a search need not wait. */
  round(pause: () => Promise<void>): Promise<void>
  progress(): Omit<IngestProgress, 'failing'>
}

export interface IngestProgress {
  readonly records: number
  /** Lines that are no records: a verification names them. */
  readonly unreadable: number
  /** Files that are not read to their end yet. */
  readonly behind: number
  /** The index is complete from the first record of this day on; undefined before anything is read. */
  readonly since: string | undefined
  /** The last round did not come to its end: what is newest may be missing. */
  readonly failing: boolean
  /** What other replicas have written since could not be read; undefined where all of it was, or there is no stream. */
  readonly unreadSince?: number | undefined
}

interface KnownFile {
  readonly id: number
  readonly name: string
  readonly bytes: number
  /** A compressed file that was read to its end. */
  readonly done: boolean
}

/** What the index knows of each file. A compressed file is the same file: its name is the one without `.gz`. */
function createKnownFiles(database: DatabaseSync) {
  const files = database.prepare('SELECT id, name, bytes, done FROM files')
  const add = database.prepare('INSERT INTO files (name, bytes, unreadable) VALUES (?, 0, 0)')
  const advance = database.prepare(
    'UPDATE files SET bytes = ?, unreadable = unreadable + ? WHERE id = ?',
  )
  const finish = database.prepare('UPDATE files SET done = 1 WHERE id = ?')
  return {
    all: (): ReadonlyMap<string, KnownFile> =>
      new Map(
        files.all().map((row) => {
          const name = String(row['name'])
          const [id, bytes] = [Number(row['id']), Number(row['bytes'])]
          return [name, { id, name, bytes, done: row['done'] === 1 }]
        }),
      ),
    create: (name: string): KnownFile => ({
      id: Number(add.run(name).lastInsertRowid),
      name,
      bytes: 0,
      done: false,
    }),
    advance: ({ id }: KnownFile, bytes: number, unreadable: number) =>
      advance.run(bytes, unreadable, id),
    finish: ({ id }: KnownFile) => finish.run(id),
  }
}

export function createIngest(database: DatabaseSync, directory: string): Ingest {
  const insert = createInsert(database)
  const files = createKnownFiles(database)
  let behind = 0
  let since: string | undefined

  async function round(pause: () => Promise<void>): Promise<void> {
    const present = (await listAuditFiles(directory)).toReversed()
    const known = files.all()
    const names = new Set(present.map(({ name }) => name.replace(/\.gz$/, '')))
    for (const file of known.values()) if (isGone(file, names)) forget(database, file)
    behind = present.length
    let complete: string | undefined
    for (const { name, day } of present) {
      const plain = name.replace(/\.gz$/, '')
      await readNew(name, known.get(plain) ?? files.create(plain), pause)
      behind -= 1
      complete = day
      since ??= day
      if (since > day) since = day
      await pause()
    }
    since = complete
  }

  async function readNew(name: string, file: KnownFile, pause: () => Promise<void>): Promise<void> {
    const path = join(directory, name)
    const compressed = name.endsWith('.gz')
    if (!existsSync(path) || file.done) return
    if (!compressed && statSync(path).size <= file.bytes) return
    // What was compressed since, or was left half-way, goes on where it stood: as far in it is the same text.
    let skip = compressed ? file.bytes : 0
    let { bytes } = file
    const source = compressed ? undefined : createReadStream(path, { start: bytes })
    for await (const { lines, ended, damaged, omitted = 0 } of readLines(path, source)) {
      if (damaged) files.advance(file, bytes, 1)
      if (!ended) break
      const fresh = lines.filter((line, index) => {
        const known = skip > 0
        const length = line.length + 1 + (index === 0 ? omitted : 0)
        if (known) skip -= length
        else bytes += length
        return !known
      })
      inTransaction(database, () => {
        const unreadable = fresh.filter((line) => !insert(file.id, line)).length
        files.advance(file, bytes, unreadable)
      })
      await pause()
    }
    if (compressed) files.finish(file)
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
