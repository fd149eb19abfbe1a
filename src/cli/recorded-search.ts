import { startCommandAudit } from './command-audit.ts'
import type { Config } from '../config/schema/config.ts'
import { createStore } from '../store/create.ts'
import type { Asked } from './audit-search.ts'

/**
 * Who looks through a deployment's audit with its configuration is recorded there, before anything is shown, under the
 * name of the instance with `.command` at its end.
 */
export async function recordSearch(config: Config, asked: Asked, by: string): Promise<void> {
  const store = createStore(config.store, { now: Date.now, onFault: () => undefined })
  try {
    const audit = await startCommandAudit(config, store)
    try {
      await audit.record({
        event: 'staff.searched',
        outcome: 'success',
        user: { issuer: undefined, subject: by, fhirUser: undefined, kind: 'staff' },
        parameters: asked,
        actor: 'staff',
      })
    } finally {
      await audit.close()
    }
  } finally {
    await store.close()
  }
}
