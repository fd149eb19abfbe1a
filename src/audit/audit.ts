import type { Config } from '../config/schema/config.ts'
import { SmartBffError } from '../errors.ts'
import type { Head } from './chain.ts'
import type { Checkpoint } from './checkpoints.ts'
import type { Audit } from './event.ts'
import { createHousekeeping } from './housekeeping.ts'
import { createLineBuilder } from './line.ts'
import { codeOf, openingRecords, openLog } from './open-audit.ts'
import type { OutageChange } from './outage.ts'
import { createPseudonyms } from './pseudonyms.ts'
import { createPublisher } from './publisher.ts'
import { createRecorder } from './recorder.ts'
import type { Recorder } from './recorder.ts'
import { startUpkeep } from './upkeep.ts'
import type { Chore } from './upkeep.ts'
import { createVocabulary } from './vocabulary.ts'
import type { Writer } from './writer.ts'

export interface AuditDeps {
  readonly config: Pick<Config, 'audit' | 'instance' | 'keys' | 'tenants'>
  /** Milliseconds since the epoch; for tests. */
  readonly now?: () => number
  /** Faults that nobody waits for: they must reach the log and the metrics. */
  readonly onFault?: (fault: AuditFault) => void
  /** Every signed checkpoint, for a second place: the log, Redis, a file elsewhere. */
  readonly onCheckpoint?: (checkpoint: Checkpoint, note: string) => void | Promise<void>
  /** Hears all lines, the opening ones too. */
  readonly onLines?: (text: string) => void
  /** For tests; the configuration's otherwise. */
  readonly maxFileBytes?: number
}

export interface AuditFault {
  readonly kind:
    | 'failing'
    | 'recovered'
    | 'checkpoint_failed'
    | 'repaired'
    | 'housekeeping_failed'
    | 'copy_failing'
    | 'copy_recovered'
    | 'copy_lost'
    | 'copy_rejected'
  /** Which copy of the records. */
  readonly copy?: 'stream' | 'stdout' | 'repository'
  /** Of a system error: `ENOSPC`. */
  readonly code?: string
  /** Records that were refused, or are missing. */
  readonly count?: number
}

/** The audit with what its readers on this replica need. */
export interface AuditLog extends Audit {
  /** Called with whole lines, each with its end, right after they were written. Answers how to stop it. */
  onLines(listener: (text: string) => void): () => void
  status(): { readonly head: Head; readonly sealed: number; readonly file: string }
}

const megabyte = 1_048_576
const minuteMs = 60_000
const housekeepingMs = 3_600_000

/**
 * The one door to the audit. Starting repairs what a crash left and records it. It throws SmartBffError
 * AUDIT_UNAVAILABLE when the directory cannot be written or another process holds this instance's name: without an
 * audit nothing may run.
 */
export async function createAudit(deps: AuditDeps): Promise<AuditLog> {
  const { config, now = Date.now, onFault = () => undefined } = deps
  const listeners = new Set<(text: string) => void>()
  if (deps.onLines !== undefined) listeners.add(deps.onLines)
  const places = createPublisher(deps)
  const { writer, recovered, unlock } = await openLog({
    config,
    now,
    maxFileBytes: deps.maxFileBytes ?? config.audit.maxFileMegabytes * megabyte,
    publish: places.publish,
    onLines: (text) => {
      for (const listener of listeners) listener(text)
    },
  })
  const recorder = createRecorder({
    build: createLineBuilder({
      pseudonyms: createPseudonyms(config.keys.pseudonym),
      vocabulary: createVocabulary(config.tenants),
      instance: config.instance,
    }),
    now,
    commit: (batch) => writer.commit(batch),
    onChange: (change) => {
      onFault(faultOf(change))
    },
  })
  /** Without waiting, for the disk may hang: nothing is written again and again for nobody. */
  function giveUp(): void {
    unlock()
    void recorder.drain()
  }
  try {
    for (const event of openingRecords(recovered)) await recorder.record(event)
  } catch (error) {
    giveUp()
    throw error
  }
  for (const { reason } of recovered.findings) onFault({ kind: 'repaired', code: reason })
  const upkeep = startUpkeep(chores(deps, writer, recorder))

  let closing: Promise<void> | undefined
  async function close(): Promise<void> {
    try {
      await upkeep.stop()
      await recorder.writeCounts(Number.POSITIVE_INFINITY)
      await recorder.record({ event: 'audit.closed', outcome: 'success', actor: 'system' })
      await recorder.drain()
      await writer.close()
      await places.settled()
    } finally {
      giveUp()
    }
  }
  return {
    record: (event) =>
      closing === undefined
        ? recorder.record(event)
        : Promise.reject(new SmartBffError('AUDIT_UNAVAILABLE', { detail: 'closed' })),
    healthy: () => recorder.healthy(),
    close: () => (closing ??= close()),
    onLines(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    status: () => ({ head: writer.head(), sealed: writer.sealed(), file: writer.current() }),
  }
}

function chores(deps: AuditDeps, writer: Writer, recorder: Recorder): readonly Chore[] {
  const { config, now = Date.now, onFault } = deps
  const { directory, retentionDays, compressAfterDays, checkpointSeconds } = config.audit
  const housekeeping = createHousekeeping({
    directory,
    retentionDays,
    compressAfterDays,
    instance: config.instance,
    now,
    record: (event) => recorder.record(event),
    current: () => writer.current(),
  })
  const tell = (kind: AuditFault['kind']) => (error: unknown) => {
    onFault?.({ kind, ...codeOf(error) })
  }
  return [
    {
      everyMs: checkpointSeconds * 1000,
      act: () => writer.checkpoint(),
      onFault: tell('checkpoint_failed'),
    },
    { everyMs: minuteMs, act: () => recorder.writeCounts(now()), onFault: tell('failing') },
    {
      everyMs: housekeepingMs,
      atOnce: true,
      act: () => housekeeping.run(),
      onFault: tell('housekeeping_failed'),
    },
  ]
}

function faultOf(change: OutageChange): AuditFault {
  return change.kind === 'failing'
    ? { kind: 'failing', ...codeOf(change.cause) }
    : { kind: 'recovered', count: change.refused }
}
