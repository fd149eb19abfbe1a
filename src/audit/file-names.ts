import { readdir } from 'node:fs/promises'

/**
 * Names of audit files: `<UTC date>.<instance>.jsonl`, and `<UTC date>_002.<instance>.jsonl` for a second part of a
 * day; a `.gz` at the end when it was compressed. Sorted as text the names of one instance are in the order of the chain.
 */
export interface AuditFileName {
  readonly name: string
  readonly day: string
  readonly part: number
  readonly instance: string
}

const form =
  /^(?<day>\d{4}-\d{2}-\d{2})(?:_(?<part>\d{3}))?\.(?<instance>[A-Za-z0-9._-]{1,128})\.jsonl(?:\.gz)?$/
export const maxPart = 999

export function readFileName(name: string): AuditFileName | undefined {
  const groups = form.exec(name)?.groups
  if (groups === undefined) return undefined
  const { day = '', part = '001', instance = '' } = groups
  return { name, day, part: Number(part), instance }
}

export function auditFileName(day: string, part: number, instance: string): AuditFileName {
  const suffix = part === 1 ? '' : `_${String(part).padStart(3, '0')}`
  return { name: `${day}${suffix}.${instance}.jsonl`, day, part, instance }
}

export function checkpointsName(file: AuditFileName): string {
  return file.name.replace(/\.jsonl(?:\.gz)?$/, '.checkpoints')
}

/** In the order of the chain. */
export async function listAuditFiles(
  directory: string,
  instance?: string,
): Promise<readonly AuditFileName[]> {
  const names = new Set(await readdir(directory))
  // A crash between compressing and removing leaves both; the original counts.
  const isCopy = (name: string): boolean => name.endsWith('.gz') && names.has(name.slice(0, -3))
  return [...names]
    .filter((name) => !isCopy(name))
    .flatMap((name) => readFileName(name) ?? [])
    .filter((file) => instance === undefined || file.instance === instance)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** Those of which only the checkpoints are there, in the order of the chain: before any that is there. */
export async function listRemovedFiles(
  directory: string,
  instance: string,
): Promise<readonly AuditFileName[]> {
  const files = await listAuditFiles(directory, instance)
  const present = new Set(files.map(checkpointsName))
  const [first] = files
  return (await readdir(directory))
    .filter((name) => name.endsWith('.checkpoints') && !present.has(name))
    .flatMap((name) => readFileName(name.replace(/\.checkpoints$/, '.jsonl')) ?? [])
    .filter((file) => file.instance === instance && (first === undefined || file.name < first.name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

export function utcDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}
