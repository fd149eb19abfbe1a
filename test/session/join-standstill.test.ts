import t from 'tap'
import type { Test } from 'tap'
import type { Joined } from '../../src/session/join.ts'
import { sessionCookieName } from '../../src/session/cookies.ts'
import type { Store } from '../../src/store/store.ts'
import { exampleRecord } from '../vault/example.ts'
import { pendingCookie, startRig, stores, userOf, type Rig } from './rig.ts'

/**
 * A process may stand still for longer than its lease lasts, between reading a session and writing it. The workstation
 * is shared all the same: a second user's launch ends the first's, whoever of them writes last.
 */
for (const [name, openStore] of Object.entries(stores)) {
  t.test(`a process that stands still while it joins, ${name} store`, async (t) => {
    const { store, standStill } = standing(await openStore(t))
    const rig = await startRig(t, { store })
    const place = { rig, standStill }
    await t.test('in a session that does not know the tenant yet', (t) => newTenant(t, place))
    await t.test('where a session is only to begin', (t) => beginning(t, place))
    await t.test('with a session of an earlier user', (t) => earlierUser(t, place))
    await t.test('beside a launch of the same user', (t) => sameUser(t, place))
    await t.test('for good: it asks a bounded number of times', (t) => never(t, place))
  })
}

interface Place {
  readonly rig: Rig
  readonly standStill: ReturnType<typeof standing>['standStill']
}

async function newTenant(t: Test, { rig, standStill }: Place): Promise<void> {
  const elsewhere = await launch(rig, { user: 'u9', tenant: 'south' })
  const slow = standStill()
  const first = launch(rig, { user: 'u1', session: elsewhere.joined.sessionId })
  const lease = await slow.reached
  const second = await launch(rig, { user: 'u2', session: elsewhere.joined.sessionId })
  t.equal(second.joined.session, elsewhere.joined.session)
  slow.goOn()
  const late = await first
  t.match(lease, /^join:/)
  t.not(late.joined.session, second.joined.session, 'two users are never in one session')
  t.ok(late.joined.otherUser)
  t.same(
    new Set(late.joined.ended.map(({ record }) => record.launch)),
    new Set([elsewhere.launch, second.launch]),
    'whoever sat there has left',
  )
  t.same(await liveIn(rig, second.joined), [])
  t.same(await liveIn(rig, late.joined), [late.launch])
}

async function beginning(t: Test, { rig, standStill }: Place): Promise<void> {
  const jar = [pendingCookie(), pendingCookie()]
  const slow = standStill()
  const first = launch(rig, { user: 'u1', jar })
  await slow.reached
  const second = await launch(rig, { user: 'u2', jar: jar.toReversed() })
  slow.goOn()
  const late = await first
  t.not(late.joined.session, second.joined.session)
  t.same(
    late.joined.ended.map(({ record }) => record.launch),
    [second.launch],
    'the launch that began the session meanwhile is ended',
  )
  t.same(await liveIn(rig, second.joined), [])
  t.same(await liveIn(rig, late.joined), [late.launch])
}

async function earlierUser(t: Test, { rig, standStill }: Place): Promise<void> {
  const jar = [pendingCookie(), pendingCookie()]
  const earlier = await launch(rig, { user: 'u0' })
  const session = earlier.joined.sessionId
  const slow = standStill()
  const first = launch(rig, { user: 'u1', session, jar })
  await slow.reached
  const second = await launch(rig, { user: 'u2', session, jar: jar.toReversed() })
  t.same(
    second.joined.ended.map(({ record }) => record.launch),
    [earlier.launch],
  )
  slow.goOn()
  const late = await first
  t.same(
    late.joined.ended.map(({ record }) => record.launch),
    [second.launch],
    'of the session that took the place of the one it read',
  )
  t.equal(late.joined.ended[0]?.session, second.joined.session)
  t.same(await liveIn(rig, second.joined), [])
  t.same(await liveIn(rig, late.joined), [late.launch])
}

async function sameUser(t: Test, { rig, standStill }: Place): Promise<void> {
  const elsewhere = await launch(rig, { user: 'u9', tenant: 'south' })
  const session = elsewhere.joined.sessionId
  const slow = standStill()
  const first = launch(rig, { user: 'u1', session })
  await slow.reached
  const second = await launch(rig, { user: 'u7', tenant: 'east', session })
  slow.goOn()
  const late = await first
  t.equal(late.joined.session, second.joined.session)
  t.same(late.joined.ended, [])
  const users = (await rig.records.read(late.joined.session))?.users ?? []
  t.same(
    users.map(({ tenant }) => tenant).toSorted(),
    ['east', 'north', 'south'],
    'neither has lost what the other wrote',
  )
}

async function never(t: Test, { rig, standStill }: Place): Promise<void> {
  const elsewhere = await launch(rig, { user: 'u9', tenant: 'south' })
  const slow = standStill()
  const first = launch(rig, { user: 'u1', session: elsewhere.joined.sessionId })
  const refused = t.rejects(first, { code: 'STORE_UNAVAILABLE' })
  let times = 0
  const { session } = elsewhere.joined
  for (let next = slow; times < 50; times += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one time after the other is the point
    const came = await Promise.race([next.reached, refused.then(() => undefined)])
    if (came === undefined) break
    // oxlint-disable-next-line no-await-in-loop -- see above
    const held = await rig.records.hold(session)
    // oxlint-disable-next-line no-await-in-loop -- see above
    if (held !== undefined) await rig.records.replace(session, held, held.record)
    const now = next
    next = standStill()
    now.goOn()
  }
  await refused
  t.ok(times > 1 && times < 10, `${times} times`)
}

interface Ask {
  readonly user: string
  readonly tenant?: string
  /** The first is the launch's own. */
  readonly jar?: readonly ReturnType<typeof pendingCookie>[]
  readonly session?: string
}

async function launch(rig: Rig, { user, tenant = 'north', jar = [pendingCookie()], session }: Ask) {
  const own = jar[0] ?? pendingCookie()
  const cookie = session && `${sessionCookieName}=${rig.cookies.sign(session)}`
  const joined = await rig.join({
    cookieHeader: cookie,
    own,
    pendingCookies: jar,
    tenant,
    user: userOf(user),
  })
  const record = exampleRecord(own.value.slice(0, 32), Date.now())
  await rig.vault.create({ session: joined.session, launch: record.launch }, record)
  return { joined, launch: record.launch }
}

const liveIn = async (rig: Rig, { session }: Joined): Promise<readonly string[]> =>
  (await rig.vault.list(session)).map(({ record }) => record.launch)

/** Holds the next answer to `readSession` back, and takes the lease away under which it was asked. */
function standing(store: Store) {
  let lease = { name: '', holder: '' }
  let waiting: ((lease: string) => Promise<void>) | undefined
  const standStill = () => {
    const [reached, going] = [Promise.withResolvers<string>(), Promise.withResolvers<void>()]
    waiting = async (name) => {
      reached.resolve(name)
      await going.promise
    }
    return { reached: reached.promise, goOn: () => going.resolve() }
  }
  const over: Partial<Store> = {
    acquireLease: async (name, holder, lifeMs) => {
      const got = await store.acquireLease(name, holder, lifeMs)
      if (got) lease = { name, holder }
      return got
    },
    readSession: async (session) => {
      const wait = waiting
      const blob = await store.readSession(session)
      if (wait === undefined) return blob
      waiting = undefined
      await store.releaseLease(lease.name, lease.holder)
      await wait(lease.name)
      return blob
    },
  }
  return { store: { ...store, ...over }, standStill }
}
