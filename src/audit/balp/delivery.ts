import type { FhirAuditEvent } from './audit-event.ts'
import type { Repository } from './post.ts'
import type { BalpFault } from './sink.ts'
import type { Spool, Spooled } from './spool.ts'

/** From the spool to the repository: the oldest first, again and again until the repository has it. */
export interface Delivery {
  /** There is something in the spool. */
  wake(): void
  status(): {
    readonly sent: number
    readonly rejected: number
    readonly failingSince: number | undefined
  }
  close(): Promise<void>
}

export interface DeliveryDeps {
  readonly spool: Spool
  readonly repository: Repository
  readonly now: () => number
  readonly onFault: (fault: BalpFault) => void
  /** So many AuditEvents found no room. */
  readonly lose: (count: number) => void
  readonly retryMs: { readonly first: number; readonly most: number }
}

export function createDelivery(deps: DeliveryDeps): Delivery {
  const { retryMs } = deps
  const trip = createTrip(deps)
  const pause = createPause()
  let sending: Promise<void> | undefined

  async function send(): Promise<void> {
    let delay = retryMs.first
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- one batch after the other
      const next = pause.over() ? 'empty' : await trip.take()
      if (next === 'empty') return
      if (next === 'taken') {
        delay = retryMs.first
        continue
      }
      // oxlint-disable-next-line no-await-in-loop -- waits before the next try
      await pause.wait(Math.max(next, delay * (0.75 + Math.random() / 2)))
      delay = Math.min(delay * 2, retryMs.most)
    }
  }

  return {
    wake() {
      if (pause.over()) return
      sending ??= send().finally(() => {
        sending = undefined
      })
    },
    status: () => trip.status(),
    async close() {
      pause.end()
      await deps.repository.close()
      await sending
    },
  }
}

/** One batch there, and what came back. */
function createTrip({ spool, repository, now, onFault, lose }: DeliveryDeps) {
  let sent = 0
  let rejected = 0
  let failingSince: number | undefined

  function failing(reason: string | undefined): void {
    if (failingSince === undefined) onFault({ kind: 'failing', reason, count: spool.waiting() })
    failingSince ??= now()
  }

  function recovered(): void {
    if (failingSince !== undefined) onFault({ kind: 'recovered', count: spool.waiting() })
    failingSince = undefined
  }

  async function reject(events: readonly FhirAuditEvent[], reason: string | undefined) {
    rejected += events.length
    onFault({ kind: 'rejected', reason, count: events.length })
    if (!(await spool.reject(JSON.stringify(events)))) lose(events.length)
  }

  async function deliver(batch: Spooled): Promise<'taken' | number> {
    const events = readEvents(batch.text)
    const posted = await repository.post(events)
    sent += posted.accepted
    if (posted.rejected.length > 0) await reject(posted.rejected, posted.reason)
    if (posted.again.length === 0) {
      await spool.remove(batch)
      recovered()
      return 'taken'
    }
    // What was taken must not be sent a second time.
    if (posted.again.length < events.length && (await spool.put(JSON.stringify(posted.again)))) {
      await spool.remove(batch)
    }
    failing(posted.reason)
    return posted.retryAfterMs ?? 0
  }

  return {
    /** A number: how many milliseconds the repository wants us to wait at least. */
    async take(): Promise<'empty' | 'taken' | number> {
      try {
        const batch = await spool.oldest()
        return batch === undefined ? 'empty' : await deliver(batch)
      } catch {
        failing('spool')
        return 0
      }
    },
    status: () => ({ sent, rejected, failingSince }),
  }
}

/** A wait that the end cuts short. */
function createPause() {
  const ended = new AbortController()
  return {
    over: () => ended.signal.aborted,
    end: () => ended.abort(),
    wait(ms: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, ms)
      timer.unref()
      const cut = (): void => {
        clearTimeout(timer)
        resolve()
      }
      ended.signal.addEventListener('abort', cut, { once: true })
      return promise.finally(() => ended.signal.removeEventListener('abort', cut))
    },
  }
}

function readEvents(text: string): readonly FhirAuditEvent[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- sealed by us
  return JSON.parse(text) as readonly FhirAuditEvent[]
}
