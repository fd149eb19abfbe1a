import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { genesis } from './chain.ts'
import type { Head } from './chain.ts'
import { isMissing, originOf, readNote, splitNotes } from './checkpoints.ts'
import type { PublicKeys } from './checkpoints.ts'

/** What the notes of one place say: the hash of each record that a checkpoint was made over. */
export interface Seals {
  /** The highest record under a genuine checkpoint; `genesis` without any. */
  readonly last: Head
  /** A note is not readable, or the signature of the highest one is wrong. */
  readonly broken: boolean
  /** Whether a checkpoint over this record's number says another hash, and whether that one is genuine. */
  judge(head: Head): 'differs' | 'forged' | undefined
}

export const noSeals: Seals = { last: genesis, broken: false, judge: () => undefined }

/**
 * Every note is compared with the records. A signature is checked where it matters, in the highest note and in those
 * that differ: the chain makes the highest cover all before it, and the file of one day may hold 1440.
 */
export function readSeals(text: string, instance: string, publicKeys: PublicKeys): Seals {
  const notes = new Map<number, Note[]>()
  let broken = false
  for (const note of splitNotes(text)) {
    const read = readNote(note)
    if (read.kind === 'broken') broken = true
    if (read.kind !== 'checkpoint' || read.checkpoint.origin !== originOf(instance)) continue
    const { seq, hash } = read.checkpoint.head
    notes.set(seq, [...(notes.get(seq) ?? []), { seq, hash, note }])
  }
  const isGenuine = ({ note }: Note): boolean => readNote(note, publicKeys).kind === 'checkpoint'
  let last = genesis
  for (const seq of [...notes.keys()].toSorted((a, b) => b - a)) {
    const genuine = notes.get(seq)?.find(isGenuine)
    if (genuine !== undefined) {
      last = { seq, hash: genuine.hash }
      break
    }
    broken = true
  }
  return {
    last,
    broken,
    judge({ seq, hash }) {
      const others = notes.get(seq)?.filter((note) => note.hash !== hash) ?? []
      if (others.length === 0) return undefined
      return others.some(isGenuine) ? 'differs' : 'forged'
    },
  }
}

interface Note extends Head {
  readonly note: string
}

export async function readNotes(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return ''
    throw error
  }
}

export interface OrphanNotes {
  /** Of files before the first that is there: retention removed them, and the log that is left begins behind them. */
  readonly before: string
  /** Of any other file that is not there. */
  readonly rest: string
}

/** Notes whose files are not there. */
export async function readOrphanNotes(
  directory: string,
  instance: string,
  present: ReadonlySet<string>,
): Promise<OrphanNotes> {
  const ending = `.${instance}.checkpoints`
  const names = (await readdir(directory)).filter((name) => {
    const day = name.slice(0, -ending.length)
    return name.endsWith(ending) && /^\d{4}-\d{2}-\d{2}(?:_\d{3})?$/.test(day) && !present.has(name)
  })
  const [first] = [...present].toSorted()
  const textOf = async (wanted: readonly string[]): Promise<string> =>
    (await Promise.all(wanted.map((name) => readNotes(join(directory, name))))).join('\n')
  const isBefore = (name: string): boolean => first === undefined || name < first
  return {
    before: await textOf(names.filter(isBefore)),
    rest: await textOf(names.filter((name) => !isBefore(name))),
  }
}
