import { join } from 'node:path'
import type { Config } from '../config/schema/config.ts'
import type { Store } from '../store/store.ts'
import { createAudit } from './audit.ts'
import type { AuditDeps, AuditFault, AuditLog } from './audit.ts'
import { createRepository } from './balp/post.ts'
import { createBalpSink } from './balp/sink.ts'
import type { BalpFault, BalpSink } from './balp/sink.ts'
import { openSpool } from './balp/spool.ts'
import type { SpoolSeal } from './balp/spool.ts'
import { createSecondPlaces } from './copies/second-places.ts'
import type { LoggedCheckpoint } from './copies/second-places.ts'
import { createStandardOutputCopy } from './copies/standard-output.ts'
import { createStreamCopy } from './copies/stream.ts'
import type { Copy, CopyFault, CopyStatus } from './copies/stream.ts'
import { launchHash } from './pseudonyms.ts'

/**
 * The audit of a process with all that the configuration wants copied of it: checkpoints to second places, records to
 * the other replicas' indexes and to standard output, AuditEvents to a repository. The files are the audit; a copy that
 * fails is an alarm and no refusal.
 */
export interface StartAuditDeps extends Pick<AuditDeps, 'now' | 'onFault'> {
  readonly config: Pick<Config, 'audit' | 'instance' | 'keys' | 'tenants' | 'publicUrl' | 'store'>
  readonly store: Store
  /** One line of the application log. */
  readonly logCheckpoint: (line: LoggedCheckpoint) => void
  readonly seal: SpoolSeal
}

/** Also says how far its copies are behind. */
export interface StartedAudit extends AuditLog {
  copies(): Readonly<Partial<Record<CopyName, CopyStatus>>>
}

export type CopyName = 'stream' | 'stdout' | 'repository'

export async function startAudit(deps: StartAuditDeps): Promise<StartedAudit> {
  const { config, store, logCheckpoint, now = Date.now, onFault = () => undefined } = deps
  const { publish } = createSecondPlaces({
    checkpoints: config.audit.checkpoints,
    instance: config.instance,
    store,
    log: logCheckpoint,
  })
  const tell = (copy: CopyName) => (fault: CopyFault | BalpFault) => {
    onFault(copyFault(copy, fault))
  }
  const lines = lineCopies(deps, now, tell)
  const repository = await repositorySink(deps, now, tell('repository'))
  const audit = await createAudit({
    ...deps,
    onCheckpoint: publish,
    onLines: (text) => {
      for (const copy of lines.values()) copy.offer(text)
    },
  })
  return {
    ...audit,
    ...(repository === undefined ? {} : { record: heardBy(repository, audit, now) }),
    copies: () => ({
      ...Object.fromEntries([...lines].map(([name, copy]) => [name, copy.status()])),
      ...(repository === undefined ? {} : { repository: repository.status() }),
    }),
    async close() {
      try {
        await audit.close()
      } finally {
        await Promise.all([...lines.values()].map((copy) => copy.close()))
        await repository?.close()
      }
    },
  }
}

type Tell = (copy: CopyName) => (fault: CopyFault) => void

/** The embedded store has nobody else to tell. */
function lineCopies({ config, store }: StartAuditDeps, now: () => number, tell: Tell) {
  const copies = new Map<CopyName, Copy>()
  const { stdout, stream } = config.audit
  if (stdout) copies.set('stdout', createStandardOutputCopy({ now, onFault: tell('stdout') }))
  if ('redis' in config.store && stream.records > 0) {
    copies.set(
      'stream',
      createStreamCopy({ store, most: stream.records, now, onFault: tell('stream') }),
    )
  }
  return copies
}

/** What was recorded, and nothing else, goes to the repository. */
function heardBy(sink: BalpSink, audit: AuditLog, now: () => number): AuditLog['record'] {
  return async (event) => {
    const at = now()
    await audit.record(event)
    sink.offer(event, at)
  }
}

const megabyte = 1_048_576

async function repositorySink(
  { config, seal }: StartAuditDeps,
  now: () => number,
  onFault: (fault: BalpFault) => void,
): Promise<BalpSink | undefined> {
  const { audit, instance, publicUrl, tenants } = config
  const { fhir } = audit
  if (fhir === undefined) return undefined
  const spool = await openSpool({
    directory: fhir.spool ?? join(audit.directory, 'balp-spool'),
    instance,
    maxBytes: fhir.spoolMegabytes * megabyte,
    seal,
    onUnreadable: () => onFault({ kind: 'failing', reason: 'unreadable', count: 1 }),
  })
  return createBalpSink({
    context: {
      publicUrl,
      instance,
      launchHash,
      tenants: new Map(
        tenants.map(({ id, name, iss, client }) => [id, { name, iss, clientId: client.id }]),
      ),
    },
    spool,
    repository: createRepository(fhir),
    now,
    onFault,
  })
}

function copyFault(copy: CopyName, fault: CopyFault | BalpFault): AuditFault {
  const { kind } = fault
  const code = 'code' in fault ? fault.code : 'reason' in fault ? fault.reason : undefined
  const count = 'count' in fault ? fault.count : 'lost' in fault ? fault.lost : undefined
  return {
    kind: `copy_${kind}`,
    copy,
    ...(code === undefined ? {} : { code }),
    ...(count === undefined ? {} : { count }),
  }
}
