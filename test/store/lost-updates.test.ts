import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { Secret } from '../../src/config/secret.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import type { scripts } from '../../src/store/redis/scripts.ts'
import type { LaunchKey, Store } from '../../src/store/store.ts'
import { startRedis } from '../support/redis.ts'

/** Every script, with writers on four connections that all want the same record at the same instant. */

type Race = (t: Test, views: Views) => Promise<void>

interface Views {
  /** Work number `n` goes over connection `n` modulo four. */
  readonly at: (n: number) => Store
  readonly all: <T>(count: number, work: (store: Store, n: number) => Promise<T>) => Promise<T[]>
}

const id = (): string => randomBytes(16).toString('base64url')
const minuteMs = 60_000
const later = (): number => Date.now() + 10 * minuteMs
const rounds = 15

/** Reads, adds one and writes until its write is taken. */
async function addOne(
  read: () => Promise<number>,
  write: (from: number) => Promise<boolean>,
): Promise<void> {
  while (!(await write(await read())));
}

async function launched(store: Store, session = id()): Promise<LaunchKey> {
  const key = { session, launch: id() }
  await store.createSession(session, '0', later())
  await store.createLaunch(key, { sealed: '0', idleAt: later(), expiresAt: later() })
  return key
}

const races: Readonly<Record<keyof typeof scripts, Race>> = {
  bffJoinBindings: async (t, { all }) => {
    const shared = id()
    const joined = await all(12, (store, n) =>
      store.joinBindings({
        pendingHashes: [id(), shared, id()],
        sealedSession: `own-${n}`,
        lifeMs: minuteMs,
      }),
    )
    t.equal(new Set(joined).size, 1, 'whoever shares a cookie shares the session')
  },

  bffReplaceSession: async (t, { at, all }) => {
    const session = id()
    await at(0).createSession(session, '0', later())
    await all(12, (store) =>
      addOne(
        async () => Number(await store.readSession(session)),
        (from) => store.replaceSession(session, String(from), String(from + 1), later()),
      ),
    )
    t.equal(await at(0).readSession(session), '12')
    await all(9, async (store, n) => {
      const held = (await store.readSession(session)) ?? ''
      if (n === 4) await store.endSession(session, 'ended')
      else await store.replaceSession(session, held, `blob-${n}`, later())
    })
    t.equal(await at(0).readSession(session), undefined, 'an end is not overwritten')
  },

  bffTouch: async (t, { at, all }) => {
    const key = await launched(at(0))
    await all(12, (store, n) =>
      addOne(
        async () => Number(await store.readSession(key.session)),
        async (from) => {
          const [held, blob] = [String(from), String(from + 1)]
          const idleAt = later() + n
          if (n % 2 === 0) return store.replaceSession(key.session, held, blob, later())
          const session = { held, blob, expiresAt: later() }
          return (await store.touch(key, { now: Date.now(), idleAt, session })) === 'touched'
        },
      ),
    )
    t.equal(await at(0).readSession(key.session), '12', 'neither loses what the other wrote')
    t.match(await at(0).readLaunch(key), { sealed: '0', version: 1, ended: '' })
  },

  bffCreateLaunch: async (t, { at, all }) => {
    const session = id()
    await at(0).createSession(session, 'blob', later())
    const launch = { sealed: 'box', idleAt: later(), expiresAt: later() }
    const same = id()
    const created = await all(8, (store) => store.createLaunch({ session, launch: same }, launch))
    t.equal(created.filter(Boolean).length, 1, 'one of those who create the same')
    const keys = Array.from({ length: 8 }, () => ({ session, launch: id() }))
    await all(9, async (store, n) => {
      const key = keys[n]
      if (key === undefined) await store.endSession(session, 'ended')
      else await store.createLaunch(key, launch)
    })
    for (const key of keys) {
      const stored = await at(0).readLaunch(key)
      t.ok(stored === undefined || stored.ended === 'ended', 'none outlives the session')
    }
  },

  bffSettleEnd: async (t, { at, all }) => {
    const key = await launched(at(0))
    await all(8, async (store, n) => {
      if (n === 4) await store.endLaunch(key, 'ended', 'note')
      else await store.settleEnd(key)
    })
    t.match(await at(0).readLaunch(key), { sealed: '', version: 2, ended: 'ended' })
    const missing = { session: id(), launch: id() }
    await all(4, (store) => store.settleEnd(missing))
    t.equal(await at(0).readLaunch(missing), undefined, 'nothing is made that was not there')
  },

  bffReplaceLaunch: async (t, { at, all }) => {
    const key = await launched(at(0))
    const lease = { name: `race:{${key.session}}`, holder: 'me' }
    await at(0).acquireLease(lease.name, lease.holder, minuteMs)
    await all(12, async (store, n) => {
      for (;;) {
        const held = await store.readLaunch(key)
        if (held === undefined) throw new Error('missing')
        const next = String(Number(held.sealed) + 1)
        if (n % 3 === 2) {
          const stranger = { ...lease, holder: 'stranger' }
          t.notOk(await store.replaceLaunch(key, held.version, 'stolen', stranger))
          return
        }
        const mine = n % 3 === 0 ? lease : undefined
        if (await store.replaceLaunch(key, held.version, next, mine)) return
      }
    })
    t.match(await at(0).readLaunch(key), { sealed: '8', version: 9 })
  },

  bffEndLaunch: async (t, { at, all }) => {
    const key = await launched(at(0))
    const ended = await all(12, async (store, n) => {
      if (n % 3 === 0) return store.endLaunch(key, `revoked.${n}`)
      await store.replaceLaunch(key, 1, `late-${n}`)
      return undefined
    })
    const held = ended.filter((one) => one !== undefined)
    t.equal(held.length, 1, 'one of those who end it')
    t.match(held[0]?.sealed, /^(0|late-\d+)$/, 'and it has what was written last')
    const stored = await at(0).readLaunch(key)
    t.match(stored, { sealed: '', ended: /^revoked/ }, 'nothing comes back')
    t.notOk(await at(1).replaceLaunch(key, stored?.version ?? 0, 'late'), 'even of its version')
  },

  bffEndSession: async (t, { at, all }) => {
    const { session, launch } = await launched(at(0))
    const second = await launched(at(1), session)
    const answers = await all(6, (store) => store.endSession(session, 'ended'))
    const told = answers.flat().map((one) => one.launch)
    t.strictSame(told.toSorted(), [launch, second.launch].toSorted(), 'each is told to one')
  },

  bffDeleteHeld: (t, views) => exclusive(t, views, async () => true),

  bffRenewLease: (t, views) =>
    exclusive(t, views, async (store, name, holder) => {
      t.notOk(await store.renewLease(name, 'stranger', minuteMs))
      return store.renewLease(name, holder, minuteMs)
    }),

  bffClaimDue: async (t, { at, all }) => {
    const session = id()
    const launches = Array.from({ length: 20 }, id)
    for (const launch of launches) await at(0).schedule({ session, launch }, Date.now() - 1)
    const claims = await all(8, (store) => store.claimDue({ limit: 10, hideMs: minuteMs }))
    const own = claims.flat().filter((claim) => claim.session === session)
    const claimed = own.map(({ launch }) => launch ?? '')
    t.strictSame(claimed.toSorted(), launches.toSorted())
    await Promise.all(own.map((claim) => at(0).settleDue(claim)))
  },

  bffSettleDue: async (t, { at, all }) => {
    const deadline = { session: id(), launch: id() }
    await at(0).schedule(deadline, Date.now() - 1)
    const [claim] = await at(0).claimDue({ limit: 1, hideMs: minuteMs })
    t.match(claim, deadline)
    if (claim === undefined) return
    // Somebody schedules it anew before the claim is settled: that is the newest word.
    await at(0).schedule(deadline, Date.now() + 5 * minuteMs)
    await all(4, (store) => store.settleDue(claim))
    const kept: (string | undefined)[] = []
    for await (const page of at(0).listDue()) kept.push(...page.map(({ launch }) => launch))
    t.ok(kept.includes(deadline.launch), 'a claim that ran out removes nothing')
  },

  bffReplaceDraft: async (t, { at, all }) => {
    const name = id()
    await at(0).replaceDraft(name, undefined, '0', minuteMs)
    await all(12, (store) =>
      addOne(
        async () => Number(await store.readDraft(name)),
        (from) => store.replaceDraft(name, String(from), String(from + 1), minuteMs),
      ),
    )
    t.equal(await at(0).readDraft(name), '12')
  },

  bffCountUp: async (t, { all }) => {
    const name = id()
    const counted = await all(12, (store) => store.countUp(name, minuteMs))
    t.strictSame(
      counted.map(({ count }) => count).toSorted((a, b) => a - b),
      Array.from({ length: 12 }, (_, n) => n + 1),
    )
    t.ok(
      counted.every(({ leftMs }) => leftMs > 0),
      'and the window of each has an end',
    )
  },

  bffAddToIndex: async (t, { at, all }) => {
    const name = id()
    await all(12, (store, n) => store.addToIndex(name, { session: id(), launch: `l${n}` }, later()))
    t.equal((await at(0).listIndex(name)).length, 12)
  },

  bffKeepCheckpoint: async (t, { at, all }) => {
    const instance = id()
    await all(12, (store, n) => store.keepCheckpoint(instance, `${instance}\n${n}\nhash`))
    const notes = (await at(0).listCheckpoints()).filter((note) => note.startsWith(instance))
    t.ok(notes.includes(`${instance}\n11\nhash`), 'the highest is not overwritten')
  },

  bffAddAuditBatches: async (t, { at, all }) => {
    const mark = id()
    const batch = (text: string) => ({ text: `${mark} ${text}`, lines: 1 })
    await all(12, (store, n) => store.addAuditBatches([batch(`${n}a`), batch(`${n}b`)], 10_000))
    const entries = await at(0).readAuditBatches(undefined, 10_000)
    t.equal(entries.filter(({ text }) => text.startsWith(mark)).length, 24)
  },

  bffAddToMatrix: async (t, { at, all }) => {
    const of = { tenant: id(), mode: 'chart' }
    await all(12, (store, n) =>
      store.addToMatrix(
        of,
        new Map([
          ['a', 1],
          [`b${n % 2}`, n],
        ]),
        minuteMs,
      ),
    )
    t.strictSame(Object.fromEntries(await at(0).readMatrix(of)), { a: 12, b0: 30, b1: 36 })
  },
}

/** Those who read, wait and write under the lease lose nothing, because they do so one at a time. */
async function exclusive(
  t: Test,
  { at, all }: Views,
  inside: (store: Store, name: string, holder: string) => Promise<boolean>,
): Promise<void> {
  const [name, draft] = [id(), id()]
  await at(0).replaceDraft(draft, undefined, '0', minuteMs)
  await all(8, async (store, n) => {
    const holder = `holder-${n}`
    while (!(await store.acquireLease(name, holder, minuteMs))) {
      await store.releaseLease(name, holder)
    }
    const read = await store.readDraft(draft)
    t.ok(await inside(store, name, holder))
    t.ok(await store.replaceDraft(draft, read, String(Number(read ?? 0) + 1), minuteMs))
    await store.releaseLease(name, holder)
  })
  t.equal(await at(0).readDraft(draft), '8')
}

t.test('no script loses an update', async (t) => {
  const redis = await startRedis()
  const stores = Array.from({ length: 4 }, () =>
    createRedisStore({ config: { url: new Secret(redis.url) }, now: Date.now }),
  )
  t.teardown(async () => {
    await Promise.all(stores.map((store) => store.close()))
    await redis.stop()
  })
  const at = (n: number): Store => {
    const store = stores[n % stores.length]
    if (store === undefined) throw new Error('no store')
    return store
  }
  const views: Views = {
    at,
    all: (count, work) =>
      Promise.all(Array.from({ length: count }, async (_, n) => work(at(n), n))),
  }
  for (const [name, race] of Object.entries(races)) {
    await t.test(name, async (t) => {
      for (let round = 0; round < rounds; round += 1) await race(t, views)
    })
  }
})
