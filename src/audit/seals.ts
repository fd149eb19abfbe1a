import type { KeyObject } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, originOf, readNote, splitNotes } from './checkpoints.ts'

/** What the notes of one place say: the hash of each record that a checkpoint was made over. */
export interface Seals {
  readonly hashes: ReadonlyMap<number, string>
  /** The highest record counted; 0 without a checkpoint. */
  readonly last: number
  /** A note is not readable, or the last one's signature is wrong. */
  readonly broken: boolean
}

/**
 * Every note is compared with the records; only the last one's signature is checked, unless `every` is asked for. The
 * chain makes the last one cover all before it, and a file of one day may hold 1440.
 */
export function readSeals(
  text: string,
  instance: string,
  publicKey: KeyObject,
  every = false,
): Seals {
  const hashes = new Map<number, string>()
  let broken = false
  const notes = splitNotes(text)
  for (const [index, note] of notes.entries()) {
    const check = every || index === notes.length - 1
    const read = readNote(note, check ? publicKey : undefined)
    if (read.kind === 'broken') broken = true
    else if (read.checkpoint.origin === originOf(instance)) {
      hashes.set(read.checkpoint.head.seq, read.checkpoint.head.hash)
    }
  }
  return { hashes, last: Math.max(0, ...hashes.keys()), broken }
}

export async function readNotes(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return ''
    throw error
  }
}

/** Notes of files that retention removed: they still prove where the log that is left must begin. */
export async function readOrphanNotes(
  directory: string,
  instance: string,
  present: ReadonlySet<string>,
): Promise<string> {
  const ending = `.${instance}.checkpoints`
  const names = (await readdir(directory)).filter((name) => {
    const day = name.slice(0, -ending.length)
    return name.endsWith(ending) && /^\d{4}-\d{2}-\d{2}(?:_\d{3})?$/.test(day) && !present.has(name)
  })
  const texts = await Promise.all(names.map((name) => readNotes(join(directory, name))))
  return texts.join('\n')
}
