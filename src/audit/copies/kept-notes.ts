import type { Config } from '../../config/schema/config.ts'
import type { Store } from '../../store/store.ts'
import { originStart, splitNotes } from '../checkpoints.ts'
import { readNotes } from '../seals.ts'

/**
 * Notes as they were kept: as such, or as lines of a collected application log among any others. Whoever collects a log
 * puts his own around each line: a time and a stream, the name of a container, an object of JSON that holds the line as
 * a text. Signatures are for the verification to judge, so a line may be found anywhere.
 */
export function readKeptNotes(text: string): string {
  const lines = text.replaceAll('\r\n', '\n').split('\n')
  const plain = lines.map((line) => (isLogged(line) ? '' : line)).join('\n')
  const notes = splitNotes(plain).filter(isOurs)
  return [...notes, ...lines.filter(isLogged).flatMap(notesOfLogLine)].join('\n')
}

/** Whatever else a log holds is no note. */
const isOurs = (note: string): boolean => note.startsWith(originStart)

const isLogged = (line: string): boolean => line.includes('{')

function notesOfLogLine(line: string): readonly string[] {
  if (!line.includes('audit.checkpoint')) return []
  return notesIn(line, 0)
}

/** A log in a log in a log: no collector nests deeper. */
const mostNested = 6

function notesIn(value: unknown, depth: number): readonly string[] {
  if (depth > mostNested) return []
  if (typeof value === 'string') return notesIn(jsonIn(value), depth + 1)
  if (typeof value !== 'object' || value === null) return []
  const own = noteOf(value)
  if (own !== undefined) return [own]
  return Object.values(value).flatMap((part) => notesIn(part, depth + 1))
}

function jsonIn(text: string): unknown {
  const start = text.indexOf('{')
  if (start === -1) return undefined
  try {
    return JSON.parse(text.slice(start, text.lastIndexOf('}') + 1))
  } catch {
    return undefined
  }
}

const form = {
  origin: /^[^\s]{1,200}$/,
  records: /^\d{1,16}$/,
  head: /^[0-9a-f]{64}$/,
  signature: /^[A-Za-z0-9+/]{91}$/,
}

function noteOf(value: object): string | undefined {
  const { origin, records, head, signature } = Object(value)
  const said = { origin, records: String(records), head, signature }
  const whole = Object.entries(form).every(([name, rule]) => rule.test(Object(said)[name]))
  return whole
    ? `${origin}\n${said.records}\n${head}\n\n\u2014 ${origin} ${signature}=\n`
    : undefined
}

/** What the configured places hold now. A place without a note that can be read is named, and the others still count. */
export async function collectKeptNotes(
  { path, store: inStore }: Config['audit']['checkpoints'],
  store: Pick<Store, 'listCheckpoints'> | undefined,
): Promise<{ readonly notes: string; readonly unread: readonly string[] }> {
  const notes: string[] = []
  const unread: string[] = []
  const read = async (place: string, work: () => Promise<string>): Promise<void> => {
    const kept = await work().then(readKeptNotes, () => '')
    if (kept === '') unread.push(place)
    else notes.push(kept)
  }
  if (path !== undefined) await read(path, () => readNotes(path))
  if (inStore && store !== undefined) {
    await read('the store', async () => (await store.listCheckpoints()).join('\n'))
  }
  return { notes: notes.join('\n'), unread }
}
