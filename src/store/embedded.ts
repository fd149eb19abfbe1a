import { createChanges, deadlinePart, type Changes } from './embedded/deadlines.ts'
import { auditPart } from './embedded/audit.ts'
import { matrixPart } from './embedded/matrix.ts'
import { createTable, type Table } from './embedded/table.ts'
import { writesPart } from './embedded/writes.ts'
import { firstVisitMs, launchKeptAfterMs, tombstoneMs } from './store.ts'
import type { Deadline, LaunchKey, Store, StoredLaunch } from './store.ts'

/**
 * The store in this process's memory: for development and tests (DESIGN rule 16), for one process, gone with it.
 * Bounded: when `maxRecords` live records are held, a new one is a store fault, as it is in a Redis without memory.
 */
export function createEmbeddedStore(deps: {
  readonly now: () => number
  readonly maxRecords?: number
}): Store {
  const table = createTable(deps.now, deps.maxRecords ?? 100_000)
  const changes = createChanges()
  const launches = createLaunches(table)
  const deadlines = deadlinePart(deps.now, deps.maxRecords ?? 100_000)

  return {
    ...pendingPart(table),
    ...sessionPart(table, launches, changes),
    ...launchPart(table, launches, changes, deadlines),
    ...leasePart(table),
    ...draftPart(table),
    ...writesPart(table),
    countUp: countUp(table),
    ...deadlines,
    ...matrixPart(deps.now),
    ...auditPart(),
    onChange: changes.onChange,
    linkAlive: () => true,
    replicated: async () => true,
    now: deps.now,
    check: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}

type PendingPart = Pick<Store, 'putPending' | 'takePending' | 'joinBindings'>

function pendingPart(table: Table): PendingPart {
  return {
    putPending: async (stateHash, sealed, lifeMs) =>
      table.set(`tx:${stateHash}`, sealed, table.now() + lifeMs),

    takePending: async (stateHash) => {
      const sealed = table.text(`tx:${stateHash}`)
      table.delete(`tx:${stateHash}`)
      return sealed
    },

    joinBindings: async ({ pendingHashes, sealedSession, over, lifeMs }) => {
      const held = pendingHashes.map((hash) => ({ hash, bound: table.text(`bind:${hash}`) }))
      const isFree = ({ bound }: { readonly bound: string | undefined }): boolean =>
        bound === undefined || bound === over
      const chosen = held.find((one) => !isFree(one))?.bound ?? sealedSession
      for (const { hash } of held.filter(isFree)) {
        table.set(`bind:${hash}`, chosen, table.now() + lifeMs)
      }
      return chosen
    },
  }
}

const sessionName = (session: string): string => `sess:${session}`
const sessionEndName = (session: string): string => `sess:${session}:ended`
const launchesName = (session: string): string => `launches:${session}`
const launchName = (key: LaunchKey): string => `launch:${key.session}:${key.launch}`

type SessionPart = Pick<
  Store,
  'readSession' | 'createSession' | 'replaceSession' | 'endSession' | 'readUntoldSession'
>

function sessionPart(table: Table, launches: Launches, changes: Changes): SessionPart {
  const read = (session: string): string | undefined =>
    table.text(sessionName(session)) || undefined

  return {
    readSession: async (session) => read(session),

    createSession: async (session, blob, expiresAt) => {
      if (table.text(sessionName(session)) !== undefined) return false
      table.set(sessionName(session), blob, expiresAt)
      return true
    },

    replaceSession: async (session, held, blob, expiresAt) => {
      if (held === '' || read(session) !== held) return false
      table.set(sessionName(session), blob, Math.max(expiresAt, launches.expiresAt(session)))
      return true
    },

    endSession: async (session, ended, note = '') => {
      const stored = launches.list(session).flatMap((launch) => {
        const held = launches.end({ session, launch }, ended, note)
        return held === undefined ? [] : [{ launch, ...held }]
      })
      const tombstoneUntil = table.now() + tombstoneMs
      if (read(session) !== undefined) {
        const until = Math.max(table.expiresAt(sessionName(session)), tombstoneUntil)
        table.set(sessionEndName(session), `${ended}|${stored.length}|${note}`, until)
      }
      table.set(sessionName(session), '', tombstoneUntil)
      changes.tell({ kind: 'ended', session, launch: undefined, ended })
      return stored
    },

    readUntoldSession: async (session) => {
      const [, ended = '', count, note = ''] =
        /^([^|]*)\|(\d+)\|(.*)$/s.exec(table.text(sessionEndName(session)) ?? '') ?? []
      return ended === '' ? undefined : { ended, note, launches: Number(count) }
    },
  }
}

interface Launches {
  list(session: string): string[]
  add(key: LaunchKey): void
  expiresAt(session: string): number
  end(key: LaunchKey, ended: string, note: string): StoredLaunch | undefined
}

/** The set of a session's launches is a text of ids with a space between them. */
function createLaunches(table: Table): Launches {
  const list = (session: string): string[] =>
    (table.text(launchesName(session)) ?? '')
      .split(' ')
      .filter((launch) => table.launch(launchName({ session, launch }))?.ended === '')

  return {
    list,
    add: (key) => {
      const expiresAt = Math.max(
        table.expiresAt(launchesName(key.session)),
        table.expiresAt(launchName(key)),
      )
      table.set(launchesName(key.session), [...list(key.session), key.launch].join(' '), expiresAt)
    },
    expiresAt: (session) => table.expiresAt(launchesName(session)),
    end: (key, ended, note) => {
      const held = table.launch(launchName(key))
      if (held === undefined || held.ended !== '') return undefined
      const untold = { sealed: held.sealed, note }
      table.change(launchName(key), {
        ...held,
        sealed: '',
        version: held.version + 1,
        ended,
        untold,
      })
      return held
    },
  }
}

type LaunchPart = Pick<
  Store,
  | 'createLaunch'
  | 'readLaunch'
  | 'replaceLaunch'
  | 'touch'
  | 'endLaunch'
  | 'readUntold'
  | 'settleEnd'
  | 'listLaunches'
>

function launchPart(
  table: Table,
  launches: Launches,
  changes: Changes,
  deadlines: Pick<Store, 'schedule'> & { drop(what: Deadline): void },
): LaunchPart {
  return {
    createLaunch: async (key, { sealed, idleAt, expiresAt }) => {
      if (!table.text(sessionName(key.session))) return false
      if (table.launch(launchName(key)) !== undefined) return false
      const visitAt = Math.min(idleAt, expiresAt, table.now() + firstVisitMs)
      // Not waited for before the launch is written: between the two nothing may come.
      const scheduled = deadlines.schedule(key, visitAt)
      const keptUntil = expiresAt + launchKeptAfterMs
      table.set(launchName(key), { sealed, version: 1, idleAt, ended: '' }, keptUntil)
      launches.add(key)
      table.prolong(sessionName(key.session), keptUntil)
      await scheduled
      return true
    },

    readLaunch: async (key) => {
      const held = table.launch(launchName(key))
      if (held === undefined) return undefined
      const { untold: _, ...stored } = held
      return stored
    },

    replaceLaunch: async (key, version, sealed, lease) => {
      const held = table.launch(launchName(key))
      if (held === undefined || held.version !== version || held.ended !== '') return false
      if (lease !== undefined && table.text(`lock:${lease.name}`) !== lease.holder) return false
      table.change(launchName(key), { ...held, sealed, version: version + 1 })
      changes.tell({ kind: 'changed', session: key.session, launch: key.launch })
      return true
    },

    touch: async (key, { now, idleAt, session }) => {
      const held = table.launch(launchName(key))
      const blob = table.text(sessionName(key.session))
      if (!blob || held === undefined || held.ended !== '' || held.idleAt <= now) return 'gone'
      if (blob !== session.held) return 'session_changed'
      table.change(launchName(key), { ...held, idleAt: Math.max(held.idleAt, Math.floor(idleAt)) })
      const expiresAt = Math.max(session.expiresAt, launches.expiresAt(key.session))
      table.set(sessionName(key.session), session.blob, expiresAt)
      return 'touched'
    },

    endLaunch: async (key, ended, note = '', unborn) => {
      if (unborn !== undefined && table.launch(launchName(key)) === undefined) {
        const tombstone = { sealed: '', version: 1, idleAt: 0, ended }
        table.set(launchName(key), tombstone, table.now() + tombstoneMs)
      }
      const held = launches.end(key, ended, note)
      const { session, launch } = key
      if (held !== undefined) changes.tell({ kind: 'ended', session, launch, ended })
      return held
    },

    readUntold: async (key) => {
      const held = table.launch(launchName(key))
      return held?.untold && { ended: held.ended, ...held.untold }
    },

    settleEnd: async ({ session, launch }) => {
      deadlines.drop({ session, launch })
      if (launch === undefined) table.delete(sessionEndName(session))
      const name = launchName({ session, launch: launch ?? '' })
      const held = table.launch(name)
      if (held?.untold !== undefined) table.change(name, { ...held, untold: undefined })
    },

    listLaunches: async (session) => launches.list(session),
  }
}

function draftPart(table: Table): Pick<Store, 'readDraft' | 'replaceDraft'> {
  return {
    readDraft: async (name) => table.text(`draft:${name}`),

    replaceDraft: async (name, held, sealed, lifeMs) => {
      if (table.text(`draft:${name}`) !== held) return false
      table.set(`draft:${name}`, sealed, table.now() + lifeMs)
      return true
    },
  }
}

function countUp(table: Table): Store['countUp'] {
  return async (name, windowMs) => {
    const key = `count:${name}`
    const held = table.text(key)
    const count = Number(held ?? 0) + 1
    if (held === undefined) table.set(key, '1', table.now() + windowMs)
    else table.change(key, String(count))
    return { count, leftMs: table.expiresAt(key) - table.now() }
  }
}

function leasePart(
  table: Table,
): Pick<Store, 'acquireLease' | 'renewLease' | 'readLease' | 'releaseLease'> {
  return {
    acquireLease: async (name, holder, lifeMs) => {
      if (table.text(`lock:${name}`) !== undefined) return false
      table.set(`lock:${name}`, holder, table.now() + lifeMs)
      return true
    },

    renewLease: async (name, holder, lifeMs) => {
      if (table.text(`lock:${name}`) !== holder) return false
      table.set(`lock:${name}`, holder, table.now() + lifeMs)
      return true
    },

    readLease: async (name) => table.text(`lock:${name}`),

    releaseLease: async (name, holder) => {
      if (table.text(`lock:${name}`) === holder) table.delete(`lock:${name}`)
    },
  }
}
