import { collectKeptNotes } from '../audit/copies/kept-notes.ts'
import type { Config } from '../config/schema/config.ts'
import { createStore } from '../store/create.ts'
import type { Output } from './audit-verify.ts'

/** The checkpoints in the configured second places; what could not be read is said, for it was not compared. */
export async function collectCheckpoints(config: Config, output: Output): Promise<string> {
  const { checkpoints } = config.audit
  const shared = checkpoints.store && 'redis' in config.store
  const store = shared
    ? createStore(config.store, { now: Date.now, onFault: () => undefined })
    : undefined
  try {
    const { notes, unread } = await collectKeptNotes(checkpoints, store)
    for (const place of unread) {
      output.write(`Not compared with checkpoints kept in ${place}: none can be read there.\n`)
    }
    return notes
  } finally {
    await store?.close()
  }
}
