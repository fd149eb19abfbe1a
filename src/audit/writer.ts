import { join } from 'node:path'
import { link } from './chain.ts'
import type { Head } from './chain.ts'
import { appendNote } from './checkpoints.ts'
import type { Checkpoint, CheckpointSigner } from './checkpoints.ts'
import { auditFileName, checkpointsName, maxPart, utcDay } from './file-names.ts'
import type { AuditFileName } from './file-names.ts'
import { openFileSink } from './file-sink.ts'
import type { Entry } from './journal.ts'
import type { Recovered } from './recover.ts'

/**
 * The chain and the file it stands in. Entries become lines only when they are written, so a record that failed leaves
 * no hole in the chain. A new UTC day, or a file that is full, begins a new file whose first record links to the last of
 * the file before; the file that is left ends with a checkpoint.
 */
export interface Writer {
  /** The name of the file that is written to. */
  current(): string
  /** Writes the entries at the front that belong to one day and fit in one write; answers how many. */
  commit(batch: readonly Entry[]): Promise<number>
  checkpoint(): Promise<void>
  close(): Promise<void>
  head(): Head
  /** The last record under a checkpoint. */
  sealed(): number
}

export interface WriterOptions {
  readonly directory: string
  readonly durability: 'write' | 'fsync'
  readonly signer: CheckpointSigner
  readonly maxFileBytes: number
  /**
   * A copy for a second place, after the first has it: a log that was cut together with its checkpoints then shows. The
   * writer does not wait for it: a place that hangs must hold no record.
   */
  readonly publish: (checkpoint: Checkpoint, note: string) => void
  readonly onLines: (text: string) => void
  readonly start: Pick<Recovered, 'file' | 'size' | 'head' | 'unsealed'>
}

const maxWriteBytes = 1_048_576

export async function openWriter(options: WriterOptions): Promise<Writer> {
  const { directory, durability, signer, start, publish, maxFileBytes } = options
  let { file, head } = start
  // Every file that is left ends with a checkpoint, so that its removal one day shows where the log goes on.
  if (start.unsealed !== undefined) {
    await appendNote(join(directory, checkpointsName(start.unsealed)), signer.note(head))
  }
  let sink = await openFileSink({ directory, name: file.name, size: start.size, durability })
  /** The last record that a checkpoint of this process covers. */
  let signed = head.seq

  async function checkpoint(): Promise<void> {
    if (signed === head.seq) return
    const covered = head
    const note = signer.note(covered)
    await appendNote(join(directory, checkpointsName(file)), note)
    signed = covered.seq
    publish({ origin: signer.origin, head: covered }, note)
  }

  async function rotate(next: AuditFileName): Promise<void> {
    await checkpoint()
    const left = sink
    sink = await openFileSink({ directory, name: next.name, size: 0, durability })
    file = next
    await left.close()
  }

  return {
    async commit(batch) {
      const first = batch[0]
      if (first === undefined) return 0
      const next = nextFile(file, utcDay(first.at), sink.size() >= maxFileBytes)
      if (next !== undefined) await rotate(next)
      const group = chainUp(batch, head, file.day)
      await sink.append(group.text)
      head = group.head
      options.onLines(group.text)
      return group.count
    },
    checkpoint,
    async close() {
      await checkpoint()
      await sink.close()
    },
    head: () => head,
    sealed: () => signed,
    current: () => file.name,
  }
}

function nextFile(file: AuditFileName, day: string, full: boolean): AuditFileName | undefined {
  if (day > file.day) return auditFileName(day, 1, file.instance)
  // The last part of a day takes all that is left of it.
  return full && file.part < maxPart
    ? auditFileName(file.day, file.part + 1, file.instance)
    : undefined
}

/** A clock that jumped back leaves its records in the file that is open: the day never goes back. */
function chainUp(
  batch: readonly Entry[],
  start: Head,
  day: string,
): { text: string; head: Head; count: number } {
  let text = ''
  let head = start
  let count = 0
  const tomorrow = Date.parse(day) + 86_400_000
  for (const entry of batch) {
    const full = text.length + entry.members.length > maxWriteBytes && count > 0
    if (full || entry.at >= tomorrow) break
    const next = link(head, entry.members)
    text += `${next.line}\n`
    head = next.head
    count += 1
  }
  return { text, head, count }
}
