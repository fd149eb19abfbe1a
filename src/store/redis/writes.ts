import { letGo } from '../let-go.ts'
import type { Store } from '../store.ts'
import type { RedisClient } from './client.ts'
import type { RedisAsker } from './fault.ts'
import { confirmationName, idempotentName } from './names.ts'

/** What is remembered for the sake of writes: the first results of repeated creates, and confirmations. */
export function writesPart(
  client: RedisClient,
  ask: RedisAsker,
): Pick<
  Store,
  'claimIdempotent' | 'putIdempotent' | 'deleteIdempotent' | 'putConfirmation' | 'takeConfirmation'
> {
  const claim = async (key: string, text: string, lifeMs: number): Promise<string | undefined> => {
    // Redis 6.2 knows no SET with NX and GET. What expires in between is simply free the second time.
    for (let tries = 0; tries < 2; tries += 1) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const claimed = await ask('claimIdempotent', () => client.set(key, text, 'PX', lifeMs, 'NX'))
      if (claimed === 'OK') return undefined
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const held = await ask('claimIdempotent', () => client.get(key))
      if (held !== null) return held
    }
    return ''
  }

  return {
    async claimIdempotent(session, name, text, lifeMs) {
      const key = idempotentName(session, name)
      try {
        return await claim(key, text, lifeMs)
      } catch (fault) {
        void letGo(() => ask('deleteIdempotent', () => client.bffDeleteHeld(key, text)))
        throw fault
      }
    },

    async putIdempotent(session, name, text, lifeMs) {
      const key = idempotentName(session, name)
      await ask('putIdempotent', () => client.set(key, text, 'PX', lifeMs))
    },

    async deleteIdempotent(session, name, held) {
      const key = idempotentName(session, name)
      await ask('deleteIdempotent', () => client.bffDeleteHeld(key, held))
    },

    async putConfirmation(of, text, lifeMs) {
      await ask('putConfirmation', () => client.set(confirmationName(of), text, 'PX', lifeMs))
    },

    async takeConfirmation(of) {
      return (await ask('takeConfirmation', () => client.getdel(confirmationName(of)))) ?? undefined
    },
  }
}
