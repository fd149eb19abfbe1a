import type { AuditFault } from '../audit/audit.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

/** What nobody waits for in the audit, told to whoever watches the process. */
export function reportAuditFault(log: Log, metrics: Metrics) {
  return ({ kind, code, count, copy }: AuditFault): void => {
    switch (kind) {
      case 'failing':
        return log.error({ event: 'audit.failing', code })
      case 'recovered':
        metrics.auditRefused(count ?? 0)
        return log.warn({ event: 'audit.recovered', refused: count })
      case 'checkpoint_failed':
        return log.error({ event: 'audit.checkpoint_failed', code })
      case 'repaired':
        return log.warn({ event: 'audit.repaired', count })
      case 'housekeeping_failed':
        return log.error({ event: 'audit.retention', code })
      case 'copy_recovered':
        return log.warn({ event: 'audit.copy', copy, state: 'recovered', count })
      case 'copy_failing':
        return log.error({ event: 'audit.copy', copy, state: 'failing', code, count })
      case 'copy_lost':
      case 'copy_rejected':
        metrics.auditCopyLost(copy ?? 'other', count ?? 0)
        return log.error({ event: 'audit.copy', copy, state: kind.slice(5), code, count })
    }
  }
}
