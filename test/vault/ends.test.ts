import t from 'tap'
import type { AuditEvent } from '../../src/audit/event.ts'
import { Secret } from '../../src/config/secret.ts'
import { createSessionRecords } from '../../src/session/session-records.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import type { LaunchKey } from '../../src/store/store.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import { createRevocation } from '../../src/vault/revocation.ts'
import { createSweeper } from '../../src/vault/sweeper.ts'
import { createVault } from '../../src/vault/vault-store.ts'
import { startRedisPath } from '../support/redis-path.ts'
import { startRedis } from '../support/redis.ts'
import { exampleRecord, newId, newKey } from './example.ts'

/** Redis has carried the end out, and nobody hears of it: the connection breaks before the answer. */

const minuteMs = 60_000
const clocks = { idleMs: 15 * minuteMs, absoluteMs: 600 * minuteMs }

const isEnd = ({ event }: AuditEvent): boolean =>
  event === 'launch.transition' || event === 'session.ended'

t.test('an end whose answer is lost is told by whoever sweeps', async (t) => {
  const redis = await startRedis()
  const path = await startRedisPath(redis.port)
  let skipped = 0
  const now = (): number => Date.now() + skipped
  const open = (url: string) =>
    createRedisStore({ config: { url: new Secret(url) }, now: Date.now })
  const [store, other] = [open(path.url), open(redis.url)]
  t.teardown(async () => {
    await Promise.all([store.close(), other.close()])
    await path.close()
    await redis.stop()
  })
  const keyRing = createKeyRing([newKey('k1')])
  const replica = (over: typeof store) => ({
    vault: createVault({ store: over, keyRing, now, session: clocks }),
    records: createSessionRecords({ store: over, keyRing, now, ...clocks }),
  })
  const [mine, theirs] = [replica(store), replica(other)]
  const events: AuditEvent[] = []
  const revoked: string[] = []
  const audit = { record: async (event: AuditEvent) => void events.push(event) }
  const revoke = async ({ launch }: { launch: string }): Promise<void> => void revoked.push(launch)
  const sweeper = createSweeper({
    store: other,
    vault: theirs.vault,
    sessions: theirs.records,
    audit,
    revoke,
    reindex: async () => undefined,
    forgetDraft: async () => undefined,
    now,
  })
  const begin = async () => {
    const key = { session: newId(), launch: newId() }
    await theirs.records.create(key.session, theirs.records.begin())
    await theirs.vault.create(key, exampleRecord(key.launch, now()))
    events.length = 0
    revoked.length = 0
    return key
  }
  const losing = async (script: string, work: () => Promise<unknown>): Promise<void> => {
    path.judge(({ name }) => (name === script ? 'cut after' : undefined))
    await t.rejects(work(), { code: 'STORE_UNAVAILABLE' }, `${script}: the user is told of a fault`)
    path.judge(() => undefined)
  }
  const swept = async (key: LaunchKey): Promise<void> => {
    await sweeper.sweep()
    t.strictSame(events.filter(isEnd), [], 'whoever ended it may be at it')
    skipped += 31_000
    await other.schedule(key, other.now())
    await other.schedule({ ...key, launch: undefined }, other.now())
    await sweeper.sweep()
    await sweeper.sweep()
  }
  await store.check()

  await t.test('a logout', async (t) => {
    const key = await begin()
    const story = { reason: 'logout', request: 'r1' } as const
    await losing('bffEndLaunch', () => mine.vault.end(key, 'ended', story))
    t.match(await theirs.vault.open(key), { kind: 'ended', state: 'ended' }, 'it has its effect')
    await swept(key)
    t.match(events, [{ launch: key.launch, state: 'ended', reason: 'logout', request: 'r1' }])
    t.strictSame(revoked, [key.launch])
    t.equal(await theirs.vault.untold(key), undefined)
  })

  await t.test('a whole session', async (t) => {
    const key = await begin()
    const story = { reason: 'other_user', request: 'r2' } as const
    await losing('bffEndSession', () => mine.vault.endSession(key.session, 'ended', story))
    await swept(key)
    const told = { state: 'ended', reason: 'other_user', request: 'r2' }
    t.match(
      events.toSorted((one, two) => one.event.localeCompare(two.event)),
      [
        { event: 'launch.transition', launch: key.launch, ...told },
        { event: 'session.ended', count: 1, ...told },
      ],
    )
    t.equal(events.length, 2, 'each once')
    t.strictSame(revoked, [key.launch])
    t.equal(await theirs.vault.untoldSession(key.session), undefined)
  })

  await t.test('an order of the staff that is given again finds nothing to end', async (t) => {
    const key = await begin()
    const order = createRevocation({
      store,
      vault: mine.vault,
      index: { ofTenant: async () => [], ofUser: async () => [], ofPseudonym: async () => [] },
      pseudonyms: { everyUser: () => [] },
      audit,
      revoke,
    })
    const give = () =>
      order({
        target: { kind: 'launch', launch: key.launch },
        by: 'clara',
        reason: 'device_lost',
        request: 'r3',
      })
    await losing('bffEndLaunch', give)
    await swept(key)
    t.match(events.filter(isEnd), [
      {
        launch: key.launch,
        state: 'revoked',
        reason: 'device_lost',
        actor: 'staff',
        request: 'r3',
      },
    ])
    t.strictSame(revoked, [key.launch])
    t.match(await give(), { ended: 0 })
  })

  await t.test('and without a word of it nothing is told twice', async (t) => {
    const key = await begin()
    await swept(key)
    t.strictSame([events, revoked], [[], []])
  })
})
