import { join } from 'node:path'
import { listAuditFiles } from './file-names.ts'
import type { AuditFileName } from './file-names.ts'
import { readLines } from './read-lines.ts'
import { auditRecord } from './record.ts'
import type { AuditRecord } from './record.ts'
import type { AuditQuery } from './search-index/query.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'

/**
 * Looks through audit files themselves, compressed ones too: for what is older than a search index, and for folders
 * that no replica serves any more. Day by day, the oldest first, all instances of a day together in the order of time.
 */
export type ScanQuery = Omit<AuditQuery, 'order' | 'after'>

export interface Scan {
  readonly files: number
  /** Lines that were looked at. */
  readonly lines: number
  /** Lines that are no records: `audit verify` names them. */
  readonly unreadable: number
  readonly found: number
  /** There is more than was asked for. */
  readonly more: boolean
}

interface Found {
  readonly record: AuditRecord
  readonly line: string
}

const dayMs = 86_400_000

export async function scanAudit(
  directories: readonly string[],
  query: ScanQuery,
  show: (found: Found) => void,
): Promise<Scan> {
  const days = await filesByDay(directories, query)
  const counts = { files: 0, lines: 0, unreadable: 0, found: 0 }
  const fits = createMatch(query)
  for (const paths of days) {
    // One more than wanted tells that there is more.
    const most = query.limit - counts.found + 1
    let ofDay: Found[] = []
    for (const path of paths) {
      counts.files += 1
      for await (const { lines, ended, damaged } of readLines(path)) {
        counts.lines += lines.length
        counts.unreadable += damaged ? 1 : 0
        for (const line of lines) {
          const found = fits(line)
          if (found === 'unreadable') counts.unreadable += ended ? 1 : 0
          else if (found !== undefined) ofDay.push(found)
        }
        if (ofDay.length > most * 2 + 1000) ofDay = earliest(ofDay, most)
      }
    }
    for (const found of earliest(ofDay, most)) {
      if (counts.found === query.limit) return { ...counts, more: true }
      show(found)
      counts.found += 1
    }
  }
  return { ...counts, more: false }
}

const earliest = (found: readonly Found[], most: number): Found[] =>
  found
    .toSorted((a, b) => order(a.record.time, b.record.time) || a.record.seq - b.record.seq)
    .slice(0, most)

const order = (a: string, b: string): number => Number(a > b) - Number(a < b)

/**
 * A file holds no record later than its day. After a clock that jumped back it may hold earlier ones, so a file is
 * passed over only when its day is more than one behind the time looked for, and never when that day is still to come.
 */
async function filesByDay(
  directories: readonly string[],
  { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY }: ScanQuery,
): Promise<readonly (readonly string[])[]> {
  const days = new Map<string, string[]>()
  const wanted = ({ day }: AuditFileName): boolean => {
    const begins = Date.parse(day)
    return begins + dayMs > from && (begins - dayMs < to || begins > Date.now())
  }
  for (const directory of new Set(directories)) {
    const files = await listAuditFiles(directory)
    for (const file of files.filter(wanted)) {
      days.set(file.day, [...(days.get(file.day) ?? []), join(directory, file.name)])
    }
  }
  return [...days.keys()].toSorted().map((day) => days.get(day) ?? [])
}

/** A line is read as JSON only when the text that is looked for stands in it. */
function createMatch(query: ScanQuery): (line: string) => Found | 'unreadable' | undefined {
  const { patients, users, launch, request, tenant, outcome, event, resource } = query
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = query
  const needles = [launch, request, tenant, outcome, event].flatMap((text) =>
    text === undefined ? [] : [`":"${text}"`],
  )

  return (line) => {
    if (!line.startsWith('{"seq":')) return 'unreadable'
    const mayFit =
      needles.every((needle) => line.includes(needle)) &&
      holdsOne(line, patients) &&
      holdsOne(line, users) &&
      (resource === undefined || line.includes(`"resource":"${resource}`))
    if (!mayFit) return undefined
    const record = parse(line)
    if (record === undefined) return 'unreadable'
    const at = Date.parse(record.time)
    const fits =
      at >= from &&
      at < to &&
      equal(record.launch, launch) &&
      equal(record.request, request) &&
      equal(record.tenant, tenant) &&
      equal(record.outcome, outcome) &&
      equal(record.event, event) &&
      (users === undefined || users.includes(record.user ?? '')) &&
      (patients === undefined ||
        [record.patient].flat().some((one) => patients.includes(one ?? ''))) &&
      (resource === undefined || typeOf(record) === resource)
    return fits ? { record, line } : undefined
  }
}

const holdsOne = (line: string, words: readonly string[] | undefined): boolean =>
  words === undefined || words.some((word) => line.includes(`"${word}"`))

const equal = (value: string | undefined, wanted: string | undefined): boolean =>
  wanted === undefined || value === wanted

function typeOf({ resource = '' }: AuditRecord): string | undefined {
  const type = resource.split('/')[0] ?? ''
  return resourceTypes.has(type) ? type : undefined
}

function parse(line: string): AuditRecord | undefined {
  try {
    const read = auditRecord.safeParse(JSON.parse(line))
    return read.success ? read.data : undefined
  } catch {
    return undefined
  }
}
