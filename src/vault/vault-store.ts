import { SmartBffError } from '../errors.ts'
import type { Deadline, LaunchKey, Store, StoredLaunch } from '../store/store.ts'
import type { KeyRing, OpenFault } from './key-ring.ts'
import type { FinalState, LaunchRecord } from './record.ts'
import type { LaunchIndex } from './launch-index.ts'
import { isNewer, readRecord, writeRecord } from './record-text.ts'
import { assertTransition, isFinal } from './transitions.ts'
import { readStory, tellWithinMs, writeStory } from './ends.ts'
import type { EndStory } from './ends.ts'
import type { Ended, Opening, OpenLaunch, Vault } from './vault.ts'

/** Something stood in the store that we did not write so: reported by name only, and treated as missing. */
export type GarbageFault = OpenFault | 'shape' | 'foreign'

export interface VaultDeps {
  readonly store: Store
  readonly keyRing: KeyRing
  readonly now: () => number
  readonly session: { readonly idleMs: number; readonly absoluteMs: number }
  /** The form in which records are written; every form is read. `text` is what the first versions read. */
  readonly launchRecords?: 'packed' | 'text' | undefined
  /** Told of every new launch; what it misses the sweeper makes good. */
  readonly index?: Pick<LaunchIndex, 'add'>
  readonly onGarbage?: (found: { readonly record: 'launch'; readonly fault: GarbageFault }) => void
}

/** A clock that would move by less is left alone: an app that reports every keystroke costs no writes. */
const touchStepMs = 5_000

/** Launch records, sealed on their way into the store and judged on their way out. */
export function createVault(deps: VaultDeps): Vault {
  const { store, now } = deps
  const box = createBox(deps)
  const judge = createJudge(deps)

  const open = async (key: LaunchKey): Promise<Opening> => {
    const stored = await store.readLaunch(key)
    if (stored === undefined) return { kind: 'missing' }
    if (stored.ended !== '') return readEnd(stored.ended)
    const { record, fault } = box.open(key, stored)
    // It is somebody's launch, which another replica can serve: no logout (docs/upgrade.md).
    if (fault === 'newer') throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'newer record' })
    return record === undefined ? { kind: 'missing' } : judge(record, stored)
  }

  return {
    open,
    ...endPart(deps, box),

    async create(key, record) {
      assertTransition('pending', record.state)
      const idleAt = Math.min(now() + deps.session.idleMs, record.absoluteAt)
      const sealed = box.seal(key, record)
      const launch = { sealed, idleAt, expiresAt: record.absoluteAt }
      if (!(await store.createLaunch(key, launch))) return false
      await deps.index?.add(key, record).catch(() => undefined)
      return true
    },

    async replace(key, opened, record, lease) {
      assertTransition(opened.record.state, record.state)
      if (isFinal(record.state)) throw new SmartBffError('INTERNAL', { detail: 'end by replace' })
      const changed = {
        ...record,
        absoluteAt: Math.min(record.absoluteAt, opened.record.absoluteAt),
      }
      const sealed = box.seal(key, changed)
      const written = await store.replaceLaunch(key, opened.version, sealed, lease)
      return written ? { ...opened, record: changed, version: opened.version + 1 } : undefined
    },

    async touch(key, { record, idleAt: held }, session) {
      const time = now()
      const idleAt = Math.min(time + deps.session.idleMs, record.absoluteAt)
      if (idleAt - held < touchStepMs) return { kind: 'touched', idleAt: held }
      const kind = await store.touch(key, { now: time, idleAt, session })
      return kind === 'touched' ? { kind, idleAt } : { kind }
    },

    async list(session) {
      const launches = await store.listLaunches(session)
      const openings = await Promise.all(launches.map((launch) => open({ session, launch })))
      return openings.flatMap((opening) => (opening.kind === 'open' ? [opening.launch] : []))
    },
  }
}

function endPart(
  { store, keyRing, now }: VaultDeps,
  box: Box,
): Pick<Vault, 'end' | 'endSession' | 'untold' | 'untoldSession' | 'told'> {
  const endedRecord = (key: LaunchKey, stored: StoredLaunch, state: FinalState) => {
    const { record } = box.open(key, stored)
    return record && { ...record, state }
  }

  const noteOf = (session: string, story: EndStory): string =>
    keyRing.seal('launch', noteName(session), writeStory(story, now()))
  /** Beside the end and not before it: an end is not to fail for want of its record. */
  const visitSoon = (what: Deadline): Promise<void> =>
    store.schedule(what, now() + tellWithinMs).catch(() => undefined)
  const openNote = (session: string, note: string): ReturnType<typeof readStory> => {
    const opened = keyRing.open('launch', noteName(session), note)
    return readStory(opened.ok ? opened.text : undefined)
  }

  return {
    async end(key, state, story = {}) {
      const ended = story.reason === 'launch_limit' ? `${state}.launch_limit` : state
      const note = noteOf(key.session, story)
      const ending = store.endLaunch(key, ended, note, story.unborn)
      const [stored] = await Promise.all([ending, story.visited ? undefined : visitSoon(key)])
      return stored && endedRecord(key, stored, state)
    },

    async endSession(session, state, story = {}) {
      // A launch that another replica has ended and told of meanwhile would be given a deadline that nobody takes away.
      const unvisited = story.visited ? [] : await store.listLaunches(session).catch(() => [])
      const [held] = await Promise.all([
        store.endSession(session, state, noteOf(session, story)),
        ...unvisited.map((launch) => visitSoon({ session, launch })),
        ...(story.visited ? [] : [visitSoon({ session, launch: undefined })]),
      ])
      return held.flatMap(
        (stored) => endedRecord({ session, launch: stored.launch }, stored, state) ?? [],
      )
    },

    async untold(key) {
      const stored = await store.readUntold(key)
      if (stored === undefined) return undefined
      const { state } = readEnd(stored.ended)
      const record = endedRecord(key, { ...stored, version: 0, idleAt: 0 }, state)
      return { state, record, ...openNote(key.session, stored.note) }
    },

    async untoldSession(session) {
      const stored = await store.readUntoldSession(session)
      if (stored === undefined) return undefined
      const { state } = readEnd(stored.ended)
      return { state, launches: stored.launches, ...openNote(session, stored.note) }
    },

    told: (what) => store.settleEnd(what),
  }
}

interface Box {
  seal(key: LaunchKey, record: LaunchRecord): string
  open(key: LaunchKey, stored: StoredLaunch): Unsealed
}

type Unsealed =
  | { readonly record: LaunchRecord; readonly fault?: undefined }
  | { readonly record?: undefined; readonly fault: GarbageFault }

const noteName = (session: string): string => `end:{${session}}`

/** The same name as in DESIGN.md, "Stored records"; as associated data it ties the box to session and launch. */
export const boxName = (key: LaunchKey): string => `launch:{${key.session}}:${key.launch}`

function createBox({ keyRing, launchRecords = 'packed', onGarbage }: VaultDeps): Box {
  const seal = launchRecords === 'packed' ? keyRing.sealPacked : keyRing.seal
  const read = (key: LaunchKey, stored: StoredLaunch): Unsealed => {
    const opened = keyRing.open('launch', boxName(key), stored.sealed)
    if (!opened.ok) return { fault: opened.fault }
    const record = readRecord(opened.text)
    if (record === undefined) return { fault: isNewer(opened.text) ? 'newer' : 'shape' }
    return record.launch === key.launch ? { record } : { fault: 'foreign' }
  }
  return {
    seal: (key, record) => seal('launch', boxName(key), writeRecord(record)),
    open: (key, stored) => {
      const found = read(key, stored)
      if (found.fault !== undefined) onGarbage?.({ record: 'launch', fault: found.fault })
      return found
    },
  }
}

/**
 * The idle and the absolute clock (DESIGN rule 13). `idleAt` stands in the clear, so it is never believed beyond one
 * idle time from now, nor beyond the sealed absolute timeout: it can shorten a life, not lengthen it.
 */
function createJudge({ now, session }: VaultDeps) {
  return (record: LaunchRecord, stored: StoredLaunch): Opening => {
    const time = now()
    const absoluteAt = Math.min(record.absoluteAt, record.startedAt + session.absoluteMs)
    const idleAt = Math.min(stored.idleAt, time + session.idleMs, absoluteAt)
    if (idleAt <= time) return { kind: 'ended', state: 'expired' }
    const launch: OpenLaunch = {
      record: { ...record, absoluteAt },
      version: stored.version,
      idleAt,
    }
    return { kind: 'open', launch }
  }
}

/** `superseded`, or with a cause `superseded.launch_limit`. What is not of this form has ended all the same. */
export function readEnd(ended: string): Ended {
  const [state = '', cause] = ended.split('.')
  return {
    kind: 'ended',
    state: isFinal(state) ? state : 'ended',
    ...(cause === 'launch_limit' ? { cause } : {}),
  }
}
