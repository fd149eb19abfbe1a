import type { KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { genesis } from './chain.ts'
import type { Head } from './chain.ts'
import { checkpointsName, listAuditFiles } from './file-names.ts'
import type { AuditFileName } from './file-names.ts'
import { readLines } from './read-lines.ts'
import { readNotes, readOrphanNotes, readSeals } from './seals.ts'
import type { Seals } from './seals.ts'
import { judgeLine, readClaim } from './verify-line.ts'
import type { FaultKind } from './verify-line.ts'

/**
 * Proves the audit files of a directory whole, or names the first record of each instance at which they are not.
 * Nothing but the files and the public key is needed. A note that was kept elsewhere shows even a log that was cut
 * together with its checkpoints.
 */
export interface Verification {
  readonly files: number
  readonly logs: readonly LogReport[]
}

export interface LogReport {
  readonly instance: string
  readonly records: number
  /** The first record there is: more than 1 when retention removed older files. */
  readonly first: number
  readonly head: Head
  /** The last record that a checkpoint covers. */
  readonly sealed: number
  /** The newest file ends in the middle of a line: it is being written, or the next start will set the line aside. */
  readonly unfinished: boolean
  /** In the order of the log; the first is where it broke. */
  readonly faults: readonly VerificationFault[]
}

export interface VerificationFault {
  readonly file: string
  /** 1 for the first line of the file; 0 when the fault is not in a line. */
  readonly line: number
  readonly seq: number
  readonly kind: FaultKind
}

export interface VerifyOptions {
  readonly directory: string
  readonly publicKey: KeyObject
  readonly instance?: string | undefined
  /** Text of notes that were kept elsewhere. */
  readonly keptNotes?: string | undefined
}

const maxFaults = 20

export async function verifyAudit(options: VerifyOptions): Promise<Verification> {
  const files = await listAuditFiles(options.directory, options.instance)
  const logs: LogReport[] = []
  for (const [instance, own] of Map.groupBy(files, (file) => file.instance)) {
    logs.push(await verifyLog(instance, own, options))
  }
  return { files: files.length, logs }
}

async function verifyLog(
  instance: string,
  files: readonly AuditFileName[],
  { directory, publicKey, keptNotes = '' }: VerifyOptions,
): Promise<LogReport> {
  const names = new Set(files.map(checkpointsName))
  const orphans = await readOrphanNotes(directory, instance, names)
  const walk = createWalk([
    readSeals(keptNotes, instance, publicKey, true),
    readSeals(orphans, instance, publicKey),
  ])
  for (const [index, file] of files.entries()) {
    const notes = await readNotes(join(directory, checkpointsName(file)))
    walk.begin(file, readSeals(notes, instance, publicKey), index === files.length - 1)
    for await (const { lines, ended } of readLines(join(directory, file.name))) {
      for (const line of lines) walk.line(line, ended)
    }
    walk.end()
  }
  return { instance, ...walk.report() }
}

/** Goes over the lines of one log and remembers where it stands. */
function createWalk(elsewhere: readonly Seals[]) {
  const faults: VerificationFault[] = []
  let before: Head | undefined
  let records = 0
  let first = 0
  let file = ''
  let line = 0
  let newest = false
  let unfinished = false
  let own: Seals = { hashes: new Map(), last: 0, broken: false }
  let sealed = Math.max(0, ...elsewhere.map((seals) => seals.last))

  function fault(kind: FaultKind, seq: number, at = line): void {
    if (faults.length < maxFaults) faults.push({ file, line: at, seq, kind })
  }
  const signedHash = (seq: number): string | undefined =>
    own.hashes.get(seq) ?? elsewhere.find((seals) => seals.hashes.has(seq))?.hashes.get(seq)

  /** The first record there is must follow the last one a checkpoint knows of, or be the first of all. */
  function firstHead(seq: number): Head | undefined {
    const hash = seq === 1 ? genesis.hash : signedHash(seq - 1)
    return hash === undefined ? undefined : { seq: seq - 1, hash }
  }

  return {
    begin(name: AuditFileName, seals: Seals, isNewest: boolean): void {
      file = name.name
      line = 0
      own = seals
      newest = isNewest
      sealed = Math.max(sealed, seals.last)
      if (seals.broken) fault('checkpoint_broken', seals.last, 0)
    },
    line(text: string, ended: boolean): void {
      line += 1
      if (!ended && newest) {
        unfinished = true
        return
      }
      const claim = readClaim(text)
      const expected = (before?.seq ?? 0) + 1
      if (claim === undefined) return fault(ended ? 'unreadable' : 'torn', expected)
      const kind = judgeLine(text, claim, records === 0 ? firstHead(claim.seq) : before)
      if (kind !== undefined) fault(kind, claim.seq)
      else if ((signedHash(claim.seq) ?? claim.hash) !== claim.hash) {
        fault('checkpoint_differs', claim.seq)
      }
      if (records === 0) first = claim.seq
      records += 1
      before = { seq: claim.seq, hash: claim.hash }
    },
    end(): void {
      const head = before?.seq ?? 0
      const counted = newest ? sealed : own.last
      if (counted > head) fault('truncated', head + 1)
    },
    report: () => ({ records, first, head: before ?? genesis, sealed, unfinished, faults }),
  }
}
