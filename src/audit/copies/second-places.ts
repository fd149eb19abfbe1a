import { constants, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Config } from '../../config/schema/config.ts'
import type { Store } from '../../store/store.ts'
import type { Checkpoint } from '../checkpoints.ts'
import { makeFolder } from '../folder.ts'
import { createPlace } from './place.ts'

/**
 * The second places of each signed checkpoint: a file on another disk, the store that all replicas share, the
 * application log. Who cuts the audit together with the checkpoints beside it does not reach them, and the verification
 * that reads them names the first record that is missing.
 */
export interface SecondPlaces {
  /** Every place is tried, for five seconds; throws the first fault, after the others have theirs. */
  readonly publish: (checkpoint: Checkpoint, note: string) => Promise<void>
}

export interface SecondPlacesDeps {
  readonly checkpoints: Config['audit']['checkpoints']
  readonly instance: string
  readonly store: Pick<Store, 'keepCheckpoint'>
  /** One line of the application log. */
  readonly log: (line: LoggedCheckpoint) => void
  readonly limitMs?: number
}

/** All that a note says; the signature without the `=` at its end. */
export interface LoggedCheckpoint {
  readonly origin: string
  readonly records: number
  readonly head: string
  readonly signature: string
}

export function createSecondPlaces(deps: SecondPlacesDeps): SecondPlaces {
  const { checkpoints, instance, store, log, limitMs = 5000 } = deps
  const { path } = checkpoints
  const places = [
    ...(path === undefined ? [] : [createPlace(path, (note) => appendTo(path, note), limitMs)]),
    ...(checkpoints.store
      ? [createPlace('the store', (note) => keepIn(store, instance, note), limitMs)]
      : []),
  ]
  return {
    publish: async (checkpoint, note) => {
      if (checkpoints.log) log(loggedCheckpoint(checkpoint, note))
      const results = await Promise.allSettled(places.map((keep) => keep(note)))
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
