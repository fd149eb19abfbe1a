import { SmartBffError } from '../errors.ts'
import type { AuditEvent } from './event.ts'
import { createJournal } from './journal.ts'
import type { Journal, JournalDeps } from './journal.ts'
import type { LineBuilder } from './line.ts'
import { createStrangers } from './strangers.ts'

/** From an event to a written record: the line, the quota of strangers, the journal. */
export interface Recorder {
  /** Throws SmartBffError AUDIT_UNAVAILABLE. A stranger's refusal over the quota is counted and not written. */
  record(event: AuditEvent): Promise<void>
  /** Writes what was counted in the minutes that are over; with Infinity also this one's. */
  writeCounts(at: number): Promise<void>
  healthy(): boolean
  drain(): Promise<void>
}

export interface RecorderDeps extends Pick<JournalDeps, 'commit' | 'onChange'> {
  readonly build: LineBuilder
  readonly now: () => number
}

/** DESIGN rule 8. */
const limitMs = 2000
const retryMs = 1000
const maxQueued = 20_000

export function createRecorder(deps: RecorderDeps): Recorder {
  const { build, now, commit, onChange } = deps
  const strangers = createStrangers()
  const journal: Journal = createJournal({
    commit,
    recovery: (gap) => ({ members: build(gapRecord(gap), now()), at: now() }),
    onChange,
    limitMs,
    retryMs,
    maxQueued,
  })
  /** Hands the journal's own promise on: each one put around it would cost as much as the line. */
  function write(event: AuditEvent, at: number): Promise<void> {
    try {
      return journal.push(build(event, at), at)
    } catch (cause) {
      return Promise.reject(new SmartBffError('AUDIT_UNAVAILABLE', { cause }))
    }
  }
  return {
    record(event) {
      const at = now()
      return strangers.admit(event, at) ? write(event, at) : Promise.resolve()
    },
    async writeCounts(at) {
      await Promise.all(strangers.takeCounts(at).map((event) => write(event, now())))
    },
    healthy: () => journal.healthy(),
    drain: () => journal.drain(),
  }
}

function gapRecord({ refused, ms }: { refused: number; ms: number }): AuditEvent {
  return { event: 'audit.recovered', outcome: 'failed', count: refused, ms, actor: 'system' }
}
