import { genesis } from './chain.ts'
import type { Head } from './chain.ts'
import type { AuditFileName } from './file-names.ts'
import { noSeals } from './seals.ts'
import type { Seals } from './seals.ts'
import type { VerificationFault } from './verify.ts'
import { isOf, judgeLine, readClaim } from './verify-line.ts'
import type { FaultKind } from './verify-line.ts'

const maxFaults = 20
/** Where the file of a fault would stand. */
const keptElsewhere = 'kept elsewhere'

/** Goes over the lines of one log, in their order, and remembers where it stands. */
export function createWalk(instance: string, removed: Seals, elsewhere: readonly Seals[]) {
  const faults: VerificationFault[] = []
  let before: Head | undefined
  let records = 0
  let first = 0
  let file = ''
  let line = 0
  let newest = false
  let unfinished = false
  let own = noSeals
  let sealed = Math.max(removed.last.seq, ...elsewhere.map(({ last }) => last.seq))

  function fault(kind: FaultKind, seq: number, at = line): void {
    if (faults.length < maxFaults) faults.push({ file, line: at, seq, kind })
  }
  /** Each place by itself: a note that was put beside the file must not hide one that was kept elsewhere. */
  function judgeSeals(head: Head): FaultKind | undefined {
    let forged: FaultKind | undefined
    for (const seals of [own, ...elsewhere]) {
      const found = seals.judge(head)
      if (found === 'differs') return 'checkpoint_differs'
      if (found === 'forged') forged = 'checkpoint_broken'
    }
    return forged
  }

  return {
    keptBroken(): void {
      file = keptElsewhere
      fault('checkpoint_broken', 0, 0)
    },
    /** No file is left: retention may have removed what an orphaned checkpoint covers, and no more. */
    nothing(): void {
      file = keptElsewhere
      if (sealed > removed.last.seq) fault('truncated', removed.last.seq + 1, 0)
    },
    begin(name: AuditFileName, seals: Seals, isNewest: boolean): void {
      file = name.name
      line = 0
      own = seals
      newest = isNewest
      sealed = Math.max(sealed, seals.last.seq)
      if (seals.broken) fault('checkpoint_broken', seals.last.seq, 0)
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
      const kind =
        judgeLine(text, claim, records === 0 ? firstHead(removed, claim.seq) : before) ??
        judgeSeals(claim) ??
        (isOf(text, instance) ? undefined : 'foreign')
      if (kind !== undefined) fault(kind, claim.seq)
      if (records === 0) first = claim.seq
      records += 1
      before = { seq: claim.seq, hash: claim.hash }
    },
    damaged: () => fault('damaged', (before?.seq ?? 0) + 1, line + 1),
    end(): void {
      const head = before?.seq ?? removed.last.seq
      const counted = newest ? sealed : own.last.seq
      if (counted > head) fault('truncated', head + 1)
    },
    report: () => ({ records, first, head: before ?? genesis, sealed, unfinished, faults }),
  }
}

/**
 * The first record there is must be the first of all, or follow the last one of a file that retention removed. Without
 * any such checkpoint an auditor was given a part of the log, and the report says from which record.
 */
function firstHead({ last }: Seals, seq: number): Head | undefined {
  if (seq === 1) return genesis
  return last.seq === 0 ? undefined : last
}
