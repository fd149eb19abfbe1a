import { Redis } from 'ioredis'
import t from 'tap'
import { rawConfiguration } from '../performance/parts/configuration.ts'
import { createMaker } from '../performance/parts/ours.ts'
import { startRedis } from '../support/redis.ts'

/** docs/performance.md: 100,000 live launches stand in less than 400 MB. A launch takes as much among a thousand. */
const goal = 4000
const count = 1000

t.test('a launch with all that belongs to it takes less than its share of Redis', async (t) => {
  const redis = await startRedis()
  const raw = new Redis(redis.port)
  const maker = createMaker(
    rawConfiguration({ ehr: 'http://127.0.0.1:1', redisUrl: redis.url }).file,
  )
  t.teardown(async () => {
    await maker.close()
    raw.disconnect()
    await redis.stop()
  })
  const used = async () => Number(/used_memory:(\d+)/.exec(await raw.info('memory'))?.[1])
  // Scripts and connections are there before and after.
  await maker.make()
  const before = await used()
  for (let made = 0; made < count; made += 50) {
    await Promise.all(Array.from({ length: 50 }, () => maker.make()))
  }
  const bytes = ((await used()) - before) / count
  t.comment(`${Math.round(bytes)} bytes a launch`)
  t.ok(bytes > 1536, 'the tokens alone are longer')
  t.ok(bytes < goal * 0.95, `${bytes} bytes a launch`)
})
