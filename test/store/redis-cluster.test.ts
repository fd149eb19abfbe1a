import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createRedisStore } from '../../src/store/redis.ts'
import type { LaunchKey, Store } from '../../src/store/store.ts'
import { storeContract } from '../contracts/store.ts'
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

  await t.test('WAIT asks every master that has a replica', async (t) => {
    const keys = await Promise.all(Array.from({ length: 12 }, (_, n) => begin(`w${n}`)))
    t.equal(await store.replicated(5_000), true)
    group.replica.pause()
    for (const key of keys) await store.endLaunch(key, 'revoked')
    t.equal(await store.replicated(200), false)
    group.replica.resume()
    t.equal(await store.replicated(5_000), true)
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
