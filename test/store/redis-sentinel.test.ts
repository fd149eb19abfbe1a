import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createRedisClient } from '../../src/store/redis/client.ts'
import { Secret } from '../../src/config/secret.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import type { Change, Store } from '../../src/store/store.ts'
import { startRedis } from '../support/redis.ts'
import { startSentinelGroup, tell } from '../support/redis-groups.ts'

const until = async (condition: () => Promise<boolean> | boolean): Promise<boolean> => {
  for (let n = 0; n < 1800; n += 1) {
    if (await condition()) return true
    await sleep(50)
  }
  return false
}

const works = (store: Store): Promise<boolean> =>
  store.check().then(
    () => true,
    () => false,
  )

t.test('Sentinel: WAIT and a planned failover', { timeout: 240_000 }, async (t) => {
  const group = await startSentinelGroup()
  const open = (): Store => createRedisStore({ config: group.config, now: Date.now })
  const [store, other] = [open(), open()]
  t.teardown(async () => {
    group.replica.resume()
    await Promise.all([store.close(), other.close()])
    await group.stop()
  })
  t.ok(await until(() => works(store)))
  const expiresAt = Date.now() + 600_000
  const key = (launch: string) => ({ session: 'S', launch })
  await store.createSession('S', 'blob', expiresAt)
  for (const launch of ['living', 'ended', 'later']) {
    await store.createLaunch(key(launch), { sealed: launch, idleAt: expiresAt, expiresAt })
  }

  await t.test('an end counts as replicated only once a replica has it', async (t) => {
    await store.endLaunch(key('ended'), 'revoked')
    t.equal(await store.replicated(5_000), true)
    group.replica.pause()
    await store.replaceLaunch(key('living'), 1, 'again')
    const started = performance.now()
    t.equal(await store.replicated(200), false, 'the replica stands still')
    t.ok(performance.now() - started < 1_500, 'and nobody waits for long')
    group.replica.resume()
    t.equal(await store.replicated(5_000), true)
  })

  const changes: Change[] = []
  other.onChange((change) => changes.push(change))
  const survives = async (t: Test, port: number): Promise<void> => {
    t.ok(await until(() => works(store)), 'it works again, without a restart')
    t.match(await store.readLaunch(key('living')), { sealed: 'again', ended: '' }, 'no logout')
    t.match(await store.readLaunch(key('ended')), { ended: 'revoked' }, 'no end is forgotten')
    t.equal(await store.replaceLaunch(key('ended'), 2, 'back'), false, 'and none undone')
    t.equal(await tell(port, ['HGET', 'launch:{S}:living', 'sealed']), 'again', 'on the new master')
    t.ok(await until(() => other.linkAlive()), 'the link is back')
  }

  await t.test('a planned failover', async (t) => {
    await group.failover()
    t.ok(await until(async () => (await group.masterPort()) === group.replica.port))
    const moved = async (): Promise<boolean> => {
      await store.acquireLease('moved', 'me', 60_000).catch(() => false)
      return (await tell(group.replica.port, ['EXISTS', 'lock:moved'])) === '1'
    }
    t.ok(await until(moved), 'writes go to the new master')
    await survives(t, group.replica.port)
    // Whoever looked the master up just before stays at the old one until the sentinel makes that a replica, after some
    // ten seconds; what `min-replicas-to-write` is for (docs/operate.md).
    const subscribed = (): Promise<string> =>
      tell(group.replica.port, ['PUBSUB', 'NUMSUB', 'smart-bff:changes'])
    t.ok(await until(async () => (await subscribed()).endsWith(',2')), 'both listen at the new one')
    await store.endLaunch(key('later'), 'ended')
    t.ok(
      await until(() => changes.some((change) => 'launch' in change && change.launch === 'later')),
      'ends are told over the new one',
    )
    t.ok(
      changes.some(({ kind }) => kind === 'gap'),
      'and the gap was not slept through',
    )
  })
})

t.test('Sentinel: the death of a master', { timeout: 240_000 }, async (t) => {
  const group = await startSentinelGroup()
  const store = createRedisStore({ config: group.config, now: Date.now })
  t.teardown(async () => {
    await store.close()
    await group.stop()
  })
  t.ok(await until(() => works(store)))
  const expiresAt = Date.now() + 600_000
  await store.createSession('S', 'blob', expiresAt)
  await store.endSession('gone', 'revoked')
  t.equal(await store.replicated(5_000), true)
  await group.master.kill()
  const started = performance.now()
  // The replica may have taken over within the second that a read waits.
  const read = await store.readSession('S').catch((error: unknown) => error)
  if (read !== 'blob') t.match(read, { code: 'STORE_UNAVAILABLE' }, 'a fault is no logout')
  t.ok(performance.now() - started < 4_000)
  t.ok(await until(() => works(store)), 'the replica takes over, without a restart')
  t.equal(await store.readSession('S'), 'blob')
  t.equal(await store.createSession('gone', 'late', expiresAt), false, 'what has ended stays so')
  t.equal(await store.replicated(200), true, 'there is no replica to wait for any more')
})

t.test('Sentinel: a failover that is told while the connection is being made', async (t) => {
  const group = await startSentinelGroup()
  const closed = new AbortController()
  const client = createRedisClient(group.config, closed.signal)
  client.on('error', () => undefined)
  t.teardown(async () => {
    closed.abort()
    await group.stop()
  })
  t.ok(await until(() => client.status === 'ready'))
  // What the library's failover detector does with its connector, at the moment when it does harm.
  const connector = Reflect.get(client, 'connector') as { disconnect(): void }
  client.once('connecting', () => setImmediate(() => connector.disconnect()))
  const ended = new Promise((resolve) => {
    client.once('end', resolve)
  })
  client.disconnect(true)
  await ended
  t.ok(await until(() => client.status === 'ready'), 'it connects again, without a restart')
  t.equal(await client.ping(), 'PONG')
})

t.test('a replica that has just attached is waited for, too', async (t) => {
  const redis = await startRedis({ args: ['--repl-diskless-sync-delay', '2'] })
  const store = createRedisStore({ config: { url: new Secret(redis.url) }, now: Date.now })
  t.teardown(async () => {
    await store.close()
    await redis.stop()
  })
  t.ok(await until(() => works(store)))
  t.equal(await store.replicated(200), true, 'there is none yet')
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(redis.port)] })
  t.teardown(() => replica.stop())
  const attached = (state: RegExp) => async (): Promise<boolean> =>
    state.test(await tell(redis.port, ['INFO', 'replication']))
  t.ok(await until(attached(/slave0:/)))
  t.ok(await attached(/state=(wait_bgsave|send_bulk)/)(), 'it is not filled yet')
  await store.endSession('S', 'revoked')
  t.equal(await store.replicated(100), false, 'and has not got it')
  t.ok(await until(() => store.replicated(1_000)))
  t.equal(await tell(replica.port, ['EXISTS', 'sess:{S}']), '1')
})

t.test('a master that was demoted keeps no link alive', async (t) => {
  const redis = await startRedis()
  const store = createRedisStore({ config: { url: new Secret(redis.url) }, now: Date.now })
  t.teardown(async () => {
    await store.close()
    await redis.stop()
  })
  t.ok(await until(() => store.linkAlive()))
  // It still publishes what it is told, and hears nothing of what ends at its successor.
  await tell(redis.port, ['REPLICAOF', '127.0.0.1', '1'])
  t.ok(await until(() => !store.linkAlive()), 'the store is asked from now on')
  await tell(redis.port, ['REPLICAOF', 'NO', 'ONE'])
  t.ok(await until(() => store.linkAlive()), 'and no more when it is a master again')
})
