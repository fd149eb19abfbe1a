import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster } from 'ioredis'
import t from 'tap'
import { createRedisClient } from '../../src/store/redis/client.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import type { LaunchKey, Store } from '../../src/store/store.ts'
import { storeContract } from '../contracts/store.ts'
import { slotOf as hashSlot } from '../../src/store/redis/masters.ts'
import { startClusterGroup, tell } from '../support/redis-groups.ts'

const until = async (condition: () => Promise<boolean> | boolean): Promise<boolean> => {
  for (let n = 0; n < 1800; n += 1) {
    if (await condition()) return true
    await sleep(50)
  }
  return false
}

const works = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  )

t.test('a Cluster of three masters', { timeout: 240_000 }, async (t) => {
  const group = await startClusterGroup()
  const open = (): Store => createRedisStore({ config: group.config, now: Date.now })
  const [store, other] = [open(), open()]
  t.teardown(async () => {
    group.replica.resume()
    await Promise.all([store.close(), other.close()])
    await group.stop()
  })
  t.ok(await until(() => works(Promise.all([store.check(), other.check()]))))
  const [first, second] = group.masters
  if (first === undefined || second === undefined) throw new Error('three masters')
  const expiresAt = Date.now() + 600_000
  const begin = async (session: string): Promise<LaunchKey> => {
    const key = { session, launch: 'L' }
    await store.createSession(session, 'blob', expiresAt)
    await store.createLaunch(key, { sealed: '0', idleAt: expiresAt, expiresAt })
    return key
  }
  const slotOf = async (key: LaunchKey): Promise<number> =>
    Number(await tell(first.port, ['CLUSTER', 'KEYSLOT', `launch:{${key.session}}:L`]))

  await storeContract(t, async () => ({
    store,
    other,
    now: Date.now,
    pass: async (ms) => sleep(ms),
  }))

  await t.test(
    'a slot moves to another master while it is written: no update is lost',
    async (t) => {
      const key = await begin('moving')
      const slot = await slotOf(key)
      const to = group.masters.toReversed().find((_, n) => slot <= 5460 || n === 2)
      if (to === undefined) throw new Error('no other master')
      const moving = { on: true }
      let [written, faults] = [0, 0]
      /** A write whose answer was lost may have been made: then the next reading shows it. */
      const add = async (view: Store): Promise<void> => {
        while (moving.on) {
          try {
            const held = await view.readLaunch(key)
            if (held === undefined) throw new Error('a launch that moves is missing')
            if (await view.replaceLaunch(key, held.version, String(Number(held.sealed) + 1))) {
              written += 1
            }
          } catch (error) {
            t.match(error, { code: 'STORE_UNAVAILABLE' }, 'a fault is told as one')
            faults += 1
          }
          await sleep(2)
        }
      }
      const adding = [add(store), add(other), add(store), add(other)]
      await sleep(100)
      await group.moveSlot(slot, to, async () => sleep(100))
      await sleep(300)
      moving.on = false
      await Promise.all(adding)
      t.ok(await until(() => works(store.readLaunch(key))))
      const held = await store.readLaunch(key)
      const made = Number(held?.sealed)
      t.equal(held?.version, made + 1, 'each write stands on the one before')
      t.ok(
        made >= written && made <= written + faults,
        `${made} of ${written} and ${faults} faults`,
      )
      t.ok(written > 20)
      t.equal(await tell(to.port, ['HGET', 'launch:{moving}:L', 'sealed']), String(made))
    },
  )

  await t.test('a single slot that moves is known soon, though nobody asks for it', async (t) => {
    const closed = new AbortController()
    const client = createRedisClient(group.config, closed.signal)
    if (!(client instanceof Cluster)) throw new Error('no Cluster client')
    t.ok(await until(() => client.slots.filter(Boolean).length === 16_384))
    const before = client.slots[77]?.[0]
    const to = group.masters.find(({ port }) => !before?.endsWith(`:${port}`))
    if (to === undefined) throw new Error('no other master')
    await group.moveSlot(77, to, async () => undefined)
    const movedAt = performance.now()
    t.ok(await until(() => client.slots[77]?.[0] !== before))
    // An end that is written there is told to whoever hears its master's beats, and to nobody else.
    t.ok(performance.now() - movedAt < 3_000, 'half a second, and what a busy machine adds')
    closed.abort()
  })

  await t.test('closed while it asks for the slots, it never asks again', async (t) => {
    const closed = new AbortController()
    const client = createRedisClient(group.config, closed.signal)
    if (!(client instanceof Cluster)) throw new Error('no Cluster client')
    t.ok(await until(() => client.status === 'ready'))
    const refresh = client.refreshSlotsCache.bind(client)
    let asked = 0
    client.refreshSlotsCache = (callback) => {
      asked += 1
      refresh(callback)
      closed.abort()
    }
    t.ok(await until(() => asked > 0))
    // Three times as long as it waits between two.
    await sleep(1_500)
    t.equal(asked, 1, 'a timer would keep the process for ever')
  })

  await t.test('WAIT asks every master that has a replica', async (t) => {
    const keys = await Promise.all(Array.from({ length: 12 }, (_, n) => begin(`w${n}`)))
    t.equal(await store.replicated(5_000), true)
    group.replica.pause()
    for (const key of keys) await store.endLaunch(key, 'revoked')
    t.equal(await store.replicated(200), false)
    group.replica.resume()
    t.equal(await store.replicated(5_000), true)
  })

  await t.test('the slot of a name is what Redis says', async (t) => {
    for (const name of ['0', '17', 'abc', '123456789', '']) {
      t.equal(String(hashSlot(name)), await tell(first.port, ['CLUSTER', 'KEYSLOT', name]), name)
    }
  })

  await t.test('a master dies and its replica takes over', async (t) => {
    const keys = await Promise.all(Array.from({ length: 20 }, (_, n) => begin(`s${n}`)))
    const lost: LaunchKey[] = []
    for (const key of keys) if ((await slotOf(key)) <= 5460) lost.push(key)
    t.ok(lost.length > 0 && lost.length < keys.length)
    const [gone] = lost
    if (gone === undefined) throw new Error('none')
    await store.endLaunch(gone, 'revoked')
    t.equal(await store.replicated(5_000), true)
    await first.kill()
    t.rejects(store.readLaunch(gone), { code: 'STORE_UNAVAILABLE' }, 'a fault is no logout')
    t.ok(await until(() => works(Promise.all(keys.map((key) => store.readLaunch(key))))))
    for (const key of keys) {
      const ended = key === gone ? 'revoked' : ''
      t.match(await store.readLaunch(key), { ended }, 'every launch is as it was')
    }
    t.equal(await store.replaceLaunch(gone, 2, 'back'), false)
    t.ok(await until(() => works(store.claimDue({ limit: 1, hideMs: 1 }))))
    t.ok(await until(() => store.linkAlive()), 'and every master beats')
  })
})

/** DESIGN rule 12: what a replica of ours believes from memory ends with the master that would have told it otherwise. */
t.test('a master of a Cluster that is none any more', { timeout: 240_000 }, async (t) => {
  const group = await startClusterGroup()
  const open = (): Store => createRedisStore({ config: group.config, now: Date.now })
  const store = open()
  t.teardown(async () => {
    for (const master of group.masters) master.resume()
    await store.close()
    await group.stop()
  })
  const [first, ...others] = group.masters
  if (first === undefined) throw new Error('no master')
  const beatsAt = async (port: number): Promise<boolean> =>
    (await tell(port, ['KEYS', 'beat:*'])) !== ''
  t.ok(await until(() => store.linkAlive()))
  for (const { port } of group.masters) t.ok(await until(() => beatsAt(port)), 'each takes writes')

  await t.test('demoted in a planned failover', async (t) => {
    const seen = { dead: false }
    const watch = setInterval(() => {
      seen.dead ||= !store.linkAlive()
    }, 5)
    await group.failover()
    const demotedAt = performance.now()
    t.ok(await until(() => seen.dead), 'the link is not believed')
    t.ok(performance.now() - demotedAt < 2_000, 'within a second, and what a busy machine adds')
    // Nothing is read or written here that would make the client read the slots anew.
    t.ok(await until(() => store.linkAlive()))
    t.ok(performance.now() - demotedAt < 4_800, 'the refused write has them read anew')
    clearInterval(watch)
    t.ok(await until(() => beatsAt(group.replica.port)), 'the new master beats')
  })

  await t.test('cut off from the majority: it still publishes, and is not believed', async (t) => {
    // It is the one that the failover made, and from here it is all that the client reaches.
    for (const master of [first, ...others]) master.pause()
    t.ok(await until(() => !store.linkAlive()))
    const cut = group.replica.port
    t.ok(await until(async () => (await tell(cut, ['CLUSTER', 'INFO'])).includes('state:fail')))
    t.match(await tell(cut, ['PUBLISH', 'smart-bff:changes', 'nothing']), /^[01]$/, 'it publishes')
    t.ok(await until(async () => !(await beatsAt(cut))), 'it takes no beat')
    for (const master of [first, ...others]) master.resume()
    t.ok(await until(() => store.linkAlive()), 'and beats again when it is back')
  })
})
