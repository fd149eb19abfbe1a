import { createPseudonyms } from '../audit/pseudonyms.ts'
import { startAudit } from '../audit/start-audit.ts'
import { renewable } from '../config/renewable.ts'
import type { Config } from '../config/schema/config.ts'
import { productVersion } from '../config/version.ts'
import { createStore } from '../store/create.ts'
import { createKeyRing } from '../vault/key-ring.ts'
import { sealAuditStream } from '../vault/sealed-stream.ts'
import { createSpoolSeal } from '../vault/spool-seal.ts'
import { reportAuditFault } from './audit-faults.ts'
import { countRecords } from './count-records.ts'
import { createHealth } from './health.ts'
import { createLog } from './log.ts'
import { createMatrix } from './matrix.ts'
import { createMetrics } from './metrics.ts'
import { reportReadiness } from './report-readiness.ts'
import { startTracing } from './start-tracing.ts'
import { reportStoreFault } from './store-faults.ts'
import { watchProcess } from './watch-process.ts'

/** What every part leans on: the log, the metrics, the audit and the store. */
export async function layGround(config: Config) {
  const log = createLog({ level: config.logging.level, instance: config.instance })
  const metrics = createMetrics({ tenants: config.tenants, version: productVersion() })
  const storeFaults = reportStoreFault(log, metrics)
  const ring = renewable(config, ({ keys }) => createKeyRing(keys.encryption))
  const keyRing = ring.part
  const plain = createStore(config.store, {
    now: Date.now,
    onFault: storeFaults.report,
    onAnswer: (operation, seconds) => metrics.storeAnswer(operation, seconds),
  })
  const store = sealAuditStream(plain, keyRing)
  // What one replica writes and another judges goes by one clock; what comes from an EHR, by our own.
  const { now } = store
  // Without the audit nothing may run (DESIGN rule 8).
  const written = await startAudit({
    config,
    store,
    onFault: reportAuditFault(log, metrics),
    logCheckpoint: (checkpoint) => log.info({ event: 'audit.checkpoint', ...checkpoint }),
    seal: createSpoolSeal(keyRing),
  })
  if ('memory' in config.store) log.warn({ event: 'store.embedded', reason: 'not_for_production' })
  const pseudonyms = createPseudonyms(config.keys.pseudonym)
  const matrix = createMatrix({ store, scopes: { tenants: config.tenants, now } })
  const audit = countRecords(written, metrics, matrix)
  const health = createHealth({
    auditHealthy: () => audit.healthy(),
    checkStore: () => store.check(),
    onChange: reportReadiness(log),
  })
  watchProcess(metrics, health, written)
  const tracing = await startTracing(config, log)
  const shared = { now, log, metrics, audit, store, tracing }
  return { ...shared, keyRing, renew: ring.renew, pseudonyms, matrix, health, storeFaults }
}

export type Ground = Awaited<ReturnType<typeof layGround>>

interface Closing {
  readonly log: { close(): Promise<void> }
  readonly matrix: { stop(): Promise<void> }
  readonly audit: { close(): Promise<void> }
  readonly store: { close(): Promise<void> }
  readonly metrics: { close(): void }
}

/** The audit is closed whatever went wrong before; its last checkpoint still goes to the store. The log hears of all. */
export async function closeGround({ matrix, store, audit, metrics, log }: Closing): Promise<void> {
  try {
    await matrix.stop()
  } finally {
    try {
      await audit.close()
      await store.close()
      metrics.close()
    } finally {
      await log.close()
    }
  }
}
