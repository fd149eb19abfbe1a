import type { DatabaseSync } from 'node:sqlite'
import { resourceTypes } from '../../smart/tables/resource-types.ts'
import { inTransaction } from './database.ts'

/** The records of a file leave the index, with the file; before a time only the older ones, and the file stays. */
export function forget(
  database: DatabaseSync,
  { id, before }: { readonly id: number; readonly before?: number },
): void {
  const older = before ?? Number.MAX_SAFE_INTEGER
  inTransaction(database, () => {
    database
      .prepare(
        'DELETE FROM patients WHERE record IN (SELECT id FROM records WHERE file = ? AND at < ?)',
      )
      .run(id, older)
    database.prepare('DELETE FROM records WHERE file = ? AND at < ?').run(id, older)
    if (before === undefined) database.prepare('DELETE FROM files WHERE id = ?').run(id)
  })
}

/** Answers false for a line that is no record. What is shown is judged again, and strictly, when it is read. */
export function createInsert(database: DatabaseSync): (file: number, line: string) => boolean {
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
