import { constants, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Config } from '../../config/schema/config.ts'
import type { Store } from '../../store/store.ts'
import type { Checkpoint } from '../checkpoints.ts'
import { originStart, splitNotes } from '../checkpoints.ts'
import { makeFolder } from '../folder.ts'
import { readNotes } from '../seals.ts'

/**
 * The second places of each signed checkpoint: a file on another disk, the store that all replicas share, the
 * application log. Who cuts the audit together with the checkpoints beside it does not reach them, and the verification
 * that reads them names the first record that is missing.
 */
export interface SecondPlaces {
  /** Every place is tried; throws the first fault, after the others have theirs. */
  readonly publish: (checkpoint: Checkpoint, note: string) => Promise<void>
}

export interface SecondPlacesDeps {
  readonly checkpoints: Config['audit']['checkpoints']
  readonly instance: string
  readonly store: Pick<Store, 'keepCheckpoint'>
  /** One line of the application log. */
  readonly log: (line: LoggedCheckpoint) => void
}

/** All that a note says; the signature without the `=` at its end. */
export interface LoggedCheckpoint {
  readonly origin: string
  readonly records: number
  readonly head: string
  readonly signature: string
}

export function createSecondPlaces(deps: SecondPlacesDeps): SecondPlaces {
  const { checkpoints, instance, store, log } = deps
  return {
    publish: async (checkpoint, note) => {
      if (checkpoints.log) log(loggedCheckpoint(checkpoint, note))
      const results = await Promise.allSettled([
        checkpoints.path === undefined ? undefined : appendTo(checkpoints.path, note),
        checkpoints.store ? keepIn(store, instance, note) : undefined,
      ])
      for (const result of results) if (result.status === 'rejected') throw result.reason
    },
  }
}

const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } = constants

/** Replicas may share the file: a note is written whole, in one write that appends. */
async function appendTo(file: string, note: string): Promise<void> {
  await makeFolder(dirname(file), 0o750)
  // Without waiting: a pipe that nobody reads would hold one of the few threads that write all files.
  const handle = await open(file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o640)
  try {
    await handle.writeFile(`\n\n${note}`)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function keepIn(
  store: SecondPlacesDeps['store'],
  instance: string,
  note: string,
): Promise<void> {
  if (!(await store.keepCheckpoint(instance, note))) throw new Error('too many instances')
}

function loggedCheckpoint({ origin, head }: Checkpoint, note: string): LoggedCheckpoint {
  const signature = note.slice(note.lastIndexOf(' ') + 1).replace(/=*\n$/, '')
  return { origin, records: head.seq, head: head.hash, signature }
}

/** Notes as they were kept: as such, or as lines of the application log among any others. */
export function readKeptNotes(text: string): string {
  const logged = text.split('\n').flatMap((line) => noteOfLogLine(line) ?? [])
  const notes = splitNotes(text.replaceAll(/^\{.*$/gm, '')).filter(isOurs)
  return [...notes, ...logged].join('\n')
}

/** Whatever else a log holds is no note. */
const isOurs = (note: string): boolean => note.startsWith(originStart)

const form = {
  origin: /^[^\s]{1,200}$/,
  records: /^\d{1,16}$/,
  head: /^[0-9a-f]{64}$/,
  signature: /^[A-Za-z0-9+/]{91}$/,
}

function noteOfLogLine(line: string): string | undefined {
  if (!line.startsWith('{') || !line.includes('"audit.checkpoint"')) return undefined
  try {
    const { origin, records, head, signature } = JSON.parse(line)
    const said = { origin, records: String(records), head, signature }
    const whole = Object.entries(form).every(([name, rule]) => rule.test(Object(said)[name]))
    return whole
      ? `${origin}\n${said.records}\n${head}\n\n\u2014 ${origin} ${signature}=\n`
      : undefined
  } catch {
    return undefined
  }
}

/** What the configured places hold now. A place that cannot be read is named, and the others still count. */
export async function collectKeptNotes(
  { path, store: inStore }: Config['audit']['checkpoints'],
  store: Pick<Store, 'listCheckpoints'> | undefined,
): Promise<{ readonly notes: string; readonly unread: readonly string[] }> {
  const notes: string[] = []
  const unread: string[] = []
  const read = async (place: string, work: () => Promise<string>): Promise<void> => {
    try {
      notes.push(readKeptNotes(await work()))
    } catch {
      unread.push(place)
    }
  }
  if (path !== undefined) await read(path, () => readNotes(path))
  if (inStore && store !== undefined) {
    await read('the store', async () => (await store.listCheckpoints()).join('\n'))
  }
  return { notes: notes.join('\n'), unread }
}
