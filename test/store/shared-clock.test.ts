import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Secret } from '../../src/config/secret.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import type { StoreFault } from '../../src/store/redis/fault.ts'
import { startClusterGroup } from '../support/redis-groups.ts'
import { startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

/** Replicas whose own clocks are minutes apart, on one Redis. */

const minuteMs = 60_000
const near = (one: number, two: number): boolean => Math.abs(one - two) < 3_000

t.test('replicas go by one clock, however far apart their own are', async (t) => {
  const redis = await startRedis()
  const faults: StoreFault[] = []
  const open = (skewMs: number) =>
    createRedisStore({
      config: { url: new Secret(redis.url) },
      now: () => Date.now() + skewMs,
      onFault: (fault) => faults.push(fault),
    })
  const [slow, fast, right] = [open(-7 * minuteMs), open(9 * minuteMs), open(0)]
  t.teardown(async () => {
    await Promise.all([slow.close(), fast.close(), right.close()])
    await redis.stop()
  })
  await Promise.all([slow.check(), fast.check(), right.check()])
  for (const store of [slow, fast, right]) t.ok(near(store.now(), Date.now()))
  t.equal(faults.filter(({ operation }) => operation === 'clock').length, 2, 'and it is told, once')
  t.match(faults[0], { operation: 'clock', reason: 'skew' })

  // A deadline that one writes is due for all at the same time, and a life is as long as it was meant to be.
  const session = 'S'
  await slow.createSession(session, 'blob', slow.now() + 4_000)
  await slow.schedule({ session, launch: undefined }, slow.now() + minuteMs)
  t.strictSame(await fast.claimDue({ limit: 10, hideMs: 1_000 }), [], 'not early')
  t.equal(await fast.readSession(session), 'blob')
  // Of minutes that are shared: what a busy machine adds to an answer of TIME is none of them.
  await fast.schedule({ session, launch: undefined }, fast.now() - 500)
  t.equal((await slow.claimDue({ limit: 10, hideMs: 1_000 })).length, 1, 'nor late')
  await until(
    () => fast.readSession(session),
    (blob) => blob === undefined,
  )
})

t.test('a clock that is set is noticed at once', async (t) => {
  const redis = await startRedis()
  let setMs = 0
  const now = (): number => Date.now() + setMs
  const store = createRedisStore({ config: { url: new Secret(redis.url) }, now })
  t.teardown(async () => {
    await store.close()
    await redis.stop()
  })
  await store.check()
  for (const minutes of [-5, 5]) {
    setMs = minutes * minuteMs
    store.now()
    const started = performance.now()
    await until(store.now, (time) => near(time, Date.now()))
    t.ok(performance.now() - started < 1_500, `${minutes} minutes`)
  }
})

t.test('without an answer the last one counts', async (t) => {
  const redis = await startRedis()
  const store = createRedisStore({
    config: { url: new Secret(redis.url) },
    now: () => Date.now() + 5 * minuteMs,
  })
  t.teardown(() => store.close())
  await store.check()
  await redis.stop()
  await sleep(200)
  t.ok(near(store.now(), Date.now()))
})

t.test('a Redis user without TIME leaves each replica its own clock', async (t) => {
  const redis = await startRedis({ users: 'user default on nopass ~* &* +@all -time\n' })
  const own = (): number => Date.now() + 5 * minuteMs
  const store = createRedisStore({ config: { url: new Secret(redis.url) }, now: own })
  t.teardown(async () => {
    await store.close()
    await redis.stop()
  })
  await store.check()
  t.ok(near(store.now(), own()))
})

t.test('in a Cluster the middle master decides', { timeout: 240_000 }, async (t) => {
  const group = await startClusterGroup()
  const store = createRedisStore({
    config: group.config,
    now: () => Date.now() - 5 * minuteMs,
  })
  t.teardown(async () => {
    await store.close()
    await group.stop()
  })
  await until(() => near(store.now(), Date.now()), Boolean)
  t.ok(near(store.now(), Date.now()))
})
