import { rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { hourlySchema } from './hourly.ts'

/**
 * The index is a copy that can be made anew from the files at any time: it need not survive a crash, only not be wrong.
 * So nothing is synced, and a database that cannot be opened, or is of another shape, is thrown away.
 */
const version = 5

const schema = `
CREATE TABLE files (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL, unreadable INTEGER NOT NULL,
  done INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE streams (
  instance TEXT PRIMARY KEY, file INTEGER NOT NULL, last INTEGER NOT NULL, at INTEGER NOT NULL, since INTEGER NOT NULL
);
CREATE TABLE records (
  id INTEGER PRIMARY KEY, file INTEGER NOT NULL, at INTEGER NOT NULL, denied INTEGER NOT NULL,
  event TEXT NOT NULL, outcome TEXT NOT NULL, tenant TEXT, launch TEXT, request TEXT, user TEXT, resource TEXT,
  ms INTEGER, line TEXT NOT NULL
);
CREATE TABLE patients (
  pseudonym TEXT NOT NULL, at INTEGER NOT NULL, record INTEGER NOT NULL, PRIMARY KEY (pseudonym, at, record)
) WITHOUT ROWID;
${hourlySchema}`

/** Made after the first round over the files: a million records go in three times as fast without them. */
export const indexes = `
CREATE INDEX IF NOT EXISTS by_time ON records (at, id);
CREATE INDEX IF NOT EXISTS by_denied ON records (denied, at, id);
CREATE INDEX IF NOT EXISTS by_launch ON records (launch, at) WHERE launch IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_request ON records (request) WHERE request IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_user ON records (user, at) WHERE user IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_event ON records (event, at, resource, outcome, tenant, ms);
CREATE INDEX IF NOT EXISTS by_event_denied ON records (event, denied, at);
CREATE INDEX IF NOT EXISTS by_resource ON records (resource, at) WHERE resource IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_tenant ON records (tenant, at) WHERE tenant IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_file ON records (file);
CREATE INDEX IF NOT EXISTS by_denial ON records (outcome, event, resource, at) WHERE denied = 1;
`

export function openDatabase(path: string): DatabaseSync {
  try {
    return open(path)
  } catch {
    removeDatabase(path)
    return open(path)
  }
}

export function removeDatabase(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
}

/** All of it or nothing; a full disk may have ended the transaction already. */
export function inTransaction(database: DatabaseSync, act: () => void): void {
  database.exec('BEGIN')
  try {
    act()
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/** SQLITE_CORRUPT and SQLITE_NOTADB: no statement will work any more. */
export function isDamaged(error: unknown): boolean {
  const code: unknown = error instanceof Error && 'errcode' in error ? error.errcode : undefined
  return typeof code === 'number' && [11, 26].includes(code & 0xff)
}

function open(path: string): DatabaseSync {
  const database = new DatabaseSync(path)
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -32768')
    const found = database.prepare('PRAGMA user_version').get()?.['user_version']
    if (found === version) return database
    if (found !== 0) throw new Error('another shape')
    database.exec(`BEGIN; ${schema} PRAGMA user_version = ${String(version)}; COMMIT`)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}
