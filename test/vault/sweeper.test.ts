import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import type { AuditEvent } from '../../src/audit/event.ts'
import { SmartBffError } from '../../src/errors.ts'
import { createSessionRecords } from '../../src/session/session-records.ts'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import type { Store } from '../../src/store/store.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import { createSweeper } from '../../src/vault/sweeper.ts'
import { createVault } from '../../src/vault/vault-store.ts'
import { exampleRecord, newId, newKey } from './example.ts'

const minuteMs = 60_000
const clocks = { idleMs: 15 * minuteMs, absoluteMs: 600 * minuteMs }

/** Two replicas on one store, with a clock of their own. */
function setUp(options: { store?: (store: Store) => Store } = {}) {
  const clock = { time: Date.UTC(2026, 0, 1) }
  const now = (): number => clock.time
  const embedded = createEmbeddedStore({ now })
  const store = options.store?.(embedded) ?? embedded
  const keyRing = createKeyRing([newKey('k1')])
  const vault = createVault({ store, keyRing, now, session: clocks })
  const records = createSessionRecords({ store, keyRing, now, ...clocks })
  const events: AuditEvent[] = []
  const revoked: string[] = []
  const reindexed: string[] = []
  const forgotten: string[] = []
  const audit = { down: false }
  const replica = () =>
    createSweeper({
      store,
      vault,
      sessions: records,
      audit: {
        record: async (event) => {
          if (audit.down) throw new SmartBffError('AUDIT_UNAVAILABLE')
          events.push(event)
        },
      },
      revoke: async (record) => void revoked.push(record.launch),
      reindex: async ({ launch }) => void reindexed.push(launch),
      forgetDraft: async ({ launch }) => void forgotten.push(launch),
      now,
    })
  const begin = async (count = 1) => {
    const session = newId()
    await records.create(session, records.begin())
    const launches = Array.from({ length: count }, newId)
    for (const launch of launches) {
      await vault.create({ session, launch }, exampleRecord(launch, now()))
    }
    return { session, launches, key: { session, launch: launches[0] ?? '' } }
  }
  return {
    clock,
    store,
    embedded,
    vault,
    records,
    events,
    revoked,
    reindexed,
    forgotten,
    audit,
    replica,
    begin,
  }
}

const slow = /Launch|Session|End|Untold|schedule|claimDue|settleDue/

/** What is written or read of launches, sessions and deadlines takes its own time, before and after. */
function dawdling(store: Store): Store {
  const dawdle = async (): Promise<void> => {
    for (let turns = Math.floor(Math.random() * 6); turns > 0; turns -= 1) {
      // oxlint-disable-next-line no-await-in-loop -- one turn after the other is the point
      await (Math.random() < 0.05 ? setImmediate() : undefined)
    }
  }
  return new Proxy(store, {
    get: (target, name, receiver) => {
      const value: unknown = Reflect.get(target, name, receiver)
      if (typeof value !== 'function' || !slow.test(String(name))) return value
      return async (...parameters: unknown[]) => {
        await dawdle()
        const answer: unknown = await Reflect.apply(value, target, parameters)
        await dawdle()
        return answer
      }
    },
  })
}

const ended = (t: Test, events: readonly AuditEvent[]): string[] => {
  t.ok(events.every(({ actor }) => actor === 'system'))
  return events.map(
    ({ event, state, launch, reason }) => `${event} ${state} ${launch ?? ''} ${reason}`,
  )
}

t.test('ends what is over, once, whichever replica comes first', async (t) => {
  const { clock, vault, records, events, revoked, reindexed, replica, begin } = setUp()
  const { session, launches, key } = await begin(5)
  const [one, other] = [replica(), replica()]
  clock.time += minuteMs
  await Promise.all([one.sweep(), other.sweep()])
  t.strictSame(events, [])
  t.strictSame(reindexed.toSorted(), launches.toSorted(), 'a new launch is visited soon')

  clock.time += 15 * minuteMs
  await Promise.all([one.sweep(), other.sweep(), one.sweep(), other.sweep()])
  t.strictSame(
    ended(t, events).toSorted(),
    [
      ...launches.map((launch) => `launch.transition expired ${launch} idle`),
      'session.ended expired  idle',
    ].toSorted(),
  )
  t.strictSame(revoked.toSorted(), launches.toSorted())
  t.strictSame(await vault.open(key), { kind: 'ended', state: 'expired' })
  t.equal(await records.read(session), undefined)
  const [first] = events.filter(({ launch }) => launch === key.launch)
  t.match(first, { tenant: 'north', mode: 'chart', patient: 'p1', user: { subject: 'u1' } })

  clock.time += 60 * minuteMs
  await Promise.all([one.sweep(), other.sweep()])
  t.equal(events.length, 6)
})

t.test('one end, one record, in whatever order two replicas come by', async (t) => {
  const rounds = Array.from({ length: 60 }, async () => {
    const { clock, store, events, replica, begin } = setUp({ store: dawdling })
    const { launches } = await begin(3)
    const [one, other] = [replica(), replica()]
    clock.time += minuteMs
    await one.sweep()
    clock.time += 15 * minuteMs
    await Promise.all([one.sweep(), other.sweep()])
    const left: (string | undefined)[] = []
    for await (const page of store.listDue()) left.push(...page.map(({ launch }) => launch))
    // Nobody sweeps until the records are long gone.
    clock.time += 24 * 60 * minuteMs
    await one.sweep()
    clock.time += minuteMs
    await other.sweep()
    return { launches, events, left }
  })
  for (const { launches, events, left } of await Promise.all(rounds)) {
    const ends = launches.map((launch) => `launch.transition expired ${launch} idle`)
    t.strictSame(ended(t, events).toSorted(), [...ends, 'session.ended expired  idle'].toSorted())
    t.strictSame(left, [], 'no deadline is left')
  }
})

t.test('activity moves the end', async (t) => {
  const { clock, vault, records, events, replica, begin } = setUp()
  const { session, key } = await begin()
  const sweeper = replica()
  for (let passed = 0; passed < 6; passed += 1) {
    clock.time += 10 * minuteMs
    const [opening, slide] = [await vault.open(key), await records.slide(session)]
    if (opening.kind !== 'open' || slide === undefined) throw new Error('over')
    await vault.touch(key, opening.launch, slide)
    await sweeper.sweep()
  }
  t.strictSame(events, [])
  clock.time += 15 * minuteMs
  await sweeper.sweep()
  t.equal(events.length, 2, 'the launch and the session')
})

t.test('the absolute timeout ends a busy one', async (t) => {
  const { clock, vault, records, events, replica, begin } = setUp()
  const { session, key } = await begin()
  const sweeper = replica()
  for (let passed = 0; passed < 600; passed += 10) {
    clock.time += 10 * minuteMs
    const [opening, slide] = [await vault.open(key), await records.slide(session)]
    if (opening.kind === 'open' && slide !== undefined) {
      await vault.touch(key, opening.launch, slide)
    }
    await sweeper.sweep()
  }
  t.match(ended(t, events).toSorted(), [/^launch.transition expired .* absolute/, /^session.ended/])
})

t.test('what somebody else ended is his to tell', async (t) => {
  const { clock, vault, events, revoked, replica, begin } = setUp()
  const { session, key } = await begin(2)
  await vault.end(key, 'superseded')
  await vault.told(key)
  for (const { launch } of await vault.endSession(session, 'ended')) {
    await vault.told({ session, launch })
  }
  await vault.told({ session, launch: undefined })
  clock.time += 20 * minuteMs
  await replica().sweep()
  t.strictSame([events, revoked], [[], []])
})

t.test('a deadline that is left of an end that was told is taken away, and no more', async (t) => {
  const { clock, store, vault, events, revoked, replica, begin } = setUp()
  const { key, session } = await begin()
  await vault.end(key, 'ended')
  await vault.told(key)
  await vault.endSession(session, 'ended')
  const whole = { session, launch: undefined }
  await vault.told(whole)
  await store.schedule(key, clock.time)
  await store.schedule(whole, clock.time)
  for (let visits = 0; visits < 3; visits += 1) {
    await replica().sweep()
    clock.time += minuteMs
  }
  for await (const left of store.listDue()) t.strictSame(left, [])
  // Long after the record itself has gone.
  clock.time += 24 * 60 * minuteMs
  await replica().sweep()
  t.strictSame([events, revoked], [[], []])
})

t.test('what somebody else ended and never told of is told for him, once', async (t) => {
  const { clock, vault, events, revoked, forgotten, replica, begin } = setUp()
  const { session, launches, key } = await begin(3)
  await vault.end(key, 'superseded', { reason: 'launch_limit', request: 'r1', client: '10.0.0.1' })
  await vault.endSession(session, 'ended', { reason: 'logout', request: 'r2', forgetDraft: true })
  clock.time += 20_000
  await replica().sweep()
  t.strictSame([events, revoked], [[], []], 'he may be at it')
  clock.time += 15_000
  await Promise.all([replica().sweep(), replica().sweep()])
  t.strictSame(revoked.toSorted(), launches.toSorted())
  t.strictSame(forgotten.toSorted(), launches.slice(1).toSorted())
  t.equal(events.length, 4)
  const from = {
    event: 'launch.transition',
    tenant: 'north',
    patient: 'p1',
    user: { subject: 'u1' },
  }
  for (const event of events) {
    if (event.event === 'session.ended') {
      t.match(event, { state: 'ended', reason: 'logout', request: 'r2', count: 2 })
      continue
    }
    t.match(
      event,
      event.launch === key.launch
        ? {
            ...from,
            state: 'superseded',
            reason: 'launch_limit',
            request: 'r1',
            client: '10.0.0.1',
          }
        : { ...from, state: 'ended', reason: 'logout', request: 'r2' },
    )
  }
  clock.time += 20 * minuteMs
  await replica().sweep()
  t.equal(events.length, 4)
})

t.test('a draft that a later session may have begun is not deleted with an old one', async (t) => {
  const { clock, vault, events, forgotten, replica, begin } = setUp()
  const { session } = await begin()
  await vault.endSession(session, 'ended', { reason: 'logout', forgetDraft: true })
  clock.time += 5 * minuteMs
  await replica().sweep()
  t.match(events, [{ reason: 'logout' }, { reason: 'logout' }])
  t.strictSame(forgotten, [])
})

t.test('a replica that dies after the end leaves its record to another', async (t) => {
  const { clock, events, audit, vault, replica, begin } = setUp()
  const { key } = await begin()
  clock.time += 15 * minuteMs
  audit.down = true
  await replica().sweep()
  t.strictSame(await vault.open(key), { kind: 'ended', state: 'expired' })
  audit.down = false
  await replica().sweep()
  t.strictSame(events, [], 'its claim is still its own')
  clock.time += minuteMs
  await replica().sweep()
  const told = events.filter(({ event }) => event === 'launch.transition')
  t.match(told, [{ launch: key.launch, state: 'expired', reason: 'idle', tenant: 'north' }])
})

t.test('a launch of a later version is left to the replicas that can read it', async (t) => {
  const { clock, store, events, replica, begin } = setUp()
  const { key } = await begin()
  const version = (await store.readLaunch(key))?.version ?? 0
  t.ok(await store.replaceLaunch(key, version, 'v9.k1.bytes'))
  clock.time += minuteMs
  await replica().sweep()
  t.match(await store.readLaunch(key), { sealed: 'v9.k1.bytes', version: version + 1, ended: '' })
  t.strictSame(events, [])
})

t.test('an audit that was down is told everything when it is back', async (t) => {
  const { clock, events, audit, replica, begin } = setUp()
  const { launches } = await begin(3)
  clock.time += 15 * minuteMs
  const sweeper = replica()
  audit.down = true
  await sweeper.sweep()
  audit.down = false
  await sweeper.sweep()
  const told = events.filter(({ event }) => event === 'launch.transition')
  t.strictSame(
    told.map(({ launch, tenant }) => `${tenant} ${launch}`).toSorted(),
    launches.map((launch) => `north ${launch}`).toSorted(),
  )
})

t.test('records that went while nobody swept are told of', async (t) => {
  const { clock, events, replica, begin } = setUp()
  const { key } = await begin()
  clock.time += 24 * 60 * minuteMs
  await replica().sweep()
  t.match(events, [{ launch: key.launch, state: 'expired', reason: 'record_missing' }])
})

t.test('a launch sealed under a key this replica lacks is not ended early', async (t) => {
  const { clock, store, events, replica } = setUp()
  const key = { session: newId(), launch: newId() }
  await store.createSession(key.session, 'blob', clock.time + clocks.absoluteMs)
  await store.createLaunch(key, {
    sealed: 'v1.k2.unknown',
    idleAt: clock.time + clocks.idleMs,
    expiresAt: clock.time + clocks.absoluteMs,
  })
  clock.time += minuteMs
  await replica().sweep()
  t.match(await store.readLaunch(key), { ended: '' })
  clock.time += clocks.idleMs
  await replica().sweep()
  t.match(await store.readLaunch(key), { ended: 'expired' })
  t.match(events, [{ launch: key.launch, state: 'expired' }])
})

t.test('a store fault is no end: it sweeps on when the store is back', async (t) => {
  let faults = 0
  const fail = async (): Promise<void> => {
    faults -= 1
    if (faults >= 0) throw new SmartBffError('STORE_UNAVAILABLE')
  }
  const { clock, events, replica, begin } = setUp({
    store: (store) => ({
      ...store,
      readLaunch: async (key) => fail().then(() => store.readLaunch(key)),
      endLaunch: async (key, state) => fail().then(() => store.endLaunch(key, state)),
      settleDue: async (claim, at) => fail().then(() => store.settleDue(claim, at)),
    }),
  })
  await begin(2)
  clock.time += 15 * minuteMs
  const sweeper = replica()
  faults = 4
  for (let round = 0; round < 6; round += 1) {
    await sweeper.sweep()
    clock.time += minuteMs
  }
  const launches = events.filter(({ event }) => event === 'launch.transition')
  t.equal(new Set(launches.map(({ launch }) => launch)).size, 2)
})
