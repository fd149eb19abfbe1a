import type { AuditLog } from '../audit/audit.ts'
import type { Health } from './health.ts'
import type { Metrics } from './metrics.ts'

/** What the metrics tell of the process itself, looked at when somebody asks for them. */
export function watchProcess(
  metrics: Pick<Metrics, 'watch'>,
  health: Pick<Health, 'status'>,
  audit: Pick<AuditLog, 'healthy' | 'status'>,
): void {
  metrics.watch(() => {
    const { ready, word } = health.status()
    const { head, sealed } = audit.status()
    return {
      ready,
      degraded: word === 'degraded',
      auditHealthy: audit.healthy(),
      auditUnsealed: head.seq - sealed,
    }
  })
}
