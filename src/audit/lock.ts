import { SmartBffError } from '../errors.ts'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/**
 * One process writes the files of an instance. Node has no file locks of its own; SQLite takes the operating system's,
 * which go with the process however it ends. Two replicas that were given one `instance` name on one directory would
 * otherwise tear each other's chain.
 */
export function lockInstance(directory: string, instance: string): () => void {
  const database = new DatabaseSync(join(directory, `${instance}.lock`), { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (cause) {
    database.close()
    const detail = `another process writes the audit files of the instance ${instance}`
    throw new SmartBffError('AUDIT_UNAVAILABLE', { detail, cause })
  }
  return () => {
    database.close()
  }
}
