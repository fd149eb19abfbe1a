import type { AuditEvent } from '../event.ts'
import { auditEventsOf } from './audit-event.ts'
import type { BalpContext } from './audit-event.ts'
import { createDelivery } from './delivery.ts'
import type { Repository } from './post.ts'
import type { Spool } from './spool.ts'

/**
 * From records to the repository: gathered in memory for half a second, then in the spool, then sent in order, the
 * oldest first, again and again until the repository has them. Off the way of every request: `offer` only remembers.
 * The audit file is the audit; what is lost here is counted and told, never a refusal.
 */
export interface BalpSink {
  offer(event: AuditEvent, at: number): void
  status(): BalpStatus
  /** What is gathered goes to the spool; what is in the spool waits there for the next start. */
  close(): Promise<void>
}

export interface BalpStatus {
  /** Batches in the spool. */
  readonly waiting: number
  readonly sent: number
  readonly lost: number
  readonly rejected: number
  /** Since when the repository has taken nothing; undefined while it does. */
  readonly failingSince: number | undefined
}

export type BalpFault =
  | {
      readonly kind: 'failing' | 'rejected'
      readonly reason: string | undefined
      readonly count: number
    }
  | { readonly kind: 'lost'; readonly count: number }
  | { readonly kind: 'recovered'; readonly count: number }

export interface BalpSinkDeps {
  readonly context: BalpContext
  readonly spool: Spool
  readonly repository: Repository
  readonly now: () => number
  readonly onFault: (fault: BalpFault) => void
  readonly gatherMs?: number
  readonly retryMs?: { readonly first: number; readonly most: number }
}

const mostGathered = 10_000
/** With the longest queries still less than a sealed text may hold. */
const batchSize = 50

export function createBalpSink(deps: BalpSinkDeps): BalpSink {
  const { context, spool, onFault, gatherMs = 500 } = deps
  let gathered: { event: AuditEvent; at: number }[] = []
  let unheard = 0
  let lost = 0
  let timer: NodeJS.Timeout | undefined
  let spooling = Promise.resolve()

  function lose(count: number): void {
    lost += count
    onFault({ kind: 'lost', count })
  }
  const retryMs = deps.retryMs ?? { first: 1000, most: 300_000 }
  const delivery = createDelivery({ ...deps, lose, retryMs })

  async function toSpool(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    const batch = gathered
    gathered = []
    if (unheard > 0) lose(unheard)
    unheard = 0
    const events = batch.flatMap(({ event, at }) => auditEventsOf(event, at, context))
    for (let from = 0; from < events.length; from += batchSize) {
      const some = events.slice(from, from + batchSize)
      // oxlint-disable-next-line no-await-in-loop -- in their order
      const put = await spool.put(JSON.stringify(some)).catch(() => false)
      if (!put) lose(some.length)
    }
    delivery.wake()
  }
  function begin(): void {
    spooling = spooling.then(toSpool)
  }
  // What the last process left.
  begin()

  return {
    offer(event, at) {
      if (!event.event.startsWith('fhir.')) return
      if (gathered.length >= mostGathered) {
        unheard += 1
        return
      }
      gathered.push({ event, at })
      if (timer !== undefined) return
      timer = setTimeout(begin, gatherMs)
      timer.unref()
    },
    status: () => ({ waiting: spool.waiting(), lost, ...delivery.status() }),
    async close() {
      begin()
      await spooling
      await delivery.close()
    },
  }
}
