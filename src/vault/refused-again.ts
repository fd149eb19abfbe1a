import type { LaunchKey, Store } from '../store/store.ts'
import type { LaunchRecord } from './record.ts'
import { remember } from './remember.ts'
import { refusedAgainMs, refusalOf, saysNothingNew } from './token-rules.ts'
import type { KnownRefusal } from './token-rules.ts'

/**
 * A record that an EHR answers with 401 whatever the token would cost one refresh for each time it is asked for. Kept
 * beside the launch, so that all replicas know of it: that a token was refused, by the time it came at, nothing of it.
 */
export interface RefusedAgain {
  /** Never throws: what cannot be stored the others find out for themselves. */
  refused(key: LaunchKey, record: LaunchRecord): Promise<void>
  /** One that has served and is refused later was taken back. */
  served(key: LaunchKey, record: LaunchRecord): void
  /** Never throws: what cannot be read is not known. */
  known(key: LaunchKey, record: LaunchRecord): Promise<boolean>
}

export function createRefusedAgain(deps: {
  readonly store: Pick<Store, 'acquireLease' | 'readLease' | 'releaseLease'>
  readonly now: () => number
}): RefusedAgain {
  const { store, now } = deps
  const here = new Map<string, KnownRefusal>()
  /** By the time that the token came at. */
  const serving = new Map<string, number>()

  /** In place of what stands there of an older token. */
  const tell = async (name: string, word: string): Promise<void> => {
    const before = await store.readLease(name)
    if (before === word) return
    if (before !== undefined) await store.releaseLease(name, before)
    await store.acquireLease(name, word, refusedAgainMs)
  }

  return {
    refused: async (key, record) => {
      const name = nameOf(key)
      const served = serving.get(name) === record.tokens.receivedAt
      const refusal = refusalOf(record, served, now())
      // The first counts: said again and again it would last for ever.
      if (refusal === undefined || here.get(name)?.receivedAt === refusal.receivedAt) return
      remember(here, name, refusal)
      await tell(name, String(refusal.receivedAt)).catch(() => undefined)
    },
    served: (key, { tokens }) => remember(serving, nameOf(key), tokens.receivedAt),
    known: async (key, record) => {
      const name = nameOf(key)
      if (saysNothingNew(record, here.get(name), now())) return true
      const word = await store.readLease(name).catch(() => undefined)
      return word === String(record.tokens.receivedAt)
    },
  }
}

/** The braces put it into the launch's slot. */
const nameOf = ({ session, launch }: LaunchKey): string => `refused:{${session}}:${launch}`
