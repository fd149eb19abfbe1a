import type { Store } from '../store/store.ts'
import { createAudit } from './audit.ts'
import type { AuditDeps, AuditLog } from './audit.ts'
import { createSecondPlaces } from './second-places.ts'
import type { LoggedCheckpoint } from './second-places.ts'

/** The audit of a process with all that the configuration wants copied of it. */
export interface StartAuditDeps extends Pick<AuditDeps, 'config' | 'now' | 'onFault'> {
  readonly store: Store
  /** One line of the application log; a command, whose output is its own, has none. */
  readonly logCheckpoint?: (line: LoggedCheckpoint) => void
}

export async function startAudit(deps: StartAuditDeps): Promise<AuditLog> {
  const { config, store, logCheckpoint = () => undefined } = deps
  const { checkpoints } = config.audit
  const { publish } = createSecondPlaces({
    checkpoints,
    instance: config.instance,
    store,
    log: logCheckpoint,
  })
  return createAudit({ ...deps, onCheckpoint: publish })
}
