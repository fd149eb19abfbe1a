import { SmartBffError } from '../../errors.ts'
import type { Change, Claim, Deadline, LaunchKey, Store } from '../store.ts'

/** Deadlines and indexes of the embedded store, and who hears of changes: one process, so at once and always. */

export interface Changes {
  readonly onChange: Store['onChange']
  tell(change: Change): void
}

export function createChanges(): Changes {
  const listeners = new Set<(change: Change) => void>()
  return {
    onChange: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    tell: (change) => {
      for (const listener of listeners) listener(change)
    },
  }
}

type DeadlinePart = Pick<
  Store,
  'schedule' | 'claimDue' | 'settleDue' | 'listDue' | 'addToIndex' | 'listIndex'
>

export function deadlinePart(
  now: () => number,
  maxRecords: number,
): DeadlinePart & { drop(what: Deadline): void } {
  const due = new Map<
    string,
    { readonly session: string; launch: string | undefined; at: number }
  >()

  return {
    ...indexPart(now, maxRecords),
    drop: (what) => due.delete(nameOf(what)),

    schedule: async ({ session, launch }, at) => {
      const name = nameOf({ session, launch })
      if (due.size >= maxRecords && !due.has(name)) throw full()
      due.set(name, { session, launch, at })
    },

    claimDue: async ({ limit, hideMs }) => {
      const until = now() + hideMs
      const found = [...due.values()]
        .filter(({ at }) => at <= now())
        .toSorted((one, other) => one.at - other.at)
        .slice(0, limit)
      return found.map((deadline): Claim => {
        deadline.at = until
        return { session: deadline.session, launch: deadline.launch, until }
      })
    },

    settleDue: async (claim, nextAt) => {
      const deadline = due.get(nameOf(claim))
      if (deadline?.at !== claim.until) return
      if (nextAt === undefined) due.delete(nameOf(claim))
      else deadline.at = nextAt
    },

    async *listDue() {
      yield [...due.values()].map(({ session, launch }) => ({ session, launch }))
    },
  }
}

function indexPart(now: () => number, maxRecords: number): Pick<Store, 'addToIndex' | 'listIndex'> {
  const indexes = new Map<string, Map<string, { key: LaunchKey; until: number }>>()
  const dropEmpty = (): void => {
    for (const [name, index] of indexes) {
      if (![...index.values()].some(({ until }) => until > now())) indexes.delete(name)
    }
  }
  return {
    addToIndex: async (name, { session, launch }, until) => {
      const index = indexes.get(name) ?? new Map<string, { key: LaunchKey; until: number }>()
      for (const [member, held] of index) if (held.until <= now()) index.delete(member)
      if (indexes.size >= maxRecords) dropEmpty()
      if (index.size >= maxRecords || (indexes.size >= maxRecords && !indexes.has(name))) {
        throw full()
      }
      index.set(`${session}|${launch}`, { key: { session, launch }, until })
      indexes.set(name, index)
    },

    listIndex: async (name) => [...(indexes.get(name)?.values() ?? [])].map(({ key }) => key),
  }
}

const full = (): SmartBffError =>
  new SmartBffError('STORE_UNAVAILABLE', { detail: 'embedded store: full' })

const nameOf = (what: Deadline): string => `${what.session}|${what.launch ?? ''}`
