import { SmartBffError } from '../errors.ts'
import type { Entry } from './journal.ts'

/**
 * A time in which records cannot be written: when it began, how many were refused in it, and the record that tells so
 * and stands before the first one after it.
 */
export interface Outage {
  active(): boolean
  refuse(entries: readonly Refusable[], cause: unknown): void
  /** Writes the record of the gap; rejects, and the outage goes on, when that fails too. */
  end(): Promise<void>
}

export interface Refusable {
  readonly reject: (error: Error) => void
}

export interface OutageDeps {
  readonly commit: (batch: readonly Entry[]) => Promise<number>
  readonly recovery: (gap: { readonly refused: number; readonly ms: number }) => Entry
  readonly onChange: (change: OutageChange) => void
}

export type OutageChange =
  | { readonly kind: 'failing'; readonly cause: unknown }
  | { readonly kind: 'recovered'; readonly refused: number; readonly ms: number }

export function createOutage(deps: OutageDeps): Outage {
  let since: number | undefined
  let refused = 0
  return {
    active: () => since !== undefined,
    refuse(entries, cause) {
      refused += entries.length
      for (const entry of entries) entry.reject(new SmartBffError('AUDIT_UNAVAILABLE', { cause }))
      if (since !== undefined) return
      since = performance.now()
      deps.onChange({ kind: 'failing', cause })
    },
    async end() {
      if (since === undefined) return
      const told = { refused, ms: performance.now() - since }
      await deps.commit([deps.recovery(told)])
      // What was refused while this record was being written is told by the next one.
      refused -= told.refused
      since = refused > 0 ? performance.now() : undefined
      if (since === undefined) deps.onChange({ kind: 'recovered', ...told })
    },
  }
}
