import { SmartBffError } from '../errors.ts'
import type { AuditEvent } from './event.ts'
import { createJournal } from './journal.ts'
import type { Entry, Journal, JournalDeps } from './journal.ts'
import type { AuditEventName } from './event-names.ts'
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
const maxHeld = 2000

export function createRecorder(deps: RecorderDeps): Recorder {
  const { build, now, commit, onChange } = deps
  const strangers = createStrangers()
  const held: Entry[] = []
  const journal: Journal = createJournal({
    commit,
    recovery: (gap) => ({ members: build(gapRecord(gap), now()), at: now() }),
    onChange: (change) => {
      onChange(change)
      if (change.kind === 'recovered') for (const entry of held.splice(0)) void push(entry)
    },
    limitMs,
    retryMs,
    maxQueued,
  })
  /** Resolves in any case: who recorded it first was told. */
  async function push(entry: Entry): Promise<void> {
    await hold(journal.push(entry.members, entry.at), entry).catch(() => undefined)
  }
  async function hold(written: Promise<void>, entry: Entry): Promise<void> {
    try {
      await written
    } catch (error) {
      if (held.length < maxHeld) held.push(entry)
      throw error
    }
  }
  /** Hands the journal's own promise on: each one put around it would cost as much as the line. */
  function write(event: AuditEvent, at: number): Promise<void> {
    try {
      const members = build(event, at)
      const written = journal.push(members, at)
      return hasHappened(event) ? hold(written, { members, at }) : written
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

/**
 * What is no question any more: a launch that ended has ended, and a write that was sent was sent, whether it can be
 * recorded or not. Such records are held while there is an outage and written behind the record of it, with their own
 * time; all others were refused together with what they were of. One that a hanging disk wrote after all stands there
 * twice.
 */
const happened: ReadonlySet<AuditEventName> = new Set<AuditEventName>([
  'launch.failed',
  'launch.transition',
  'session.ended',
  'token.exchanged',
  'token.refreshed',
  'token.refused',
  'token.revoked',
  'fhir.aborted',
  'fhir.written',
  'fhir.uncertain',
  'guard.finding',
  'revocation.carried_out',
  'staff.signed_out',
])

/** The sweeper holds what it ended itself, and its claim with it. */
const hasHappened = ({ event, state }: AuditEvent): boolean =>
  happened.has(event) && state !== 'expired'

function gapRecord({ refused, ms }: { refused: number; ms: number }): AuditEvent {
  return { event: 'audit.recovered', outcome: 'failed', count: refused, ms, actor: 'system' }
}
