import { createAudit } from '../audit/audit.ts'
import type { AuditLog } from '../audit/audit.ts'
import { createSecondPlaces } from '../audit/copies/second-places.ts'
import { createStreamCopy } from '../audit/copies/stream.ts'
import type { Config } from '../config/schema/config.ts'
import type { Store } from '../store/store.ts'

/**
 * The audit of a command stands beside the server's, under the name of the instance with `.command` at its end. Its
 * standard output is its own, so its records go to the stream and its checkpoints to the other places alone.
 */
export async function startCommandAudit(config: Config, store: Store): Promise<AuditLog> {
  const instance = `${config.instance}.command`
  const { checkpoints, stream } = config.audit
  const places = createSecondPlaces({ checkpoints, instance, store, log: () => undefined })
  const shared = 'redis' in config.store && stream.records > 0
  const copy = createStreamCopy({
    store,
    most: stream.records,
    now: Date.now,
    onFault: () => undefined,
  })
  const audit = await createAudit({
    config: { ...config, instance },
    onCheckpoint: places.publish,
    ...(shared ? { onLines: (text: string) => copy.offer(text) } : {}),
  })
  return {
    ...audit,
    async close() {
      try {
        await audit.close()
      } finally {
        await copy.close()
      }
    },
  }
}
