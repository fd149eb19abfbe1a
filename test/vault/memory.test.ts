import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Secret } from '../../src/config/secret.ts'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import type { Store } from '../../src/store/store.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import { createRememberingVault } from '../../src/vault/memory.ts'
import { createVault } from '../../src/vault/vault-store.ts'
import { startLossyPath } from '../support/lossy-path.ts'
import { startRedis } from '../support/redis.ts'
import { exampleRecord, newId, newKey } from './example.ts'

const minuteMs = 60_000
const session = { idleMs: 15 * minuteMs, absoluteMs: 600 * minuteMs }
const keyRing = createKeyRing([newKey('k1')])

function remember(store: Store, now: () => number = Date.now) {
  const seen = { reads: 0, alive: true }
  const counting: Store = {
    ...store,
    readLaunch: async (key) => {
      seen.reads += 1
      return store.readLaunch(key)
    },
    linkAlive: () => seen.alive && store.linkAlive(),
  }
  const vault = createVault({ store: counting, keyRing, now, session })
  return { seen, vault, remembering: createRememberingVault({ vault, store: counting, now }) }
}

async function begin(store: Store, now: () => number = Date.now) {
  const { vault } = remember(store, now)
  const key = { session: newId(), launch: newId() }
  await store.createSession(key.session, 'blob', now() + session.absoluteMs)
  await vault.create(key, exampleRecord(key.launch, now()))
  return { key, vault }
}

t.test('a record is read once, until it changes or ends', async (t) => {
  const store = createEmbeddedStore({ now: Date.now })
  const { key, vault } = await begin(store)
  const { seen, remembering } = remember(store)
  for (let n = 0; n < 5; n += 1) t.match(await remembering.open(key), { kind: 'open' })
  t.equal(seen.reads, 1)

  const opening = await vault.open(key)
  if (opening.kind !== 'open') throw new Error('not open')
  await vault.replace(key, opening.launch, { ...opening.launch.record, state: 'reauth_required' })
  t.match(await remembering.open(key), { launch: { record: { state: 'reauth_required' } } })
  t.equal(seen.reads, 2)

  await vault.endSession(key.session, 'revoked')
  t.strictSame(await remembering.open(key), { kind: 'ended', state: 'revoked' })
  t.strictSame(await remembering.open(key), { kind: 'ended', state: 'revoked' })
  t.equal(seen.reads, 4, 'an end is not kept')
})

t.test('another launch or session of the browser changes nothing', async (t) => {
  const store = createEmbeddedStore({ now: Date.now })
  const [one, other] = [await begin(store), await begin(store)]
  const { seen, remembering } = remember(store)
  await remembering.open(one.key)
  await other.vault.end(other.key, 'ended')
  await remembering.open(one.key)
  t.equal(seen.reads, 1)
  t.strictSame(await remembering.open({ ...one.key, session: newId() }), { kind: 'missing' })
})

t.test('while the link is down the store is asked, and nothing is kept', async (t) => {
  const store = createEmbeddedStore({ now: Date.now })
  const { key } = await begin(store)
  const { seen, remembering } = remember(store)
  await remembering.open(key)
  seen.alive = false
  await remembering.open(key)
  await remembering.open(key)
  t.equal(seen.reads, 3)
})

t.test('an idle clock that has passed in memory is read again', async (t) => {
  const clock = { time: Date.now() }
  const now = (): number => clock.time
  const store = createEmbeddedStore({ now })
  const { key, vault } = await begin(store, now)
  const { remembering } = remember(store, now)
  const opening = await remembering.open(key)
  if (opening.kind !== 'open') throw new Error('not open')
  clock.time += 10 * minuteMs
  const slide = { held: 'blob', blob: 'slid', expiresAt: clock.time + session.absoluteMs }
  await vault.touch(key, opening.launch, slide)
  clock.time += 10 * minuteMs
  t.match(await remembering.open(key), { kind: 'open' }, 'activity elsewhere was not told')
  clock.time += 20 * minuteMs
  t.match(await remembering.open(key), { kind: 'ended', state: 'expired' })
})

t.test('an end that is told while the record is read is not forgotten', async (t) => {
  const store = createEmbeddedStore({ now: Date.now })
  const { key, vault } = await begin(store)
  let release = (): void => undefined
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const slow: Store = {
    ...store,
    readLaunch: async (name) => {
      const read = await store.readLaunch(name)
      await gate
      return read
    },
  }
  const inner = createVault({ store: slow, keyRing, now: Date.now, session })
  const remembering = createRememberingVault({ vault: inner, store, now: Date.now })
  const first = remembering.open(key)
  await sleep(1)
  await vault.end(key, 'revoked')
  release()
  t.match(await first, { kind: 'open' }, 'it was read before the end')
  t.match(await remembering.open(key), { kind: 'ended' }, 'but is not kept')
})

t.test('it is bounded: what was used longest ago goes', async (t) => {
  const store = createEmbeddedStore({ now: Date.now })
  const { vault } = remember(store)
  let reads = 0
  const counting = { ...vault, open: async (key: typeof first) => ((reads += 1), vault.open(key)) }
  const remembering = createRememberingVault({
    vault: counting,
    store,
    now: Date.now,
    maxSessions: 2,
  })
  const [{ key: first }, { key: second }, { key: third }] = [
    await begin(store),
    await begin(store),
    await begin(store),
  ]
  for (const key of [first, second, first, third, first]) await remembering.open(key)
  t.equal(reads, 3)
  await remembering.open(second)
  t.equal(reads, 4)
})

t.test('with the link severed an end is still seen at once', async (t) => {
  const redis = await startRedis()
  const path = await startLossyPath(redis.port)
  const config = { url: new Secret(`redis://127.0.0.1:${path.port}`) }
  const direct = createRedisStore({ config: { url: new Secret(redis.url) }, now: Date.now })
  const store = createRedisStore({ config, now: Date.now })
  t.teardown(async () => {
    await Promise.all([store.close(), direct.close()])
    await path.close()
    await redis.stop()
  })
  const isAlive = async (wanted: boolean): Promise<void> => {
    for (let n = 0; n < 300 && store.linkAlive() !== wanted; n += 1) await sleep(10)
    t.equal(store.linkAlive(), wanted)
  }
  await isAlive(true)
  const [one, two, three] = [await begin(direct), await begin(direct), await begin(direct)]
  const { seen, remembering } = remember(store)
  // On a busy machine a beat may come late; then the store is asked once more, and that is right.
  const readsOfAll = async (): Promise<number> => {
    const before = seen.reads
    for (const { key } of [one, two, three]) await remembering.open(key)
    return seen.reads - before
  }
  t.equal(await readsOfAll(), 3)
  let again = await readsOfAll()
  for (let n = 0; n < 100 && again > 0; n += 1) {
    await sleep(20)
    again = await readsOfAll()
  }
  t.equal(again, 0, 'all three are remembered')
  const remembered = seen.reads

  // The connection that brings messages stands still, and no other: neither an answer nor an error tells of it.
  path.freeze((sent) => sent.includes('subscribe'))
  await sleep(520)
  t.equal(store.linkAlive(), false)
  await two.vault.end(two.key, 'revoked')
  t.match(await remembering.open(two.key), { kind: 'ended', state: 'revoked' })
  t.match(await remembering.open(one.key), { kind: 'open' }, 'the store is asked')
  t.ok(seen.reads >= remembered + 2)

  await direct.endSession(three.key.session, 'ended')
  path.cut()
  await isAlive(true)
  t.match(await remembering.open(three.key), { kind: 'ended' }, 'the gap is not slept through')
  const started = performance.now()
  await one.vault.end(one.key, 'revoked')
  while ((await remembering.open(one.key)).kind === 'open') await sleep(1)
  t.ok(performance.now() - started < 1000, 'and ends are told again')
})
