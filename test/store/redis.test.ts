import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t from 'tap'
import { Secret } from '../../src/config/secret.ts'
import { readRedisUrl } from '../../src/store/redis/client.ts'
import type { StoreFault } from '../../src/store/redis/fault.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import type { Store } from '../../src/store/store.ts'
import { storeContract } from '../contracts/store.ts'
import { startRedis } from '../support/redis.ts'

const open = (url: string, onFault?: (fault: StoreFault) => void): Store =>
  createRedisStore({
    config: { url: new Secret(url) },
    now: Date.now,
    ...(onFault === undefined ? {} : { onFault }),
  })

const timed = async (work: Promise<unknown>): Promise<{ ms: number; code: unknown }> => {
  const start = performance.now()
  const code = await work.then(
    () => undefined,
    (error: { code: unknown }) => error.code,
  )
  return { ms: performance.now() - start, code }
}

t.test('the Redis store keeps the contract', async (t) => {
  const redis = await startRedis()
  const [store, other] = [open(redis.url), open(redis.url)]
  t.teardown(async () => {
    await Promise.all([store.close(), other.close()])
    await redis.stop()
  })
  await storeContract(t, async () => ({
    store,
    other,
    now: Date.now,
    pass: async (ms) => sleep(ms),
  }))

  await t.test('key names, lives and fields are as the design says', async (t) => {
    const raw = new Redis(redis.port)
    t.teardown(() => raw.disconnect())
    await raw.flushall()
    const now = Date.now()
    await store.putPending('S', 'sealed', 600_000)
    await store.joinBindings({
      pendingHashes: ['P'],
      sealedSession: 'x',
      lifeMs: 600_000,
    })
    await store.createSession('H', 'blob', now + 60_000)
    await store.createLaunch(
      { session: 'H', launch: 'L' },
      { sealed: 'box', idleAt: now + 900_000, expiresAt: now + 3_600_000 },
    )
    await store.acquireLease('N', 'me', 30_000)
    // A replica's beat to itself comes and goes.
    const names = (await raw.keys('*')).filter((name) => !name.startsWith('beat:'))
    t.strictSame(names.toSorted(), [
      'bind:{b}:P',
      'due',
      'launch:{H}:L',
      'launches:{H}',
      'lock:N',
      'sess:{H}',
      'tx:S',
    ])
    for (const name of [
      'bind:{b}:P',
      'launch:{H}:L',
      'launches:{H}',
      'lock:N',
      'sess:{H}',
      'tx:S',
    ]) {
      t.ok((await raw.pttl(name)) > 0, `${name} has an end`)
    }
    t.strictSame(await raw.hgetall('launch:{H}:L'), {
      sealed: 'box',
      version: '1',
      idleAt: String(now + 900_000),
      ended: '',
    })
    const [member, visitAt] = await raw.zrange('due', '0', '-1', 'WITHSCORES')
    t.equal(member, 'H|L')
    t.ok(Number(visitAt) <= Date.now() + 30_000, 'visited soon, whatever becomes of its writer')
  })

  await t.test('garbage of any type reads as missing', async (t) => {
    const raw = new Redis(redis.port)
    t.teardown(() => raw.disconnect())
    const key = { session: 'G', launch: 'L' }
    await raw.set('launch:{G}:L', 'not a hash')
    t.equal(await store.readLaunch(key), undefined)
    t.equal(await store.replaceLaunch(key, 1, 'x'), false)
    t.equal(await store.endLaunch(key, 'ended'), undefined)
    await raw.del('launch:{G}:L')
    for (const version of ['', 'NaN', '-1', '1e9', '9'.repeat(400)]) {
      await raw.hset('launch:{G}:L', { sealed: 's', version, idleAt: '1', ended: '' })
      t.equal(await store.readLaunch(key), undefined)
    }
    await raw.lpush('sess:{G}', 'a list')
    t.equal(await store.readSession('G'), undefined)
    t.equal(await store.createSession('G', 'blob', Date.now() + 1000), false)
    await raw.hset('tx:G', { a: 'hash' })
    t.equal(await store.takePending('G'), undefined)
  })
})

t.test(
  'a server that dies is a fault within two seconds and works again when it is back',
  async (t) => {
    let redis = await startRedis()
    const faults: StoreFault[] = []
    const store = open(redis.url, (fault) => faults.push(fault))
    t.teardown(async () => {
      await store.close()
      await redis.stop()
    })
    await store.check()

    await redis.stop()
    const key = { session: 'H', launch: 'L' }
    const outcomes = await Promise.all(
      [
        store.readLaunch(key),
        store.readSession('H'),
        store.takePending('S'),
        store.putPending('S', 'sealed', 1000),
        store.createSession('H', 'blob', Date.now() + 1000),
        store.replaceSession('H', 'a', 'blob', Date.now() + 1000),
        store.createLaunch(key, { sealed: 's', idleAt: 1, expiresAt: Date.now() + 1000 }),
        store.replaceLaunch(key, 1, 's'),
        store.endLaunch(key, 'ended'),
        store.endSession('H', 'ended'),
        store.listLaunches('H'),
        store.acquireLease('N', 'me', 1000),
        store.releaseLease('N', 'me'),
        store.joinBindings({
          pendingHashes: ['P'],
          sealedSession: 'x',
          lifeMs: 1000,
        }),
        store.check(),
      ].map(timed),
    )
    for (const { ms, code } of outcomes) {
      t.equal(code, 'STORE_UNAVAILABLE')
      t.ok(ms < 2000, `${ms} ms`)
    }
    const later = await timed(store.readLaunch(key))
    t.equal(later.code, 'STORE_UNAVAILABLE')
    t.ok(later.ms < 100, 'an outage that lasts fails at once')
    t.ok(faults.length > 0)

    redis = await startRedis({ port: redis.port })
    t.equal(await timed(waitUntilUp(store)).then(({ code }) => code), undefined)
    t.equal(await store.createSession('H', 'blob', Date.now() + 1000), true, 'no command came late')
  },
)

t.test('a restart within a second is not even seen', async (t) => {
  let redis = await startRedis()
  const store = open(redis.url)
  t.teardown(async () => {
    await store.close()
    await redis.stop()
  })
  // On a busy machine a restart may take longer than a second: then the answer says nothing, and it is tried again.
  for (let tries = 0; tries < 10; tries += 1) {
    while (
      !(await store.check().then(
        () => true,
        () => false,
      ))
    );
    await redis.stop()
    await sleep(20)
    const asked = performance.now()
    const waiting = store.acquireLease('N', 'me', 1000).catch(() => false)
    redis = await startRedis({ port: redis.port })
    const quick = performance.now() - asked < 600
    const granted = await waiting
    if (!quick) continue
    t.equal(granted, true)
    return
  }
  t.fail('no restart was quick enough to judge')
})

t.test('a server that stands still is a fault within two seconds', async (t) => {
  const redis = await startRedis()
  const store = open(redis.url)
  t.teardown(async () => {
    redis.resume()
    await store.close()
    await redis.stop()
  })
  await store.check()
  redis.pause()
  const { ms, code } = await timed(store.readSession('H'))
  t.equal(code, 'STORE_UNAVAILABLE')
  t.ok(ms < 2000, `${ms} ms`)
  redis.resume()
  await waitUntilUp(store)
})

t.test('what Redis refuses is a fault: out of memory, read only', async (t) => {
  const redis = await startRedis({ args: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'] })
  const faults: StoreFault[] = []
  const store = open(redis.url, (fault) => faults.push(fault))
  t.teardown(async () => {
    await store.close()
    await redis.stop()
  })
  const { code } = await timed(store.putPending('S', 'sealed', 1000))
  t.equal(code, 'STORE_UNAVAILABLE')
  t.strictSame(faults, [{ operation: 'putPending', reason: 'OOM' }])
})

t.test('a password is needed and used', async (t) => {
  const redis = await startRedis({ password: 'p@ss' })
  const wrong = open(`redis://127.0.0.1:${redis.port}`)
  const right = open(redis.url)
  t.teardown(async () => {
    await Promise.all([wrong.close(), right.close()])
    await redis.stop()
  })
  t.equal((await timed(wrong.check())).code, 'STORE_UNAVAILABLE')
  await right.check()
})

t.test('a Redis URL', async (t) => {
  t.match(readRedisUrl('redis://h'), { host: 'h', port: 6379 })
  t.match(readRedisUrl('redis://[::1]:7000/2'), { host: '::1', port: 7000, db: 2 })
  t.match(readRedisUrl('rediss://u:p%40@h:1'), {
    username: 'u',
    password: 'p@',
    tls: { rejectUnauthorized: true },
  })
  for (const bad of ['', 'h:6379', 'http://h', 'redis://h/x', 'redis://h:99999']) {
    t.throws(() => readRedisUrl(bad), { message: /^store\.redis\.url/ })
  }
})

async function waitUntilUp(store: Store): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const { code } = await timed(store.check())
    if (code === undefined) return
    await sleep(50)
  }
  throw new Error('the store did not come back')
}
