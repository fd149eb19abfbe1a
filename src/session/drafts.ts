import { createHmac, createSecretKey, hash, hkdfSync, type KeyObject } from 'node:crypto'
import type { Secret } from '../config/secret.ts'
import { tombstoneMs, type Store } from '../store/store.ts'
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
  readonly store: Pick<Store, 'readDraft' | 'replaceDraft'>
  readonly keyRing: KeyRing
  /** The configuration's encryption keys, newest first. */
  readonly keys: readonly { readonly secret: Secret }[]
}): Drafts {
  const { store, keyRing } = deps
  const nameKeys = deps.keys.map(({ secret }) => nameKey(secret))

  const look = async (name: string): Promise<Found> => {
    const held = await store.readDraft(name)
    if (held === undefined) return { name, held, version: noDraft, text: undefined }
    const opened = keyRing.open('draft', `draft:${name}`, held)
    if (opened.ok && opened.text === gone) return { name, held, version: noDraft, text: undefined }
    // What cannot be opened is overwritten as if it were there and empty.
    return { name, held, version: versionOf(held), text: opened.ok ? opened.text : undefined }
  }
  /** Where the draft stands: under the newest key, or still under an older one. */
  const find = async (record: LaunchRecord): Promise<Found | undefined> => {
    let first: Found | undefined
    for (const name of namesOf(nameKeys, record)) {
      // oxlint-disable-next-line no-await-in-loop -- the second key only where the first finds nothing
      const found = await look(name)
      if (found.version !== noDraft) return found
      first ??= found
    }
    return first
  }
  const bury = ({ name, held }: Found): Promise<boolean> =>
    store.replaceDraft(name, held, keyRing.seal('draft', `draft:${name}`, gone), tombstoneMs)
  const forget = async (name: string, attempt = 1): Promise<void> => {
    if ((await bury(await look(name))) || attempt >= attemptsMax) return
    await forget(name, attempt + 1)
  }

  return {
    read: async (record) => {
      const found = await find(record)
      return found && { text: found.text, version: found.version }
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
      return version === noDraft || bury(found)
    },
    forget: async (record) => {
      await Promise.all(namesOf(nameKeys, record).map((name) => forget(name)))
    },
  }
}

interface Found extends DraftRead {
  readonly name: string
  readonly held: string | undefined
}

/**
 * What stands for a while in place of a draft that was taken away. A write that was sent before, and is carried out only
 * then, does not find what it would replace. No draft is empty: it is JSON.
 */
const gone = ''
/** Each further one needs somebody to write between our reading and our writing. */
const attemptsMax = 5

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
