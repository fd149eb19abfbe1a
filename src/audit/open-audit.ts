import { SmartBffError } from '../errors.ts'
import type { Checkpoint } from './checkpoints.ts'
import { createCheckpointSigner } from './checkpoints.ts'
import type { AuditDeps } from './audit.ts'
import type { AuditEvent } from './event.ts'
import { utcDay } from './file-names.ts'
import { prepareFolder } from './folder.ts'
import { lockInstance } from './lock.ts'
import { recover } from './recover.ts'
import type { Recovered } from './recover.ts'
import { openWriter } from './writer.ts'
import type { Writer } from './writer.ts'

/** What must be done before the first record: the lock, what a crash left behind, and the file to go on with. */
export interface OpenedLog {
  readonly writer: Writer
  readonly recovered: Recovered
  readonly unlock: () => void
}

export interface OpenOptions {
  readonly config: AuditDeps['config']
  readonly now: () => number
  readonly maxFileBytes: number
  readonly publish: (checkpoint: Checkpoint, note: string) => void
  readonly onLines: (text: string) => void
}

/** Throws SmartBffError AUDIT_UNAVAILABLE, with a detail for whoever starts the process. */
export async function openLog(options: OpenOptions): Promise<OpenedLog> {
  const { config, now, ...rest } = options
  const { instance } = config
  const { directory, durability } = config.audit
  let unlock: (() => void) | undefined
  try {
    // Before the lock, whose word would be SQLite's.
    await prepareFolder(directory, 0o750)
    unlock = lockInstance(directory, instance)
    const recovered = await recover(directory, instance, utcDay(now()))
    const signer = createCheckpointSigner(instance, config.keys.signing)
    const writer = await openWriter({ directory, durability, signer, start: recovered, ...rest })
    return { writer, recovered, unlock }
  } catch (cause) {
    unlock?.()
    if (cause instanceof SmartBffError) throw cause
    const detail = `the audit directory ${directory} (${codeOf(cause).code ?? 'unusable'})`
    throw new SmartBffError('AUDIT_UNAVAILABLE', { detail, cause })
  }
}

export function openingRecords(recovered: Recovered): readonly AuditEvent[] {
  const opened: AuditEvent = {
    event: 'audit.opened',
    outcome: 'success',
    reason: recovered.left,
    actor: 'system',
  }
  const repaired = recovered.findings.map((finding): AuditEvent => ({
    event: 'audit.repaired',
    outcome: 'failed',
    actor: 'system',
    ...finding,
  }))
  return [opened, ...repaired]
}

export function codeOf(error: unknown): { readonly code?: string } {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return { code: error.code }
  }
  return {}
}
