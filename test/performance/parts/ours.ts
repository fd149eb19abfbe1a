import { randomBytes } from 'node:crypto'
import { configSchema } from '../../../src/config/schema/config.ts'
import type { Config } from '../../../src/config/schema/config.ts'
import { createSessionCookies, newSessionId } from '../../../src/session/cookies.ts'
import type { Store } from '../../../src/store/store.ts'
import { createStore } from '../../../src/store/create.ts'
import { createKeyRing } from '../../../src/vault/key-ring.ts'
import { createLaunchIndex } from '../../../src/vault/launch-index.ts'
import { hashSession } from '../../../src/vault/names.ts'
import { createVault } from '../../../src/vault/vault-store.ts'
import { createPseudonyms } from '../../../src/audit/pseudonyms.ts'
import type { Vault } from '../../../src/vault/vault.ts'
import type { RawConfiguration } from './configuration.ts'
import { absoluteMs, idleMs, launchRecord } from './launch-record.ts'

/** Makes launches beside the smart-bff that is measured, in the same store under the same keys. */
export interface Maker {
  readonly config: Config
  readonly store: Store
  readonly vault: Vault
  make(): Promise<Made>
  close(): Promise<void>
}

export interface Made {
  readonly session: string
  readonly launch: string
  readonly headers: Record<string, string>
}

export function createMaker(file: RawConfiguration['file']): Maker {
  const config = configSchema.parse(file)
  const now = Date.now
  const store = createStore(config.store, { now, onFault: () => undefined })
  const keyRing = createKeyRing(config.keys.encryption)
  const index = createLaunchIndex({ store, pseudonyms: createPseudonyms(config.keys.pseudonym) })
  const vault = createVault({ store, keyRing, now, session: { idleMs, absoluteMs }, index })
  const cookies = createSessionCookies({ secrets: config.keys.session })
  return {
    config,
    store,
    vault,
    make: async () => {
      const id = newSessionId()
      const launch = randomBytes(24).toString('base64url')
      const session = hashSession(id)
      await store.createSession(session, sessionBlob, now() + absoluteMs)
      await vault.create({ session, launch }, launchRecord(launch, now()))
      const cookie = `__Host-smart-bff=${cookies.sign(id)}`
      return { session, launch, headers: { cookie, 'smart-bff': '1' } }
    },
    close: () => store.close(),
  }
}

/** About as long as a sealed session record is. */
const sessionBlob = randomBytes(240).toString('base64url')
