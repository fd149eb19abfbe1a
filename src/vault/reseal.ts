import type { LaunchKey, Store } from '../store/store.ts'
import { isPacked } from './key-ring.ts'
import type { KeyRing } from './key-ring.ts'
import { boxName } from './vault-store.ts'

/** `gone`: ended or over meanwhile. `unreadable`: sealed under a key that the ring does not hold, or not by us. */
export type Resealed = 'resealed' | 'fresh' | 'gone' | 'unreadable'

export type ResealCount = Record<Resealed, number>

export interface ResealDeps {
  readonly store: Pick<Store, 'listDue' | 'readLaunch' | 'replaceLaunch'>
  readonly keyRing: KeyRing
  readonly sessions: { reseal(session: string): Promise<Resealed> }
}

/**
 * Seals every living launch and session under the first key of the ring (DESIGN rule 10), so that an older key can be
 * retired. Runs beside the replicas: what one of them writes meanwhile is under the first key already, and wins.
 * `onProgress` hears the counts after every page.
 */
export async function resealAll(
  deps: ResealDeps,
  onProgress: (count: Readonly<ResealCount>) => void,
): Promise<Readonly<ResealCount>> {
  const count: ResealCount = { resealed: 0, fresh: 0, gone: 0, unreadable: 0 }
  for await (const page of deps.store.listDue()) {
    for (const { session, launch } of page) {
      // oxlint-disable-next-line no-await-in-loop -- in the background: one at a time leaves the store to the clinicians
      const done = await (launch === undefined
        ? deps.sessions.reseal(session)
        : resealLaunch(deps, { session, launch }))
      count[done] += 1
    }
    onProgress({ ...count })
  }
  return count
}

const attemptsMax = 5

async function resealLaunch(deps: ResealDeps, key: LaunchKey, attempt = 1): Promise<Resealed> {
  const { store, keyRing } = deps
  const stored = await store.readLaunch(key)
  if (stored === undefined || stored.ended !== '') return 'gone'
  const name = boxName(key)
  const opened = keyRing.open('launch', name, stored.sealed)
  if (!opened.ok) return 'unreadable'
  if (!opened.stale) return 'fresh'
  // In the form that it has: an older replica may still have to read it.
  const seal = isPacked(stored.sealed) ? keyRing.sealPacked : keyRing.seal
  const sealed = seal('launch', name, opened.text)
  if (await store.replaceLaunch(key, stored.version, sealed)) return 'resealed'
  return attempt < attemptsMax ? resealLaunch(deps, key, attempt + 1) : 'unreadable'
}
