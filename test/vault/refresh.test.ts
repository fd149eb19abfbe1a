import {
  array,
  assert,
  asyncProperty,
  constantFrom,
  integer,
  record as fields,
  scheduler,
} from 'fast-check'
import type { Scheduler } from 'fast-check'
import t from 'tap'
import type { AuditEvent } from '../../src/audit/event.ts'
import { SmartBffError } from '../../src/errors.ts'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import type { LaunchKey, Store } from '../../src/store/store.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import type { LaunchRecord } from '../../src/vault/record.ts'
import { createTokens } from '../../src/vault/refresh.ts'
import type { RefreshLimits } from '../../src/vault/refresh.ts'
import { createVault } from '../../src/vault/vault-store.ts'
import type { OpenLaunch, RefreshOutcome, Tokens } from '../../src/vault/vault.ts'
import { exampleRecord, newId, newKey } from './example.ts'

const start = Date.UTC(2026, 0, 1)
const hourMs = 3_600_000
const keyRing = createKeyRing([newKey('k1')])

/** An EHR that rotates refresh tokens and, as a real one, takes a superseded one for theft. */
function createEhr() {
  const ehr = {
    calls: 0,
    valid: 'refresh-0',
    reused: 0,
    /** How the next calls go; `lost` is carried out but never answered. */
    next: [] as ('refuse' | 'fail' | 'lost' | 'throw')[],
    refresh: async (record: LaunchRecord, maySend = () => true): Promise<RefreshOutcome> => {
      if (!maySend()) return { kind: 'unsent' }
      ehr.calls += 1
      const way = ehr.next.shift()
      if (way === 'throw') throw new Error('text of the EHR')
      if (way === 'fail') return { kind: 'uncertain', reason: 'EHR_TIMEOUT' }
      if (way === 'refuse') return { kind: 'refused', reason: 'invalid_grant' }
      if (record.tokens.refresh !== ehr.valid) {
        ehr.reused += 1
        return { kind: 'refused', reason: 'invalid_grant' }
      }
      ehr.valid = `refresh-${ehr.calls}`
      if (way === 'lost') return { kind: 'uncertain', reason: 'EHR_TIMEOUT' }
      return {
        kind: 'refreshed',
        access: `access-${ehr.calls}`,
        expiresInSeconds: 3600,
        refresh: ehr.valid,
        granted: undefined,
      }
    },
  }
  return ehr
}

async function setUp(
  options: {
    limits?: Partial<RefreshLimits>
    store?: (store: Store) => Store
    wrap?: <A extends unknown[], R>(work: (...args: A) => Promise<R>) => typeof work
  } = {},
) {
  const clock = { time: start }
  const now = (): number => clock.time
  const embedded = createEmbeddedStore({ now })
  const store = options.store?.(embedded) ?? embedded
  const wrap = options.wrap ?? ((work) => work)
  const vault = createVault({
    store,
    keyRing,
    now,
    session: { idleMs: 100 * hourMs, absoluteMs: 100 * hourMs },
  })
  const ehr = createEhr()
  const events: AuditEvent[] = []
  const audit = {
    record: async (event: AuditEvent) => {
      events.push(event)
    },
    healthy: () => true,
    close: async () => undefined,
  }
  const sleep = async (ms: number): Promise<void> => {
    clock.time += ms
    await wrap(() => Promise.resolve())()
  }
  const limits = { ...options.limits }
  const replica = (): Tokens =>
    createTokens({
      vault,
      store,
      refresh: wrap((record, maySend) => ehr.refresh(record, maySend)),
      audit,
      now,
      limits,
      sleep,
    })
  const key: LaunchKey = { session: newId(), launch: newId() }
  await embedded.createSession(key.session, 'blob', start + 100 * hourMs)
  await embedded.createLaunch(key, {
    sealed: keyRing.seal(
      'launch',
      `launch:{${key.session}}:${key.launch}`,
      JSON.stringify(exampleRecord(key.launch, start, { absoluteAt: start + 100 * hourMs })),
    ),
    idleAt: start + 100 * hourMs,
    expiresAt: start + 100 * hourMs,
  })
  const open = async (): Promise<OpenLaunch> => {
    const opening = await vault.open(key)
    if (opening.kind !== 'open') throw new SmartBffError('LAUNCH_ENDED')
    return opening.launch
  }
  return { clock, embedded, vault, ehr, events, key, open, replica }
}

const names = (events: readonly AuditEvent[]): string[] =>
  events.map(({ event, outcome }) => `${event} ${outcome}`)

t.test('a good token is left alone', async (t) => {
  const { ehr, key, open, replica } = await setUp()
  const opened = await open()
  t.equal(await replica().current(key, opened), opened)
  t.equal(ehr.calls, 0)
})

t.test(
  'a token about to expire is refreshed once for all who ask, here and elsewhere',
  async (t) => {
    const { clock, ehr, events, key, open, replica } = await setUp()
    clock.time = start + hourMs - 30_000
    const opened = await open()
    const [one, other] = [replica(), replica()]
    const results = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => (n % 2 === 0 ? one : other).current(key, opened)),
    )
    t.equal(ehr.calls, 1)
    t.strictSame(new Set(results.map(({ record }) => record.tokens.access)), new Set(['access-1']))
    t.match((await open()).record.tokens, { refresh: 'refresh-1' })
    t.strictSame(names(events), ['token.refreshed success'])
    t.notMatch(JSON.stringify(events), /access-|refresh-/)
  },
)

t.test('a 401 refreshes, and a late 401 for the older token gets the newer one', async (t) => {
  const { ehr, key, open, replica } = await setUp()
  const tokens = replica()
  const opened = await open()
  const first = await tokens.afterRefusal(key, opened)
  t.equal(first.record.tokens.access, 'access-1')
  t.equal((await tokens.afterRefusal(key, opened)).record.tokens.access, 'access-1')
  t.equal(ehr.calls, 1)
  t.equal((await tokens.afterRefusal(key, first)).record.tokens.access, 'access-2')
})

t.test('a new token that is refused at once is not replaced again for a while', async (t) => {
  const { clock, ehr, key, open, replica } = await setUp()
  const [one, other] = [replica(), replica()]
  clock.time += 60_000
  const first = await one.afterRefusal(key, await open())
  await one.triedAgain(key, first, 503)
  await one.triedAgain(key, first, 401)
  for (const tokens of [one, other]) {
    t.equal(await tokens.afterRefusal(key, first), first, 'the EHR has said all it has to say')
  }
  clock.time += 29_999
  t.equal(await one.afterRefusal(key, first), first)
  t.equal(await other.afterRefusal(key, first), first)
  await one.triedAgain(key, first, 401)
  t.equal(ehr.calls, 1)
  clock.time += 1
  const second = await other.afterRefusal(key, first)
  t.equal(second.record.tokens.access, 'access-2', 'that the EHR says it again makes it no longer')
  await other.triedAgain(key, second, 401)
  t.equal(await one.afterRefusal(key, second), second)
  t.equal(ehr.calls, 2)
})

t.test(
  'a token that served before it was refused is replaced at once, however young',
  async (t) => {
    const { clock, ehr, key, open, replica, vault } = await setUp()
    const tokens = replica()
    let opened = await open()
    for (const calls of [1, 2, 3]) {
      clock.time += 1
      opened = await tokens.afterRefusal(key, opened)
      t.equal(ehr.calls, calls)
      await tokens.triedAgain(key, opened, 200)
      // Taken back while a slow request was on its second way.
      await tokens.triedAgain(key, opened, 401)
    }
    clock.time += 1
    opened = await tokens.afterRefusal(key, opened)
    t.equal(ehr.calls, 4)
    // What was said of one token says nothing of the next, which another way has brought.
    await tokens.triedAgain(key, opened, 401)
    clock.time += 1
    const { record } = opened
    const brought = { ...record, tokens: { ...record.tokens, access: 'x', receivedAt: clock.time } }
    const newer = await vault.replace(key, opened, brought)
    if (newer === undefined) throw new Error('not written')
    const fifth = await replica().afterRefusal(key, newer)
    t.equal(fifth.record.tokens.access, 'access-5')
    await tokens.triedAgain(key, fifth, 401)
    t.equal(await replica().afterRefusal(key, fifth), fifth)
    // Nor does it matter what is said of one that is not new any more.
    clock.time += 30_000
    await tokens.triedAgain(key, fifth, 401)
    t.equal((await tokens.afterRefusal(key, fifth)).record.tokens.access, 'access-6')
  },
)

t.test('a refusal of the EHR means authorization, and is asked for once', async (t) => {
  const { ehr, events, key, open, replica } = await setUp()
  const tokens = replica()
  const opened = await open()
  ehr.next.push('refuse')
  const both = [tokens.afterRefusal(key, opened), replica().afterRefusal(key, opened)]
  for (const one of both) await t.rejects(one, { code: 'TOKEN_EXPIRED' })
  t.equal(ehr.calls, 1)
  const { record } = await open()
  t.match(record, { state: 'reauth_required', tokens: { refresh: undefined } })
  await t.rejects(async () => tokens.current(key, await open()), { code: 'TOKEN_EXPIRED' })
  t.strictSame(names(events), ['token.refused refused', 'launch.transition refused'])
  t.match(events[0], { state: 'reauth_required', reason: 'invalid_grant' })
})

t.test('without a refresh token the token serves until it expires', async (t) => {
  const { clock, vault, ehr, key, open, replica } = await setUp()
  const { record, ...rest } = await open()
  const bare = { ...record, tokens: { ...record.tokens, refresh: undefined } }
  await vault.replace(key, { record, ...rest }, bare)
  clock.time = start + hourMs - 1
  t.equal((await replica().current(key, await open())).record.tokens.access, 'access-0')
  clock.time += 1
  await t.rejects(async () => replica().current(key, await open()), { code: 'TOKEN_EXPIRED' })
  t.equal(ehr.calls, 0)
  t.equal((await open()).record.state, 'reauth_required')
})

t.test(
  'after an uncertain answer the good token stays in use and the next try waits',
  async (t) => {
    const { clock, ehr, events, key, open, replica } = await setUp()
    const tokens = replica()
    clock.time = start + hourMs - 20_000
    ehr.next.push('fail', 'throw')
    const opened = await open()
    t.equal(await tokens.current(key, opened), opened)
    t.equal(await tokens.current(key, opened), opened)
    t.equal(ehr.calls, 1)
    await t.rejects(tokens.afterRefusal(key, opened), { code: 'EHR_UNREACHABLE' })
    t.equal(ehr.calls, 1)
    clock.time += 5000
    t.equal(await tokens.current(key, opened), opened)
    t.equal(ehr.calls, 2)
    clock.time = start + hourMs
    t.equal((await tokens.current(key, opened)).record.tokens.access, 'access-3')
    t.strictSame(names(events), [
      'token.refused failed',
      'token.refused failed',
      'token.refreshed success',
    ])
  },
)

t.test('an expired token and an uncertain answer: the EHR is unreachable', async (t) => {
  const { clock, ehr, key, open, replica } = await setUp()
  clock.time = start + hourMs
  ehr.next.push('fail')
  await t.rejects(async () => replica().current(key, await open()), { code: 'EHR_UNREACHABLE' })
})

t.test('an answer that was lost on the way ends in authorization', async (t) => {
  const { clock, ehr, key, open, replica } = await setUp({ limits: { backOffMs: 0 } })
  const tokens = replica()
  clock.time = start + hourMs
  ehr.next.push('lost')
  await t.rejects(async () => tokens.current(key, await open()), { code: 'EHR_UNREACHABLE' })
  clock.time += 1
  await t.rejects(async () => tokens.current(key, await open()), { code: 'TOKEN_EXPIRED' })
})

t.test('an end during the token call wins', async (t) => {
  for (const [state, code] of [
    ['ended', 'LAUNCH_ENDED'],
    ['superseded', 'LAUNCH_SUPERSEDED'],
  ] as const) {
    const { vault, ehr, key, open, replica } = await setUp()
    const refresh = ehr.refresh
    ehr.refresh = async (record) => {
      await vault.end(key, state)
      return refresh(record)
    }
    const opened = await open()
    await t.rejects(replica().afterRefusal(key, opened), { code })
    t.strictSame(await vault.open(key), { kind: 'ended', state })
  }
})

t.test('another write during the token call is kept, and so is the new token', async (t) => {
  const { vault, ehr, key, open, replica } = await setUp()
  const refresh = ehr.refresh
  const opened = await open()
  ehr.refresh = async (record) => {
    await vault.replace(key, opened, { ...record, mode: 'changed' })
    return refresh(record)
  }
  t.match(await replica().afterRefusal(key, opened), {
    version: 3,
    record: { mode: 'changed', tokens: { access: 'access-1' } },
  })
})

t.test(
  'a new token that cannot be stored is held, stored later, and its elder never sent again',
  async (t) => {
    let failures = 0
    const { clock, ehr, key, open, replica } = await setUp({
      limits: { leaseMs: 1000, pollMs: 40 },
      store: (store) => ({
        ...store,
        replaceLaunch: async (...args) => {
          failures -= 1
          if (failures >= 0) throw new SmartBffError('STORE_UNAVAILABLE')
          return store.replaceLaunch(...args)
        },
      }),
    })
    const tokens = replica()
    failures = 3
    const opened = await open()
    const first = await tokens.afterRefusal(key, opened)
    t.equal(first.record.tokens.access, 'access-1', 'stored while the lease lasts')
    failures = 1000
    await t.rejects(tokens.afterRefusal(key, first), { code: 'STORE_UNAVAILABLE' })
    t.equal((await open()).record.tokens.access, 'access-1')
    failures = 0
    clock.time += 1000
    t.equal((await tokens.afterRefusal(key, first)).record.tokens.access, 'access-2')
    t.equal(ehr.calls, 2)
    t.equal(ehr.reused, 0)
  },
)

t.test('a write whose answer was lost is recognised', async (t) => {
  let lose = true
  const { ehr, key, open, replica } = await setUp({
    limits: { pollMs: 1 },
    store: (store) => ({
      ...store,
      replaceLaunch: async (...args) => {
        const written = await store.replaceLaunch(...args)
        if (!lose) return written
        lose = false
        throw new SmartBffError('STORE_UNAVAILABLE')
      },
    }),
  })
  t.match(await replica().afterRefusal(key, await open()), {
    version: 2,
    record: { tokens: { access: 'access-1' } },
  })
  t.equal(ehr.calls, 1)
})

t.test('an EHR that bears no quick refreshes is not asked again', async (t) => {
  const { clock, ehr, key, open, replica } = await setUp({
    limits: { minIntervalMs: (tenant) => (tenant === 'north' ? 60_000 : 0) },
  })
  const opened = await open()
  await t.rejects(replica().afterRefusal(key, opened), { code: 'EHR_UNREACHABLE' })
  t.equal(ehr.calls, 0)
  clock.time += 60_000
  t.equal((await replica().afterRefusal(key, opened)).record.tokens.access, 'access-1')
})

t.test('a holder that died is waited for, then passed over when its lease ends', async (t) => {
  const { embedded, clock, ehr, key, open, replica } = await setUp()
  const opened = await open()
  await embedded.acquireLease(`refresh:{${key.session}}:${key.launch}`, 'dead', 30_000)
  await t.rejects(replica().afterRefusal(key, opened), { code: 'EHR_UNREACHABLE' })
  clock.time = start + 30_000
  t.equal((await replica().afterRefusal(key, opened)).record.tokens.access, 'access-1')
  t.equal(ehr.calls, 1)
})

t.test('in the last fifth of its life a token is renewed while nobody waits', async (t) => {
  const { clock, ehr, key, open, replica } = await setUp()
  clock.time = start + 0.8 * hourMs
  const opened = await open()
  const tokens = replica()
  t.equal(await tokens.current(key, opened), opened, 'the good one serves at once')
  while ((await open()).version === 1) await new Promise(setImmediate)
  t.equal(ehr.calls, 1)
  t.equal((await tokens.current(key, await open())).record.tokens.access, 'access-1')
  t.equal(ehr.calls, 1)
})

t.test('after an uncertain answer no replica asks again for a while', async (t) => {
  const { clock, ehr, key, open, replica } = await setUp()
  ehr.next.push('fail', 'fail', 'fail')
  const opened = await open()
  const replicas = [replica(), replica(), replica()]
  for (let storm = 0; storm < 3; storm += 1) {
    const asked = replicas.flatMap((tokens) =>
      Array.from({ length: 10 }, () => tokens.afterRefusal(key, opened)),
    )
    for (const one of asked) await t.rejects(one, { code: 'EHR_UNREACHABLE' })
    t.equal(ehr.calls, 1)
    clock.time += 1000
  }
  clock.time += 3000
  await t.rejects(replica().afterRefusal(key, opened), { code: 'EHR_UNREACHABLE' })
  t.equal(ehr.calls, 2)
})

t.test('whoever has lost the lease writes nothing', async (t) => {
  const { clock, embedded, ehr, key, open, replica } = await setUp()
  const opened = await open()
  const refresh = ehr.refresh
  ehr.refresh = async (record) => {
    const outcome = await refresh(record)
    // The process stood still for longer than its lease, and another one has it now.
    clock.time += hourMs
    await embedded.acquireLease(`refresh:{${key.session}}:${key.launch}`, 'other', 5000)
    return outcome
  }
  const slow = replica()
  await t.rejects(slow.afterRefusal(key, opened), { code: 'EHR_UNREACHABLE' })
  t.match(await open(), { version: 1, record: { tokens: { access: 'access-0' } } })

  clock.time += 5001
  ehr.refresh = refresh
  t.equal((await slow.afterRefusal(key, opened)).record.tokens.access, 'access-1')
  t.match(ehr, { calls: 1, reused: 0 }, 'what the other did not change is stored after all')
})

t.test('whoever stood still until his lease was over sends nothing', async (t) => {
  const { promise: going, resolve: goOn } = Promise.withResolvers<void>()
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
  let standStill = true
  const { clock, ehr, key, open, replica } = await setUp({
    store: (store) => ({
      ...store,
      readLease: async (name) => {
        const held = await store.readLease(name)
        if (standStill && name.startsWith('pause:')) {
          standStill = false
          reach()
          await going
        }
        return held
      },
    }),
  })
  const opened = await open()
  const slow = replica().afterRefusal(key, opened)
  const refused = t.rejects(slow, { code: 'EHR_UNREACHABLE' })
  await reached
  clock.time += 20_000
  t.equal((await replica().afterRefusal(key, opened)).record.tokens.access, 'access-1')
  goOn()
  await refused
  t.match(ehr, { calls: 1, reused: 0 }, 'a superseded token is never sent again')
  t.match(await open(), { record: { state: 'active', tokens: { access: 'access-1' } } })
})

t.test('a lease that ran out and was nobody’s is taken again', async (t) => {
  const { clock, ehr, key, open, replica } = await setUp()
  const refresh = ehr.refresh
  ehr.refresh = async (record) => {
    clock.time += hourMs / 2
    return refresh(record)
  }
  t.equal((await replica().afterRefusal(key, await open())).record.tokens.access, 'access-1')
})

t.test('the lease is renewed while the token call runs', async (t) => {
  const store = createEmbeddedStore({ now: Date.now })
  const vault = createVault({
    store,
    keyRing,
    now: Date.now,
    session: { idleMs: hourMs, absoluteMs: hourMs },
  })
  const ehr = createEhr()
  const key: LaunchKey = { session: newId(), launch: newId() }
  await store.createSession(key.session, 'blob', Date.now() + hourMs)
  await vault.create(key, exampleRecord(key.launch, Date.now()))
  const audit = { record: async () => undefined, healthy: () => true, close: async () => undefined }
  const replica = (): Tokens =>
    createTokens({
      vault,
      store,
      audit,
      now: Date.now,
      limits: { leaseMs: 900, pollMs: 20 },
      refresh: async (record) => {
        const outcome = await ehr.refresh(record)
        await new Promise((resolve) => setTimeout(resolve, 2400))
        return outcome
      },
    })
  const opening = await vault.open(key)
  if (opening.kind !== 'open') throw new Error('not open')
  const results = await Promise.all(
    [replica(), replica()].map((tokens) => tokens.afterRefusal(key, opening.launch)),
  )
  t.match(ehr, { calls: 1, reused: 0 })
  t.strictSame(
    results.map(({ record }) => record.tokens.access),
    ['access-1', 'access-1'],
  )
})

t.test('no order of events spends a token twice, revives a launch or loses a winner', async () => {
  const way = constantFrom('good', 'good', 'fail', 'refuse')
  const plan = fields({
    replicas: integer({ min: 1, max: 4 }),
    requests: integer({ min: 2, max: 12 }),
    end: constantFrom('never', 'never', 'meanwhile'),
    stall: constantFrom(false, false, true),
    faults: array(constantFrom('none', 'none', 'none', 'before', 'after'), { maxLength: 16 }),
    ways: fields({ first: way, second: way }),
  })
  await assert(
    asyncProperty(scheduler(), plan, (s, plan) => playOut(s, plan)),
    { numRuns: 200 },
  )
})

async function playOut(
  s: Scheduler,
  plan: {
    replicas: number
    requests: number
    end: string
    stall: boolean
    /** Of the store's answers, in the order of the calls: lost before it was carried out, or after. */
    faults: readonly string[]
    ways: { first: string; second: string }
  },
): Promise<void> {
  const faults: string[] = []
  const lossy = <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
    wrap(async (...args: A): Promise<R> => {
      const fault = faults.shift()
      if (fault === 'before') throw new SmartBffError('STORE_UNAVAILABLE')
      const result = await work(...args)
      if (fault === 'after') throw new SmartBffError('STORE_UNAVAILABLE')
      return result
    })
  const wrap = <A extends unknown[], R>(work: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      await s.schedule(Promise.resolve())
      const result = await work(...args)
      await s.schedule(Promise.resolve())
      return result
    }
  }
  const parts = await setUp({
    wrap,
    limits: { leaseMs: hourMs / 6, waitMs: 30_000, patienceMs: 30_000, pollMs: 1000 },
    store: (store) => ({
      ...store,
      readLaunch: lossy((...args: Parameters<Store['readLaunch']>) => store.readLaunch(...args)),
      replaceLaunch: lossy(async (...args: Parameters<Store['replaceLaunch']>) => {
        const [, , , lease] = args
        const holder = lease === undefined ? undefined : await store.readLease(lease.name)
        const written = await store.replaceLaunch(...args)
        if (written && holder !== lease?.holder) throw new Error('a commit without the lease')
        return written
      }),
      acquireLease: lossy((...args: Parameters<Store['acquireLease']>) =>
        store.acquireLease(...args),
      ),
      releaseLease: lossy((...args: Parameters<Store['releaseLease']>) =>
        store.releaseLease(...args),
      ),
      renewLease: lossy((...args: Parameters<Store['renewLease']>) => store.renewLease(...args)),
      readLease: lossy((...args: Parameters<Store['readLease']>) => store.readLease(...args)),
      endLaunch: wrap((...args: Parameters<Store['endLaunch']>) => store.endLaunch(...args)),
    }),
  })
  const { ehr, key, vault } = parts
  for (const way of [plan.ways.first, plan.ways.second]) {
    if (way === 'fail' || way === 'refuse') ehr.next.push(way)
    else break
  }
  if (plan.stall) {
    // One process stands still during its token call, for longer than its lease.
    const refresh = ehr.refresh
    let stalled = false
    ehr.refresh = async (record) => {
      const outcome = await refresh(record)
      if (!stalled) parts.clock.time += 11 * hourMs
      stalled = true
      return outcome
    }
  }
  const opening = await s.waitFor(vault.open(key))
  if (opening.kind !== 'open') throw new Error('not open')
  faults.push(...plan.faults)
  const replicas = Array.from({ length: plan.replicas }, parts.replica)
  const work = Array.from({ length: plan.requests }, async (_, n) =>
    replicas[n % plan.replicas]?.afterRefusal(key, opening.launch),
  )
  const ending = plan.end === 'meanwhile' ? [vault.end(key, 'ended')] : []
  const [results] = await s.waitFor(Promise.all([Promise.allSettled(work), Promise.all(ending)]))

  const allowed = new Set(['TOKEN_EXPIRED', 'LAUNCH_ENDED', 'EHR_UNREACHABLE'])
  const whole = plan.faults.every((fault) => fault === 'none')
  if (!whole) allowed.add('STORE_UNAVAILABLE')
  faults.length = 0
  for (const result of results) {
    if (result.status === 'fulfilled') {
      if (result.value?.record.tokens.access === 'access-0') throw new Error('the refused token')
    } else if (!(result.reason instanceof SmartBffError && allowed.has(result.reason.code))) {
      throw result.reason
    }
  }
  if (ehr.reused > 0 && !plan.stall) throw new Error('a superseded refresh token was sent')
  const after = await s.waitFor(vault.open(key))
  if (plan.end === 'meanwhile' && after.kind !== 'ended') throw new Error('the launch came back')
  if (plan.end !== 'never' || plan.ways.first !== 'good' || plan.stall) return
  if (whole) {
    if (ehr.calls !== 1) throw new Error(`${ehr.calls} refreshes`)
    if (results.some(({ status }) => status === 'rejected')) throw new Error('a winner was lost')
  }
  // The store is well again and every lease is over: no launch was lost on the way.
  parts.clock.time += 11 * hourMs
  for (const replica of replicas) {
    const got = await s.waitFor(replica.afterRefusal(key, opening.launch))
    if (got.record.tokens.refresh !== ehr.valid) throw new Error('not the newest token')
  }
  if (ehr.calls !== 1 || ehr.reused > 0) throw new Error(`${ehr.calls} refreshes after all`)
}
