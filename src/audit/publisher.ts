import type { AuditDeps } from './audit.ts'
import type { Checkpoint } from './checkpoints.ts'
import { inTime } from './folder.ts'
import { codeOf } from './open-audit.ts'

/**
 * Checkpoints on their way to second places. Those are copies: that one fails is an alarm, not a refusal, and while one
 * hangs records and files go on.
 */
export interface Publisher {
  readonly publish: (checkpoint: Checkpoint, note: string) => void
  /** What is on its way has arrived, or has failed. */
  readonly settled: () => Promise<void>
}

/** A little more than a place has by itself: then the place says what it was. */
const limitMs = 6000

export function createPublisher({
  onCheckpoint,
  onFault,
}: Pick<AuditDeps, 'onCheckpoint' | 'onFault'>): Publisher {
  let underway = Promise.resolve()
  async function tried(work: () => void | Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      onFault?.({ kind: 'checkpoint_failed', ...codeOf(error) })
    }
  }
  return {
    publish(checkpoint, note) {
      const own = tried(() => onCheckpoint?.(checkpoint, note))
      underway = Promise.all([underway, own]).then(() => undefined)
    },
    settled: () => tried(() => inTime(underway, limitMs, 'a second place')),
  }
}
