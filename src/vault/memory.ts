import { createGenerations } from '../audit/generations.ts'
import { concerns } from '../store/store.ts'
import type { Change, LaunchKey, Store } from '../store/store.ts'
import type { OpenLaunch, Opening, Vault } from './vault.ts'

export interface RememberingVault extends Omit<Vault, 'open'> {
  /** Without a promise where the record is kept: each would cost every request of the FHIR path. */
  open(key: LaunchKey): Opening | Promise<Opening>
  close(): void
}

/**
 * Opened records kept in this process's memory (DESIGN rule 12). One serves only while the link that tells of its end
 * is alive and its idle clock has not passed; otherwise the store is asked. What is read while a change of it is told
 * is not kept: the answer may be older than the news.
 */
export function createRememberingVault(deps: {
  readonly vault: Vault
  readonly store: Pick<Store, 'onChange' | 'linkAlive'>
  readonly now: () => number
  /** Sessions whose launches are kept, about; those that were not used lately go first. */
  readonly maxSessions?: number
}): RememberingVault {
  const { vault, store, now } = deps
  const memory = createMemory(deps.maxSessions ?? 5_000)
  const close = store.onChange((change) => memory.forget(change))

  const open = (key: LaunchKey): Opening | Promise<Opening> => {
    const alive = store.linkAlive()
    const kept = alive ? memory.read(key) : undefined
    return kept !== undefined && now() < kept.idleAt
      ? { kind: 'open', launch: kept }
      : read(key, alive)
  }
  const read = async (key: LaunchKey, alive: boolean): Promise<Opening> => {
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
  const sessions = createGenerations<Map<string, OpenLaunch>>(Math.ceil(maxSessions / 2))
  const readings = new Set<Reading>()

  const keep = ({ session, launch }: LaunchKey, opened: OpenLaunch): void => {
    const known = sessions.get(session)
    const launches = known ?? new Map<string, OpenLaunch>()
    if (launches.size >= maxLaunches && !launches.has(launch)) return
    launches.set(launch, opened)
    if (known === undefined) sessions.set(session, launches)
  }

  return {
    read: ({ session, launch }: LaunchKey): OpenLaunch | undefined =>
      sessions.get(session)?.get(launch),

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
