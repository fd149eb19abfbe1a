import { z } from 'zod'
import type { Store } from '../store/store.ts'
import type { KeyRing, OpenFault } from './key-ring.ts'
import { hashState } from './names.ts'
import { readJson } from './record-text.ts'

/** What /launch must remember until /callback (DESIGN rule 4). */
const pendingShape = z.object({
  schema: z.literal(1),
  /** The launch id, drawn at /launch. */
  launch: z.string().min(1),
  tenant: z.string().min(1),
  mode: z.string().min(1),
  /** PKCE code_verifier (RFC 7636 4.1). */
  verifier: z.string().min(43).max(128),
  /** OpenID Connect Core 3.1.2.1; absent where the EHR does not send it back. */
  nonce: z.string().min(1).exactOptional(),
  /** `hashCookie` of the pending cookie: the browser that began. */
  browser: z.string().min(1),
  /** The tenant's iss, byte for byte, as sent. */
  aud: z.string().min(1),
  /** As sent, byte for byte. */
  redirectUri: z.string().min(1),
  /** Scope strings as sent, separated by one space. */
  requested: z.string(),
  /** A new authorization of a launch that lives: the hash of its session. */
  renews: z.string().min(1).exactOptional(),
  /** And where in the app it was asked for (`return-path.ts`). */
  returnTo: z.string().max(1024).exactOptional(),
  createdAt: z.number(),
})

export type PendingAuthorization = Readonly<z.output<typeof pendingShape>>

export const pendingLifeMs = 10 * 60 * 1000

export interface PendingVault {
  put(state: string, pending: PendingAuthorization): Promise<void>
  /** Once. `undefined`: unknown, used already, older than ten minutes, or not written by us. */
  take(state: string): Promise<PendingAuthorization | undefined>
}

export function createPendingVault(deps: {
  readonly store: Store
  readonly keyRing: KeyRing
  readonly now: () => number
  readonly onGarbage?: (found: {
    readonly record: 'pending'
    readonly fault: OpenFault | 'shape'
  }) => void
}): PendingVault {
  const { store, keyRing, now } = deps
  return {
    put: async (state, pending) => {
      const hash = hashState(state)
      const sealed = keyRing.seal('pending', `tx:${hash}`, JSON.stringify(pending))
      await store.putPending(hash, sealed, pendingLifeMs)
    },

    take: async (state) => {
      const hash = hashState(state)
      const sealed = await store.takePending(hash)
      if (sealed === undefined) return undefined
      const opened = keyRing.open('pending', `tx:${hash}`, sealed)
      const pending = opened.ok ? pendingShape.safeParse(readJson(opened.text)).data : undefined
      if (pending === undefined) {
        deps.onGarbage?.({ record: 'pending', fault: opened.ok ? 'shape' : opened.fault })
        return undefined
      }
      return now() - pending.createdAt < pendingLifeMs ? pending : undefined
    },
  }
}
