import type { Store } from '../store/store.ts'
import type { KeyRing, OpenFault } from './key-ring.ts'
import { hashCookie } from './names.ts'

/** DESIGN.md, "Many launches, one cookie": launches that began before there was a session find one another here. */
export interface BindingVault {
  /**
   * Binds all pending cookies of a request to one session and answers its id: `sessionId` where `prefer` is true (the
   * request brought a valid session), else the one that a parallel callback has bound already, else `sessionId`.
   */
  join(ask: {
    /** Raw cookie values; at most the first 32 count. */
    readonly pendingCookies: readonly string[]
    readonly sessionId: string
    readonly prefer: boolean
  }): Promise<string>
}

export const bindingLifeMs = 10 * 60 * 1000

const maxCookies = 32

/** One value is shared by several keys, so the associated data names their slot and not one of them. */
const boxName = 'bind:{b}'

export function createBindingVault(deps: {
  readonly store: Store
  readonly keyRing: KeyRing
  readonly onGarbage?: (found: { readonly record: 'binding'; readonly fault: OpenFault }) => void
}): BindingVault {
  const { store, keyRing } = deps

  const join: BindingVault['join'] = async ({ pendingCookies, sessionId, prefer }) => {
    const bound = await store.joinBindings({
      pendingHashes: [...new Set(pendingCookies.slice(0, maxCookies).map(hashCookie))],
      sealedSession: keyRing.seal('binding', boxName, sessionId),
      prefer,
      lifeMs: bindingLifeMs,
    })
    const opened = keyRing.open('binding', boxName, bound)
    if (opened.ok) return opened.text
    deps.onGarbage?.({ record: 'binding', fault: opened.fault })
    // What stands there is not ours: it is overwritten, as if it were missing.
    return prefer ? sessionId : join({ pendingCookies, sessionId, prefer: true })
  }
  return { join }
}
