import { join } from 'node:path'
import { listAuditFiles } from './file-names.ts'
import type { AuditFileName } from './file-names.ts'
import { isMissing } from './checkpoints.ts'
import { readPresent } from './read-lines.ts'
import type { RawLines } from './read-lines.ts'
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
  /** Files of other days, which were not looked into. */
  readonly passed: number
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

/** `show` answers whether anybody wants to see more; it is waited for. */
export async function scanAudit(
  directories: readonly string[],
  query: ScanQuery,
  show: (found: Found) => boolean | Promise<boolean>,
): Promise<Scan> {
  const { days, passed } = await filesByDay(directories, query)
  const counts = { files: 0, passed, lines: 0, unreadable: 0, found: 0 }
  const fits = createMatch(query)
  for (const paths of days) {
    // One more than wanted tells that there is more.
    const most = query.limit - counts.found + 1
    let ofDay: Found[] = []
    for (const path of paths) {
      counts.files += 1
      for await (const { lines, ended, damaged } of readListed(path)) {
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
      counts.found += 1
      // oxlint-disable-next-line no-await-in-loop -- in their order, as fast as somebody reads
      if (!(await show(found))) return { ...counts, more: true }
    }
  }
  return { ...counts, more: false }
}

/** Retention may have removed a file since it was listed, and a record says so. */
async function* readListed(path: string): AsyncGenerator<RawLines> {
  try {
    yield* readPresent(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

const earliest = (found: readonly Found[], most: number): Found[] =>
  found
    .toSorted((a, b) => order(a.record.time, b.record.time) || a.record.seq - b.record.seq)
    .slice(0, most)

const order = (a: string, b: string): number => Number(a > b) - Number(a < b)

interface Placed extends AuditFileName {
  readonly path: string
}

/** Those that may hold a record of the time looked for. */
async function filesByDay(
  directories: readonly string[],
  { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY }: ScanQuery,
): Promise<{ readonly days: readonly (readonly string[])[]; readonly passed: number }> {
  const all: Placed[] = []
  for (const directory of new Set(directories)) {
    const files = await listAuditFiles(directory)
    all.push(...files.map((file) => ({ ...file, path: join(directory, file.name) })))
  }
  const wanted = [...Map.groupBy(all, ({ instance }) => instance).values()].flatMap((own) => {
    const begins = earliestTimes(own)
    return own.filter(({ day }) => Date.parse(day) + dayMs > from && (begins.get(day) ?? to) < to)
  })
  const byDay = Map.groupBy(wanted, ({ day }) => day)
  const days = [...byDay.keys()]
    .toSorted()
    .map((day) => byDay.get(day)?.map(({ path }) => path) ?? [])
  return { days, passed: all.length - wanted.length }
}

/**
 * A file holds no record later than its day, but after a clock that was ahead and was put right it holds earlier ones,
 * until that day has come: those since the day of the file before. That day may be wrong as well where it does not
 * follow its own, and of the first file nothing is known.
 */
function earliestTimes(own: readonly AuditFileName[]): ReadonlyMap<string, number> {
  const times = new Map<string, number>()
  let before = Number.NEGATIVE_INFINITY
  let trusted = Number.NEGATIVE_INFINITY
  for (const day of [...new Set(own.map((file) => file.day))].toSorted()) {
    const begins = Date.parse(day)
    times.set(day, trusted)
    if (begins - before <= dayMs) trusted = begins
    before = begins
  }
  return times
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
