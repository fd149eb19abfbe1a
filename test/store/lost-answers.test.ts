import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Secret } from '../../src/config/secret.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import { startRedisPath } from '../support/redis-path.ts'
import { startRedis } from '../support/redis.ts'

/** Redis has carried a command out, and nobody hears of it. */

t.test('a claim whose answer was lost is given back, and nobody else’s', async (t) => {
  const redis = await startRedis()
  const path = await startRedisPath(redis.port)
  const open = (url: string) =>
    createRedisStore({ config: { url: new Secret(url) }, now: Date.now })
  const [store, other] = [open(path.url), open(redis.url)]
  t.teardown(async () => {
    await Promise.all([store.close(), other.close()])
    await path.close()
    await redis.stop()
  })
  await store.check()
  const lost = { code: 'STORE_UNAVAILABLE' }

  let cuts = 0
  path.judge(({ name, key }) => {
    const claims = name === 'SET' && key.startsWith('idempotent:')
    if (!claims && name !== 'bffDeleteHeld') return undefined
    cuts += 1
    // The first try to give it back does not arrive either.
    return cuts === 1 ? 'cut after' : cuts === 2 ? 'cut before' : undefined
  })
  await t.rejects(store.claimIdempotent('S', 'key', 'mine', 60_000), lost)
  let held = await other.claimIdempotent('S', 'key', 'theirs', 60_000)
  t.ok(held === 'mine' || held === undefined)
  for (const until = Date.now() + 20_000; held === 'mine' && Date.now() < until;) {
    await sleep(20)
    held = await other.claimIdempotent('S', 'key', 'theirs', 60_000)
  }
  t.equal(held, undefined, 'it is free for a repeat')

  cuts = 0
  const givenBack = Promise.withResolvers<void>()
  path.judge(({ name, key }) => {
    if (name === 'bffDeleteHeld') givenBack.resolve()
    if (name !== 'SET' || !key.startsWith('idempotent:')) return undefined
    cuts += 1
    return cuts === 1 ? 'cut after' : undefined
  })
  await t.rejects(store.claimIdempotent('S', 'key', 'again', 60_000), lost)
  await givenBack.promise
  t.equal(await store.claimIdempotent('S', 'key', 'late', 60_000), 'theirs')
})
