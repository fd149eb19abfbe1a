import type { StoredLaunch } from '../store.ts'

/** The fields of a launch's hash, asked for as bytes: `sealed` is bytes, of which a text keeps only what is UTF-8. */
export const launchFields = ['sealed', 'version', 'idleAt', 'ended'] as const

export const sealedBytes = (sealed: string): Buffer => Buffer.from(sealed, 'latin1')

/** As HMGET gives them. Whatever is not of this form counts as missing. */
export function readFields(fields: unknown): StoredLaunch | undefined {
  if (!Array.isArray(fields) || !fields.every((field) => Buffer.isBuffer(field))) return undefined
  const [sealed, version, idleAt, ended] = fields.map((field) => field.toString('latin1'))
  if (sealed === undefined || ended === undefined) return undefined
  if (!isWholeNumber(version) || !isWholeNumber(idleAt)) return undefined
  return { sealed, version: Number(version), idleAt: Number(idleAt), ended }
}

const isWholeNumber = (value: string | undefined): boolean =>
  value !== undefined && /^\d{1,15}$/.test(value)
