import type { DatabaseSync } from 'node:sqlite'
import { readLink } from '../chain.ts'
import { listAuditFiles } from '../file-names.ts'
import { auditRecord } from '../record.ts'
import type { AuditRecord } from '../record.ts'
import { inTransaction } from './database.ts'
import { createInsert, forget } from './insert.ts'

/**
 * Records of replicas whose files are not here, as the stream brings them. A line is taken only when its own hash is
 * right and it is a record in every member; the numbers show what is missing between two. Where the files of an
 * instance are here, they are read instead, for they are the audit.
 */
export interface Streamed {
  add(lines: readonly string[]): Promise<StreamedCount>
  /** The latest time from which on the records of all other instances are complete. */
  since(): number | undefined
  /** Drops what is older, and what the files here have. */
  tidy(before: number): Promise<void>
}

export interface StreamedCount {
  readonly kept: number
  /** Entries that are no records of ours. */
  readonly corrupt: number
  /** Records that came neither here nor by a file. */
  readonly missing: number
}

export const streamPrefix = 'stream:'

interface Known {
  readonly file: number
  readonly last: number
  readonly at: number
  readonly since: number
}

export function createStreamed(database: DatabaseSync, directory: string): Streamed {
  const insert = createInsert(database)
  const read = database.prepare('SELECT file, last, at, since FROM streams WHERE instance = ?')
  const addFile = database.prepare('INSERT INTO files (name, bytes, unreadable) VALUES (?, 0, 0)')
  const write = database.prepare(
    'INSERT INTO streams (instance, file, last, at, since) VALUES (?, ?, ?, ?, ?)' +
      ' ON CONFLICT (instance) DO UPDATE SET last = excluded.last, at = excluded.at, since = excluded.since',
  )
  const all = database.prepare('SELECT instance, file FROM streams')
  const latest = database.prepare('SELECT max(since) AS since FROM streams')

  function known(instance: string): Known | undefined {
    const row = read.get(instance)
    if (row === undefined) return undefined
    const [file, last, at, since] = [row['file'], row['last'], row['at'], row['since']].map(Number)
    return { file: file ?? 0, last: last ?? 0, at: at ?? 0, since: since ?? 0 }
  }

  /** Answers how many records are missing before this one; undefined when it is here already. */
  function take({ record, line }: { record: AuditRecord; line: string }): number | undefined {
    const { instance, seq } = record
    const at = Date.parse(record.time)
    const before = known(instance)
    // The stream is read from its beginning after every start; a number that begins anew comes with a later time.
    if (before !== undefined && seq <= before.last && at <= before.at) return undefined
    const follows = before !== undefined && seq === before.last + 1
    const complete = before === undefined ? seq === 1 : follows
    const since = complete ? (before?.since ?? at) : at
    const file = before?.file ?? Number(addFile.run(streamPrefix + instance).lastInsertRowid)
    if (!insert(file, line)) return undefined
    write.run(instance, file, seq, at, since)
    return complete || before === undefined || seq <= before.last ? 0 : seq - before.last - 1
  }

  const instancesHere = async (): Promise<ReadonlySet<string>> =>
    new Set((await listAuditFiles(directory)).map(({ instance }) => instance))

  return {
    async add(lines) {
      const here = await instancesHere()
      const count = { kept: 0, corrupt: 0, missing: 0 }
      inTransaction(database, () => {
        for (const line of lines) {
          const record = readRecord(line)
          if (record === undefined) count.corrupt += 1
          else if (!here.has(record.instance)) {
            const missing = take({ record, line })
            if (missing !== undefined) count.kept += 1
            count.missing += missing ?? 0
          }
        }
      })
      return count
    },
    since: () => {
      const row = latest.get()?.['since']
      return row === null || row === undefined ? undefined : Number(row)
    },
    async tidy(before) {
      const here = await instancesHere()
      for (const row of all.all()) {
        const [instance, file] = [String(row['instance']), Number(row['file'])]
        if (here.has(instance)) {
          forget(database, { id: file })
          database.prepare('DELETE FROM streams WHERE instance = ?').run(instance)
        } else forget(database, { id: file, before })
      }
    },
  }
}

function readRecord(line: string): AuditRecord | undefined {
  if (readLink(line) === undefined) return undefined
  try {
    const read = auditRecord.safeParse(JSON.parse(line))
    return read.success ? read.data : undefined
  } catch {
    return undefined
  }
}
