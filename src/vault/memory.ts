import { concerns } from '../store/store.ts'
import type { Change, LaunchKey, Store } from '../store/store.ts'
import type { OpenLaunch, Opening, Vault } from './vault.ts'

/**
 * Opened records kept in this process's memory (DESIGN rule 12). One serves only while the link that tells of its end
 * is alive and its idle clock has not passed; otherwise the store is asked. What is read while a change of it is told
 * is not kept: the answer may be older than the news.
 */
export function createRememberingVault(deps: {
  readonly vault: Vault
  readonly store: Pick<Store, 'onChange' | 'linkAlive'>
  readonly now: () => number
  /** Sessions whose launches are kept; the least lately used goes first. */
  readonly maxSessions?: number
}): Vault & { readonly close: () => void } {
  const { vault, store, now } = deps
  const memory = createMemory(deps.maxSessions ?? 5_000)
  const close = store.onChange((change) => memory.forget(change))

  const open = async (key: LaunchKey): Promise<Opening> => {
    const alive = store.linkAlive()
    const kept = alive ? memory.read(key) : undefined
    if (kept !== undefined && now() < kept.idleAt) return { kind: 'open', launch: kept }
    const reading = memory.beginReading(key)
    try {
      const opening = await vault.open(key)
      if (opening.kind === 'open' && alive) reading.keep(opening.launch)
      return opening
    } finally {
      reading.end()
    }
  }
  return { ...vault, open, close }
}

/** More launches than any browser may have; a session with more is read from the store. */
const maxLaunches = 64

interface Reading {
  readonly key: LaunchKey
  stale: boolean
}

function createMemory(maxSessions: number) {
  const sessions = new Map<string, Map<string, OpenLaunch>>()
  const readings = new Set<Reading>()

  const keep = ({ session, launch }: LaunchKey, opened: OpenLaunch): void => {
    const launches = sessions.get(session) ?? new Map<string, OpenLaunch>()
    if (launches.size >= maxLaunches && !launches.has(launch)) return
    launches.set(launch, opened)
    touch(session, launches)
    const oldest = sessions.size > maxSessions ? sessions.keys().next().value : undefined
    if (oldest !== undefined) sessions.delete(oldest)
  }
  /** A Map keeps the order of insertion, so the first is the one used longest ago. */
  const touch = (session: string, launches: Map<string, OpenLaunch>): void => {
    sessions.delete(session)
    sessions.set(session, launches)
  }

  return {
    read({ session, launch }: LaunchKey): OpenLaunch | undefined {
      const launches = sessions.get(session)
      if (launches === undefined) return undefined
      touch(session, launches)
      return launches.get(launch)
    },

    beginReading(key: LaunchKey) {
      const reading: Reading = { key, stale: false }
      readings.add(reading)
      return {
        keep: (opened: OpenLaunch): void => {
          if (!reading.stale) keep(key, opened)
        },
        end: (): void => {
          readings.delete(reading)
        },
      }
    },

    forget(change: Change): void {
      for (const reading of readings) if (concerns(change, reading.key)) reading.stale = true
      if (change.kind === 'gap') return sessions.clear()
      if (change.launch === undefined) sessions.delete(change.session)
      else sessions.get(change.session)?.delete(change.launch)
    },
  }
}
