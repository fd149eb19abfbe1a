import { SmartBffError } from '../errors.ts'
import type { Store } from '../store/store.ts'
import type { KeyRing, OpenFault } from './key-ring.ts'
import { hashCookie } from './names.ts'

/** DESIGN.md, "Many launches, one cookie": launches that began before there was a session find one another here. */
export interface BindingVault {
  /**
   * Binds all pending cookies of a request to one session and answers its id: the one that a parallel callback has bound
   * already, unless it is `over`; else `sessionId`. Of parallel callbacks that leave the same session behind one chooses
   * what follows, and the others get it. Throws STORE_UNAVAILABLE.
   */
  join(ask: {
    /** Raw cookie values; at most the first 32 count. */
    readonly pendingCookies: readonly string[]
    readonly sessionId: string
    /** The id of a session that gives way. */
    readonly over?: string | undefined
  }): Promise<string>
}

export const bindingLifeMs = 10 * 60 * 1000

const maxCookies = 32
/** Each further one needs another binding that gives way. */
const attemptsMax = 5

/** One value is shared by several keys, so the associated data names their slot and not one of them. */
const boxName = 'bind:{b}'

export function createBindingVault(deps: {
  readonly store: Store
  readonly keyRing: KeyRing
  readonly onGarbage?: (found: { readonly record: 'binding'; readonly fault: OpenFault }) => void
}): BindingVault {
  const { store, keyRing } = deps

  const join: BindingVault['join'] = async ({ pendingCookies, sessionId, over }) => {
    const pendingHashes = [...new Set(pendingCookies.slice(0, maxCookies).map(hashCookie))]
    const sealedSession = keyRing.seal('binding', boxName, sessionId)
    let bound: string | undefined
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      const givesWay = bound
      // oxlint-disable-next-line no-await-in-loop -- an attempt follows from the answer to the one before
      bound = await store.joinBindings({
        pendingHashes,
        sealedSession,
        over: givesWay,
        lifeMs: bindingLifeMs,
      })
      const opened = keyRing.open('binding', boxName, bound)
      if (opened.ok && opened.text !== over) return opened.text
      // What stands there is not ours, or over: it is overwritten, unless somebody has done so meanwhile.
      if (!opened.ok) deps.onGarbage?.({ record: 'binding', fault: opened.fault })
    }
    throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'join: bindings change on' })
  }
  return { join }
}
