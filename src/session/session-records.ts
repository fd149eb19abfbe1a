import type { Config } from '../config/schema/config.ts'
import type { Store } from '../store/store.ts'
import type { KeyRing } from '../vault/key-ring.ts'
import type { Resealed } from '../vault/reseal.ts'
import { isAlive, parseSessionRecord, type SessionRecord } from './session-record.ts'

/**
 * `sess:{h}` in the store, sealed. Every write is conditional: a change never brings back a session that was ended,
 * and a creation never takes the place of one (DESIGN rule 11). All methods throw STORE_UNAVAILABLE on a store fault and
 * on nothing else (DESIGN rule 12).
 */
export interface SessionRecords {
  /** Undefined: never was, ended, over by one of its clocks, or not to be opened. `session` is the hash of the id. */
  read(session: string): Promise<SessionRecord | undefined>
  create(session: string, record: SessionRecord): Promise<boolean>
  /** As `read`, and what it was read from, for `replace`. */
  hold(session: string): Promise<HeldSession | undefined>
  /** Written only while nobody has written since; `false` when somebody has, or has ended it. */
  replace(session: string, held: HeldSession, record: SessionRecord): Promise<boolean>
  /** The session as it stands and as activity makes it; undefined where there is none to slide. For `Vault.touch`. */
  slide(session: string): Promise<SessionSlide | undefined>
  /** When its time is over, also where that has passed; undefined: never was, ended, or not to be opened. */
  deadline(session: string): Promise<{ readonly at: number; readonly clock: Clock } | undefined>
  /** Under the first key of the ring, for its rotation. */
  reseal(session: string): Promise<Resealed>
  /** A record with fresh clocks, as every completed launch gives. */
  begin(): SessionRecord
  renew(record: SessionRecord): SessionRecord
}

/** A live session and the sealed text that it was read from. */
export interface HeldSession {
  readonly sealed: string
  readonly record: SessionRecord
}

/** Sealed before and after; neither is shorter-lived than the absolute timeout. */
export interface SessionSlide {
  readonly held: string
  readonly blob: string
  readonly expiresAt: number
}

/** Which of the two clocks ends it (DESIGN rule 13). */
export type Clock = 'idle' | 'absolute'

const minuteMs = 60_000

/** The idle and the absolute timeout as configured (DESIGN rule 13). */
export const clocksOf = ({ session }: Pick<Config, 'session'>) => ({
  idleMs: session.idleMinutes * minuteMs,
  absoluteMs: session.absoluteMinutes * minuteMs,
})

export function createSessionRecords(deps: {
  readonly store: Store
  readonly keyRing: KeyRing
  readonly now: () => number
  readonly idleMs: number
  readonly absoluteMs: number
}): SessionRecords {
  const { store, keyRing, now } = deps
  const seal = (session: string, record: SessionRecord): string =>
    keyRing.seal('session', boxName(session), JSON.stringify(record))
  const clocks = (): Pick<SessionRecord, 'idleAt' | 'absoluteAt'> => ({
    idleAt: now() + deps.idleMs,
    absoluteAt: now() + deps.absoluteMs,
  })

  const open = async (session: string): Promise<HeldSession | undefined> => {
    const sealed = await store.readSession(session)
    if (sealed === undefined) return undefined
    const opened = keyRing.open('session', boxName(session), sealed)
    const record = opened.ok ? parseSessionRecord(opened.text) : undefined
    return record && { sealed, record }
  }

  const hold = async (session: string): Promise<HeldSession | undefined> => {
    const held = await open(session)
    return held !== undefined && isAlive(held.record, now()) ? held : undefined
  }

  const reseal = async (session: string): Promise<Resealed> => {
    const sealed = await store.readSession(session)
    if (sealed === undefined) return 'gone'
    const opened = keyRing.open('session', boxName(session), sealed)
    const record = opened.ok ? parseSessionRecord(opened.text) : undefined
    if (!opened.ok || record === undefined) return 'unreadable'
    if (!opened.stale) return 'fresh'
    const blob = keyRing.seal('session', boxName(session), opened.text)
    const written = await store.replaceSession(session, sealed, blob, record.absoluteAt)
    // Whoever wrote meanwhile has sealed under the first key.
    return written ? 'resealed' : reseal(session)
  }

  return {
    reseal,
    hold,
    read: async (session) => (await hold(session))?.record,
    create: async (session, record) => {
      // Before the session: a deadline without one is harmless, the other way round it would merely evaporate.
      await store.schedule({ session, launch: undefined }, deadlineOf(record).at)
      return store.createSession(session, seal(session, record), record.absoluteAt)
    },
    slide: async (session) => {
      const held = await hold(session)
      if (held === undefined) return undefined
      const idleAt = Math.min(now() + deps.idleMs, held.record.absoluteAt)
      const blob = seal(session, { ...held.record, idleAt: Math.max(idleAt, held.record.idleAt) })
      return { held: held.sealed, blob, expiresAt: held.record.absoluteAt }
    },
    deadline: async (session) => {
      const held = await open(session)
      return held && deadlineOf(held.record)
    },
    replace: (session, { sealed }, record) =>
      store.replaceSession(session, sealed, seal(session, record), record.absoluteAt),
    begin: () => ({ schema: 1, createdAt: now(), ...clocks(), users: [] }),
    renew: (record) => ({ ...record, ...clocks() }),
  }
}

const deadlineOf = ({ idleAt, absoluteAt }: SessionRecord) =>
  idleAt < absoluteAt
    ? ({ at: idleAt, clock: 'idle' } as const)
    : ({ at: absoluteAt, clock: 'absolute' } as const)

const boxName = (session: string): string => `sess:{${session}}`
