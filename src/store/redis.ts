import { randomUUID } from 'node:crypto'
import { SmartBffError } from '../errors.ts'
import { createRedisClient } from './redis/client.ts'
import type { RedisClient, RedisConfig } from './redis/client.ts'
import { createAsker } from './redis/fault.ts'
import type { RedisAsker, StoreFault } from './redis/fault.ts'
import { deadlinePart, replicatedPart } from './redis/deadlines.ts'
import { endPart, untoldPart } from './redis/ends.ts'
import { launchFields, readFields, sealedBytes } from './redis/launch-fields.ts'
import { createSharedClock } from './redis/clock.ts'
import { createLink } from './redis/link.ts'
import { auditPart } from './redis/audit.ts'
import { matrixPart } from './redis/matrix.ts'
import { writesPart } from './redis/writes.ts'
import * as names from './redis/names.ts'
import { firstVisitMs, launchKeptAfterMs } from './store.ts'
import type { LaunchKey, NewLaunch, Store } from './store.ts'

/**
 * The store on Redis 6.2 or newer: a single server, Sentinel or Cluster. Lives are given to Redis as durations,
 * and times are by the clock that all replicas share. Connects at once and goes on connecting.
 */
export function createRedisStore(deps: {
  readonly config: RedisConfig
  readonly now: () => number
  readonly onFault?: (fault: StoreFault) => void
  readonly onAnswer?: ((operation: string, seconds: number) => void) | undefined
}): Store {
  const closed = new AbortController()
  const client = createRedisClient(deps.config, closed.signal)
  const onFault = deps.onFault ?? (() => undefined)
  const ask = createAsker(client, {
    onFault,
    onAnswer: deps.onAnswer,
  })
  const clock = createSharedClock(client, deps.now, () =>
    onFault({ operation: 'clock', reason: 'skew' }),
  )
  const lifeUntil = (time: number): number => Math.max(1, Math.ceil(time - clock.now()))
  const link = createLink(deps.config, client)

  return {
    ...pendingPart(client, ask),
    ...sessionPart(client, ask, lifeUntil),
    ...launchPart(client, ask, lifeUntil, clock.now),
    ...activityPart(client, ask, lifeUntil),
    ...endPart(client, ask),
    ...untoldPart(client, ask),
    ...leasePart(client, ask),
    ...draftPart(client, ask),
    ...deadlinePart(client, ask, clock.now),
    ...matrixPart(client, ask),
    ...writesPart(client, ask),
    ...auditPart(client, ask),
    ...replicatedPart(client),
    onChange: link.onChange,
    linkAlive: link.alive,

    now: clock.now,

    async check() {
      const name = `check:${randomUUID()}`
      await ask('check', () => client.set(name, '1', 'PX', 5000))
      const read = await ask('check', () => client.getdel(name))
      await clock.sync()
      if (read !== '1') throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'check: lost' })
    },

    close() {
      link.close()
      clock.close()
      closed.abort()
      return Promise.resolve()
    },
  }
}

type PendingPart = Pick<Store, 'putPending' | 'takePending' | 'joinBindings'>

function pendingPart(client: RedisClient, ask: RedisAsker): PendingPart {
  return {
    async putPending(stateHash, sealed, lifeMs) {
      await ask('putPending', () => client.set(names.pendingName(stateHash), sealed, 'PX', lifeMs))
    },

    async takePending(stateHash) {
      return (
        (await ask('takePending', () => client.getdel(names.pendingName(stateHash)))) ?? undefined
      )
    },

    async joinBindings({ pendingHashes, sealedSession, over, lifeMs }) {
      if (pendingHashes.length === 0) return sealedSession
      const bound = await ask('joinBindings', () =>
        client.bffJoinBindings(
          pendingHashes.length,
          ...pendingHashes.map(names.bindingName),
          sealedSession,
          over ?? '',
          lifeMs,
        ),
      )
      return typeof bound === 'string' ? bound : sealedSession
    },
  }
}

type LifeUntil = (time: number) => number
type SessionPart = Pick<Store, 'readSession' | 'createSession' | 'replaceSession'>

function sessionPart(client: RedisClient, ask: RedisAsker, lifeUntil: LifeUntil): SessionPart {
  return {
    async readSession(session) {
      const blob = await ask('readSession', () => client.get(names.sessionName(session)))
      return blob === null || blob === '' ? undefined : blob
    },

    async createSession(session, blob, expiresAt) {
      const name = names.sessionName(session)
      const life = lifeUntil(expiresAt)
      return (await ask('createSession', () => client.set(name, blob, 'PX', life, 'NX'))) === 'OK'
    },

    async replaceSession(session, held, blob, expiresAt) {
      const done = await ask('replaceSession', () =>
        client.bffReplaceSession(
          names.sessionName(session),
          names.launchesName(session),
          held,
          blob,
          lifeUntil(expiresAt),
        ),
      )
      return done === 1
    },
  }
}

type LaunchPart = Pick<Store, 'createLaunch' | 'readLaunch' | 'replaceLaunch' | 'listLaunches'>

function launchPart(
  client: RedisClient,
  ask: RedisAsker,
  lifeUntil: LifeUntil,
  now: () => number,
): LaunchPart {
  return {
    async createLaunch(key, launch) {
      await schedule(client, ask, key, launch, now())
      const done = await ask('createLaunch', () =>
        client.bffCreateLaunch(
          names.sessionName(key.session),
          names.launchesName(key.session),
          names.launchName(key),
          names.launchPrefix(key.session),
          key.launch,
          sealedBytes(launch.sealed),
          Math.floor(launch.idleAt),
          lifeUntil(launch.expiresAt) + launchKeptAfterMs,
        ),
      )
      // What was refused needs no deadline.
      if (done === 0) await ask('schedule', () => client.zrem(names.dueName, names.memberOf(key)))
      return done === 1
    },

    async readLaunch(key) {
      const name = names.launchName(key)
      return readFields(await ask('readLaunch', () => client.hmgetBuffer(name, ...launchFields)))
    },

    async replaceLaunch(key, version, sealed, lease) {
      const keys = [names.launchName(key), ...(lease ? [names.leaseName(lease.name)] : [])]
      const done = await ask('replaceLaunch', () =>
        client.bffReplaceLaunch(
          keys.length,
          ...keys,
          version,
          sealedBytes(sealed),
          names.changesChannel,
          `changed|${key.session}|${key.launch}`,
          ...(lease ? [lease.holder] : []),
        ),
      )
      return done === 1
    },

    async listLaunches(session) {
      return (await ask('listLaunches', () => client.smembers(names.launchesName(session)))) ?? []
    },
  }
}

function activityPart(
  client: RedisClient,
  ask: RedisAsker,
  lifeUntil: LifeUntil,
): Pick<Store, 'touch'> {
  return {
    async touch(key, { now: at, idleAt, session }) {
      const done = await ask('touch', () =>
        client.bffTouch(
          names.sessionName(key.session),
          names.launchesName(key.session),
          names.launchName(key),
          Math.floor(at),
          Math.floor(idleAt),
          session.held,
          session.blob,
          lifeUntil(session.expiresAt),
        ),
      )
      if (done === 1) return 'touched'
      return done === 2 ? 'session_changed' : 'gone'
    },
  }
}

/**
 * `due` stands in another slot than the launch, so it is written before it: a deadline without a launch is harmless,
 * a launch without a deadline would merely evaporate.
 */
async function schedule(
  client: RedisClient,
  ask: RedisAsker,
  key: LaunchKey,
  launch: NewLaunch,
  now: number,
): Promise<void> {
  const visitAt = Math.floor(Math.min(launch.idleAt, launch.expiresAt, now + firstVisitMs))
  await ask('schedule', () => client.zadd(names.dueName, visitAt, names.memberOf(key)))
}

function draftPart(
  client: RedisClient,
  ask: RedisAsker,
): Pick<Store, 'readDraft' | 'replaceDraft' | 'countUp'> {
  return {
    async readDraft(name) {
      return (await ask('readDraft', () => client.get(names.draftName(name)))) ?? undefined
    },

    async replaceDraft(name, held, sealed, lifeMs) {
      const done = await ask('replaceDraft', () =>
        client.bffReplaceDraft(names.draftName(name), held ?? '', sealed, lifeMs),
      )
      return done === 1
    },

    async countUp(name, windowMs) {
      const counted = await ask('countUp', () => client.bffCountUp(names.countName(name), windowMs))
      const [count, leftMs] = Array.isArray(counted) ? counted.map(Number) : []
      return { count: count ?? 0, leftMs: leftMs ?? windowMs }
    },
  }
}

function leasePart(
  client: RedisClient,
  ask: RedisAsker,
): Pick<Store, 'acquireLease' | 'renewLease' | 'readLease' | 'releaseLease'> {
  return {
    async acquireLease(name, holder, lifeMs) {
      const key = names.leaseName(name)
      return (await ask('acquireLease', () => client.set(key, holder, 'PX', lifeMs, 'NX'))) === 'OK'
    },

    async renewLease(name, holder, lifeMs) {
      const key = names.leaseName(name)
      return (await ask('renewLease', () => client.bffRenewLease(key, holder, lifeMs))) === 1
    },

    async readLease(name) {
      return (await ask('readLease', () => client.get(names.leaseName(name)))) ?? undefined
    },

    async releaseLease(name, holder) {
      await ask('releaseLease', () => client.bffDeleteHeld(names.leaseName(name), holder))
    },
  }
}
