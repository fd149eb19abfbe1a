import type { AuditRecord } from '../audit/record.ts'

/** Records as files for other programs. */
export type ExportFormat = 'csv' | 'ndjson'

export const columns = [
  'time',
  'event',
  'outcome',
  'state',
  'tenant',
  'mode',
  'launch',
  'request',
  'client',
  'user',
  'patient',
  'rule',
  'interaction',
  'resource',
  'operation',
  'parameters',
  'requested',
  'granted',
  'context',
  'version',
  'status',
  'upstreamStatus',
  'count',
  'bytes',
  'ms',
  'reason',
  'actor',
  'instance',
  'seq',
  'prev',
  'hash',
] as const satisfies readonly (keyof AuditRecord)[]

export const csvHead = `${columns.join(',')}\r\n`

export function exportLine(record: AuditRecord, format: ExportFormat): string {
  if (format === 'ndjson') return `${JSON.stringify(record)}\n`
  return `${columns.map((name) => cell(record[name])).join(',')}\r\n`
}

/** RFC 4180. A cell that begins like a formula is one for a spreadsheet, so it gets an apostrophe. */
function cell(value: AuditRecord[keyof AuditRecord]): string {
  if (value === undefined) return ''
  const text = Array.isArray(value) ? value.join(' ') : String(value)
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
