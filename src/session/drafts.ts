import { createHmac, createSecretKey, hash, hkdfSync, type KeyObject } from 'node:crypto'
import type { Secret } from '../config/secret.ts'
import type { Store } from '../store/store.ts'
import type { KeyRing } from '../vault/key-ring.ts'
import type { LaunchRecord } from '../vault/record.ts'
import { userKey } from './session-record.ts'

/**
 * `draft:<name>`: one sealed draft of a user, on a patient, in a mode of a tenant. Whoever has the same four finds it
 * again, after a re-authorization or a new launch. An unknown user equals nobody (DESIGN rule 14) and has none.
 */
export interface Drafts {
  /** Undefined for an unknown user. `text` is undefined where there is no draft. */
  read(record: LaunchRecord): Promise<DraftRead | undefined>
  /** Writes only while the draft is still of `version`; answers the new version, else undefined. */
  write(record: LaunchRecord, version: string, text: string): Promise<string | undefined>
  remove(record: LaunchRecord, version: string): Promise<boolean>
  /** With the session that the launch was part of (DESIGN rule 15). */
  forget(record: LaunchRecord): Promise<void>
}

export interface DraftRead {
  readonly text: string | undefined
  readonly version: string
}

/** The version of a draft that is not there. */
export const noDraft = 'none'
const lifeMs = 24 * 60 * 60 * 1000

export function createDrafts(deps: {
  readonly store: Pick<Store, 'readDraft' | 'replaceDraft' | 'deleteDraft'>
  readonly keyRing: KeyRing
  /** The configuration's encryption keys, newest first. */
  readonly keys: readonly { readonly secret: Secret }[]
}): Drafts {
  const { store, keyRing } = deps
  const nameKeys = deps.keys.map(({ secret }) => nameKey(secret))

  /** Where the draft stands: under the newest key, or still under an older one. */
  const find = async (record: LaunchRecord) => {
    const names = namesOf(nameKeys, record)
    for (const name of names) {
      // oxlint-disable-next-line no-await-in-loop -- the second key only where the first finds nothing
      const held = await store.readDraft(name)
      if (held !== undefined) return { name, held, version: versionOf(held) }
    }
    const [name] = names
    return name === undefined ? undefined : { name, held: undefined, version: noDraft }
  }

  return {
    read: async (record) => {
      const found = await find(record)
      if (found?.held === undefined) return found && { text: undefined, version: noDraft }
      const opened = keyRing.open('draft', `draft:${found.name}`, found.held)
      // What cannot be opened is overwritten as if it were there and empty.
      return { text: opened.ok ? opened.text : undefined, version: found.version }
    },
    write: async (record, version, text) => {
      const found = await find(record)
      if (found === undefined || found.version !== version) return undefined
      const sealed = keyRing.seal('draft', `draft:${found.name}`, text)
      const written = await store.replaceDraft(found.name, found.held, sealed, lifeMs)
      return written ? versionOf(sealed) : undefined
    },
    remove: async (record, version) => {
      const found = await find(record)
      if (found?.version !== version) return false
      return found.held === undefined || store.deleteDraft(found.name, found.held)
    },
    forget: async (record) => {
      await Promise.all(namesOf(nameKeys, record).map((name) => store.deleteDraft(name)))
    },
  }
}

/** A box begins with random bytes, so that its hash names this draft and no other. */
const versionOf = (sealed: string): string => hash('sha256', sealed, 'base64url').slice(0, 22)

/** Keyed: a patient's id is short enough to be guessed, and a dump of the store shall name nobody. */
function namesOf(keys: readonly KeyObject[], record: LaunchRecord): string[] {
  const { tenant, mode, user, context } = record
  const key = userKey(tenant, user)
  if (key === '') return []
  const text = JSON.stringify([tenant, mode, key, context.patient ?? null])
  return keys.map((secret) => createHmac('sha256', secret).update(text).digest('base64url'))
}

function nameKey(secret: Secret): KeyObject {
  const master = Buffer.from(secret.reveal(), 'base64url')
  return createSecretKey(Buffer.from(hkdfSync('sha256', master, '', 'smart-bff v1 draft name', 32)))
}
