import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import type { Change, LaunchKey, NewLaunch, Store } from '../../src/store/store.ts'

/** What every Store must do. Run on each implementation; `pass` lets real or controlled time go by. */
export interface StoreUnderTest {
  /** Two views on the same data, as two processes have them (the embedded store has one). */
  readonly store: Store
  readonly other: Store
  readonly now: () => number
  readonly pass: (ms: number) => Promise<void>
}

export async function storeContract(
  t: Test,
  start: (t: Test) => Promise<StoreUnderTest>,
): Promise<void> {
  const underTest = await start(t)
  await t.test('pending authorizations', (t) => pendingContract(t, underTest))
  await t.test('bindings', (t) => bindingContract(t, underTest))
  await t.test('sessions', (t) => sessionContract(t, underTest))
  await t.test('launches', (t) => launchContract(t, underTest))
  await t.test('the end of a session', (t) => endContract(t, underTest))
  await t.test('drafts', (t) => draftContract(t, underTest))
  await t.test('what writes need', (t) => writesContract(t, underTest))
  await t.test('counters', (t) => countContract(t, underTest))
  await t.test('leases', (t) => leaseContract(t, underTest))
  await t.test('activity', (t) => touchContract(t, underTest))
  await t.test('deadlines', (t) => dueContract(t, underTest))
  await t.test('indexes', (t) => indexContract(t, underTest))
  await t.test('the matrix', (t) => matrixContract(t, underTest))
  await t.test('copies of the audit', (t) => auditContract(t, underTest))
  await t.test('the link', (t) => linkContract(t, underTest))
  await t.test('check', async () => underTest.store.check())
}

const id = (): string => randomBytes(32).toString('base64url')
const minuteMs = 60_000

async function pendingContract(t: Test, { store, other, pass }: StoreUnderTest): Promise<void> {
  await t.test('is taken once', async (t) => {
    const state = id()
    await store.putPending(state, 'sealed', minuteMs)
    const taken = await Promise.all(
      Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? store : other).takePending(state)),
    )
    t.strictSame(
      taken.filter((value) => value !== undefined),
      ['sealed'],
    )
    t.equal(await store.takePending(state), undefined)
  })

  await t.test('an unknown one is undefined', async (t) => {
    t.equal(await store.takePending(id()), undefined)
  })

  await t.test('expires', async (t) => {
    const state = id()
    await store.putPending(state, 'sealed', 50)
    await pass(80)
    t.equal(await store.takePending(state), undefined)
  })
}

const ask = (pendingHashes: string[], sealedSession: string, over?: string) => ({
  pendingHashes,
  sealedSession,
  over,
  lifeMs: minuteMs,
})

async function bindingContract(t: Test, { store, other, pass }: StoreUnderTest): Promise<void> {
  await t.test(
    'six callbacks at the same instant, each with all six cookies, join one',
    async (t) => {
      const cookies = Array.from({ length: 6 }, id)
      const joined = await Promise.all(
        cookies.map((_, n) => (n % 2 === 0 ? store : other).joinBindings(ask(cookies, `own-${n}`))),
      )
      t.equal(new Set(joined).size, 1)
      t.equal(await store.joinBindings(ask([cookies[3] ?? ''], 'later')), joined[0])
    },
  )

  await t.test('cookies that overlap chain to one session', async (t) => {
    const [a, b, c] = [id(), id(), id()]
    t.equal(await store.joinBindings(ask([a, b], 'one')), 'one')
    t.equal(await store.joinBindings(ask([b, c], 'two')), 'one')
    t.equal(await store.joinBindings(ask([c], 'three')), 'one')
  })

  await t.test('a binding that gives way is replaced once', async (t) => {
    const [a, b] = [id(), id()]
    await store.joinBindings(ask([a], 'old'))
    t.equal(await store.joinBindings(ask([a, b], 'new', 'old')), 'new')
    t.equal(await store.joinBindings(ask([a], 'other', 'old')), 'new')
    t.equal(await store.joinBindings(ask([b], 'other', 'old')), 'new')
  })

  await t.test('one that gives way does not hide another', async (t) => {
    const [a, b] = [id(), id()]
    await store.joinBindings(ask([a], 'old'))
    await store.joinBindings(ask([b], 'new'))
    t.equal(await store.joinBindings(ask([a, b], 'other', 'old')), 'new')
    t.equal(await store.joinBindings(ask([a], 'other')), 'new')
  })

  await t.test('without cookies the own session is the answer', async (t) => {
    t.equal(await store.joinBindings(ask([], 'own')), 'own')
  })

  await t.test('expires', async (t) => {
    const cookie = id()
    await store.joinBindings({ ...ask([cookie], 'old'), lifeMs: 50 })
    await pass(80)
    t.equal(await store.joinBindings(ask([cookie], 'new')), 'new')
  })
}

async function sessionContract(
  t: Test,
  { store, other, now, pass }: StoreUnderTest,
): Promise<void> {
  await t.test('is created once, read and changed', async (t) => {
    const session = id()
    t.equal(await store.readSession(session), undefined)
    const created = await Promise.all([
      store.createSession(session, 'a', now() + minuteMs),
      other.createSession(session, 'b', now() + minuteMs),
    ])
    t.equal(created.filter(Boolean).length, 1)
    const held = (await other.readSession(session)) ?? ''
    t.equal(await store.replaceSession(session, held, 'c', now() + minuteMs), true)
    t.equal(await other.readSession(session), 'c')
  })

  await t.test('a change never creates', async (t) => {
    const session = id()
    t.equal(await store.replaceSession(session, 'a', 'x', now() + minuteMs), false)
    t.equal(await store.readSession(session), undefined)
  })

  await t.test('a change of what was read is written only onto what was read', async (t) => {
    const session = id()
    const until = now() + minuteMs
    await store.createSession(session, 'a', until)
    const written = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        (n % 2 === 0 ? store : other).replaceSession(session, 'a', `b-${n}`, until),
      ),
    )
    t.equal(written.filter(Boolean).length, 1)
    t.equal(await store.replaceSession(session, 'a', 'late', until), false)
    await store.endSession(session, 'ended')
    t.equal(await store.replaceSession(session, '', 'late', until), false)
    t.equal(await store.replaceSession(id(), '', 'new', until), false)
    t.equal(await store.readSession(session), undefined)
  })

  await t.test('expires, and may then be created', async (t) => {
    const session = id()
    await store.createSession(session, 'a', now() + 50)
    await pass(80)
    t.equal(await store.readSession(session), undefined)
    t.equal(await store.replaceSession(session, 'a', 'b', now() + minuteMs), false)
    t.equal(await store.createSession(session, 'c', now() + minuteMs), true)
  })

  await t.test('once ended it is never created or changed again', async (t) => {
    const session = id()
    await store.createSession(session, 'a', now() + minuteMs)
    t.strictSame(await store.endSession(session, 'ended'), [])
    t.equal(await other.readSession(session), undefined)
    t.equal(await other.replaceSession(session, 'a', 'late', now() + minuteMs), false)
    t.equal(await other.createSession(session, 'late', now() + minuteMs), false)
    t.equal(await store.readSession(session), undefined)
  })

  await t.test('ending one that never was also bars its creation', async (t) => {
    const session = id()
    await store.endSession(session, 'ended')
    t.equal(await store.createSession(session, 'late', now() + minuteMs), false)
  })
}

const newLaunch = (now: number, sealed = 'v1'): NewLaunch => ({
  sealed,
  idleAt: now + minuteMs,
  expiresAt: now + 10 * minuteMs,
})

async function launched({ store, now }: StoreUnderTest): Promise<LaunchKey & { at: number }> {
  const key = { session: id(), launch: id() }
  const at = now()
  await store.createSession(key.session, 'blob', at + minuteMs)
  await store.createLaunch(key, newLaunch(at))
  return { ...key, at }
}

async function launchContract(t: Test, underTest: StoreUnderTest): Promise<void> {
  const { store, other, now, pass } = underTest

  await t.test('needs a session and is created once', async (t) => {
    const key = { session: id(), launch: id() }
    t.equal(await store.createLaunch(key, newLaunch(now())), false)
    t.equal(await store.readLaunch(key), undefined)
    await store.createSession(key.session, 'blob', now() + minuteMs)
    const at = now()
    t.equal(await store.createLaunch(key, newLaunch(at)), true)
    t.equal(await store.createLaunch(key, newLaunch(at, 'second')), false)
    t.strictSame(await other.readLaunch(key), {
      sealed: 'v1',
      version: 1,
      idleAt: at + minuteMs,
      ended: '',
    })
    t.strictSame(await other.listLaunches(key.session), [key.launch])
  })

  await t.test('is found under its own session only', async (t) => {
    const key = await launched(underTest)
    t.equal(await store.readLaunch({ session: id(), launch: key.launch }), undefined)
  })

  await t.test('prolongs its session', async (t) => {
    const key = { session: id(), launch: id() }
    await store.createSession(key.session, 'blob', now() + 500)
    await store.createLaunch(key, newLaunch(now()))
    t.equal(await store.replaceSession(key.session, 'blob', 'changed', now() + 50), true)
    await pass(600)
    t.equal(await store.readSession(key.session), 'changed')
  })

  await t.test('of many writers of one version one succeeds', async (t) => {
    const key = await launched(underTest)
    const written = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        (n % 2 === 0 ? store : other).replaceLaunch(key, 1, `writer-${n}`),
      ),
    )
    t.equal(written.filter(Boolean).length, 1)
    const stored = await store.readLaunch(key)
    t.equal(stored?.version, 2)
    t.equal(stored?.sealed, `writer-${written.indexOf(true)}`)
  })

  await t.test('no update is lost when all read, add and write again', async (t) => {
    const key = await launched(underTest)
    await store.replaceLaunch(key, 1, '0')
    const add = async (view: Store): Promise<void> => {
      const held = await view.readLaunch(key)
      const next = String(Number(held?.sealed) + 1)
      if (!(await view.replaceLaunch(key, held?.version ?? 0, next))) await add(view)
    }
    await Promise.all(Array.from({ length: 12 }, (_, n) => add(n % 2 === 0 ? store : other)))
    t.match(await store.readLaunch(key), { sealed: '12', version: 14 })
  })

  await t.test('under a lease only its holder writes', async (t) => {
    const key = await launched(underTest)
    const lease = { name: `test:{${key.session}}:${key.launch}`, holder: 'me' }
    t.equal(await store.replaceLaunch(key, 1, 'no lease', lease), false)
    await store.acquireLease(lease.name, 'me', minuteMs)
    t.equal(await store.replaceLaunch(key, 1, 'mine', lease), true)
    t.equal(await other.replaceLaunch(key, 2, 'yours', { ...lease, holder: 'you' }), false)
    t.match(await other.readLaunch(key), { sealed: 'mine', version: 2 })
  })

  await t.test('keeps every byte of what is sealed', async (t) => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('latin1')
    const [turned, more] = [bytes.split('').toReversed().join(''), bytes + bytes]
    const key = { session: id(), launch: id() }
    const beside = { ...key, launch: id() }
    await store.createSession(key.session, 'blob', now() + minuteMs)
    await store.createLaunch(key, newLaunch(now(), bytes))
    await store.createLaunch(beside, newLaunch(now(), more))
    t.equal((await other.readLaunch(key))?.sealed, bytes)
    t.equal(await store.replaceLaunch(key, 1, turned), true)
    t.equal((await other.readLaunch(key))?.sealed, turned)
    t.equal((await other.endLaunch(key, 'ended'))?.sealed, turned)
    const [last] = await other.endSession(key.session, 'ended')
    t.match(last, { launch: beside.launch, sealed: more })
  })

  await t.test('a write never creates', async (t) => {
    const key = { session: id(), launch: id() }
    t.equal(await store.replaceLaunch(key, 1, 'x'), false)
    t.equal(await store.readLaunch(key), undefined)
  })

  await t.test('is ended once, answers what it held, and no write brings it back', async (t) => {
    const key = await launched(underTest)
    const ended = await Promise.all([
      store.endLaunch(key, 'superseded'),
      other.endLaunch(key, 'revoked'),
    ])
    const first = ended.findIndex((value) => value !== undefined)
    t.strictSame(
      ended.filter((value) => value !== undefined),
      [{ sealed: 'v1', version: 1, idleAt: key.at + minuteMs, ended: '' }],
    )
    const stored = await store.readLaunch(key)
    t.match(stored, { sealed: '', ended: first === 0 ? 'superseded' : 'revoked' })
    t.equal(await other.replaceLaunch(key, 1, 'late'), false)
    t.equal(await other.replaceLaunch(key, stored?.version ?? 0, 'late'), false)
    t.equal(await other.createLaunch(key, newLaunch(now())), false)
    t.strictSame(await store.listLaunches(key.session), [])
  })

  await t.test('an end stands with what it held and its note until it has been told', async (t) => {
    const key = await launched(underTest)
    t.equal(await store.readUntold(key), undefined, 'it lives')
    await store.endLaunch(key, 'superseded', 'why')
    const untold = { ended: 'superseded', sealed: 'v1', note: 'why' }
    t.strictSame(await other.readUntold(key), untold)
    await store.endLaunch(key, 'ended', 'again')
    t.strictSame(await other.readUntold(key), untold, 'the first end counts')
    await other.schedule(key, now() - 1)
    await other.settleEnd(key)
    t.equal(await store.readUntold(key), undefined)
    t.match(await store.readLaunch(key), { sealed: '', ended: 'superseded' })
    const due = await store.claimDue({ limit: 1000, hideMs: 1 })
    t.notOk(
      due.some(({ launch }) => launch === key.launch),
      'nor is it visited again',
    )
    await other.settleEnd(key)

    const second = await launched(underTest)
    await store.endSession(second.session, 'ended', 'all')
    t.strictSame(await other.readUntold(second), { ended: 'ended', sealed: 'v1', note: 'all' })
    const missing = { session: id(), launch: id() }
    await store.settleEnd(missing)
    t.equal(await other.readUntold(missing), undefined)
    t.equal(await other.readLaunch(missing), undefined)
  })

  await t.test('ending an unknown one changes nothing', async (t) => {
    const key = { session: id(), launch: id() }
    t.equal(await store.endLaunch(key, 'ended'), undefined)
    t.equal(await store.readLaunch(key), undefined)
  })

  await t.test('one that may not have been created yet is not created any more', async (t) => {
    const key = { session: id(), launch: id() }
    await store.createSession(key.session, 'blob', now() + minuteMs)
    t.equal(await store.endLaunch(key, 'ended', 'why', 'unborn'), undefined)
    t.equal(await other.createLaunch(key, newLaunch(now())), false)
    t.match(await other.readLaunch(key), { sealed: '', ended: 'ended' })
    t.equal(await store.readUntold(key), undefined, 'and nothing is to be told of it')
    t.strictSame(await store.listLaunches(key.session), [])
    t.equal(await store.createLaunch({ ...key, launch: id() }, newLaunch(now())), true)

    const created = await launched(underTest)
    const held = await store.endLaunch(created, 'ended', 'why', 'unborn')
    t.match(held, { sealed: 'v1', ended: '' }, 'one that was created ends as any other')
    t.match(await other.readUntold(created), { note: 'why' })
  })
}

async function endContract(t: Test, underTest: StoreUnderTest): Promise<void> {
  const { store, other, now } = underTest

  await t.test('ends every live launch and answers what they held', async (t) => {
    const key = await launched(underTest)
    const [second, gone] = [id(), id()]
    await store.createLaunch({ ...key, launch: second }, newLaunch(key.at, 'v2'))
    await store.createLaunch({ ...key, launch: gone }, newLaunch(key.at, 'v3'))
    await store.endLaunch({ ...key, launch: gone }, 'superseded')

    const held = await other.endSession(key.session, 'revoked')
    const idleAt = key.at + minuteMs
    t.strictSame(
      [...held].toSorted((one, two) => one.sealed.localeCompare(two.sealed)),
      [
        { launch: key.launch, sealed: 'v1', version: 1, idleAt, ended: '' },
        { launch: second, sealed: 'v2', version: 1, idleAt, ended: '' },
      ],
    )
    t.match(await store.readLaunch(key), { sealed: '', ended: 'revoked' })
    t.match(await store.readLaunch({ ...key, launch: second }), { sealed: '', ended: 'revoked' })
    t.match(await store.readLaunch({ ...key, launch: gone }), { ended: 'superseded' })
    t.strictSame(await store.listLaunches(key.session), [])
    t.strictSame(await store.endSession(key.session, 'ended'), [])
  })

  await t.test('its own end stands with its note until it has been told', async (t) => {
    const key = await launched(underTest)
    const { session } = key
    t.equal(await store.readUntoldSession(session), undefined, 'it lives')
    await store.endSession(session, 'ended', 'why')
    const untold = { ended: 'ended', note: 'why', launches: 1 }
    t.strictSame(await other.readUntoldSession(session), untold)
    await other.endSession(session, 'revoked', 'again')
    t.strictSame(await store.readUntoldSession(session), untold, 'the first end counts')
    await other.schedule({ session, launch: undefined }, now() - 1)
    await store.settleEnd({ session, launch: undefined })
    t.equal(await other.readUntoldSession(session), undefined)
    t.match(await store.readUntold(key), { note: 'why' }, 'its launches are told of by themselves')
    const due = await store.claimDue({ limit: 1000, hideMs: 1 })
    t.notOk(
      due.some((one) => one.session === session && one.launch === undefined),
      'nor is it visited again',
    )
    t.equal(await store.createSession(session, 'blob', now() + minuteMs), false, 'it stays ended')
    const missing = id()
    await store.endSession(missing, 'ended', 'why')
    t.equal(await store.readUntoldSession(missing), undefined, 'nothing ended')
    await store.settleEnd({ session: missing, launch: undefined })
  })

  await t.test('afterwards nothing is created or written in it', async (t) => {
    const key = await launched(underTest)
    await store.endSession(key.session, 'ended')
    t.equal(await other.createLaunch({ ...key, launch: id() }, newLaunch(now())), false)
    t.equal(await other.replaceLaunch(key, 1, 'late'), false)
  })

  await t.test(
    'launches created at the same instant are ended or refused, never left',
    async (t) => {
      const session = id()
      await store.createSession(session, 'blob', now() + minuteMs)
      const launches = Array.from({ length: 10 }, id)
      const create = launches.map((launch, n) =>
        (n % 2 === 0 ? store : other).createLaunch({ session, launch }, newLaunch(now())),
      )
      const [held, ...created] = await Promise.all([other.endSession(session, 'ended'), ...create])
      t.equal(held.length, created.filter(Boolean).length)
      for (const launch of launches) {
        const stored = await store.readLaunch({ session, launch })
        t.ok(stored === undefined || stored.ended === 'ended')
      }
    },
  )
}

async function draftContract(t: Test, { store, other, pass }: StoreUnderTest): Promise<void> {
  await t.test('of many writers who have read the same one succeeds', async (t) => {
    const name = id()
    t.equal(await store.readDraft(name), undefined)
    t.equal(await store.replaceDraft(name, 'what is not there', 'x', minuteMs), false)
    const written = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        (n % 2 === 0 ? store : other).replaceDraft(name, undefined, `writer-${n}`, minuteMs),
      ),
    )
    t.equal(written.filter(Boolean).length, 1)
    const held = await other.readDraft(name)
    t.equal(held, `writer-${written.indexOf(true)}`)
    t.equal(await store.replaceDraft(name, held, 'later', minuteMs), true)
    t.equal(await store.replaceDraft(name, held, 'too late', minuteMs), false)
    t.equal(await other.readDraft(name), 'later')
  })

  await t.test('expires', async (t) => {
    const name = id()
    await store.replaceDraft(name, undefined, 'one', 50)
    await pass(80)
    t.equal(await store.readDraft(name), undefined)
    t.equal(await store.replaceDraft(name, undefined, 'two', minuteMs), true)
  })
}

async function writesContract(t: Test, { store, other, pass }: StoreUnderTest): Promise<void> {
  await t.test('of many repeats of one write one is the first', async (t) => {
    const [session, name] = [id(), id()]
    const claims = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        (n % 2 === 0 ? store : other).claimIdempotent(session, name, `claim-${n}`, minuteMs),
      ),
    )
    const first = claims.indexOf(undefined)
    t.equal(claims.filter((held) => held === undefined).length, 1)
    t.ok(claims.every((held, n) => n === first || held === `claim-${first}`))
    t.equal(await store.claimIdempotent(id(), name, 'x', minuteMs), undefined, 'another session')
    await store.putIdempotent(session, name, 'result', minuteMs)
    t.equal(await other.claimIdempotent(session, name, 'x', minuteMs), 'result')
    await store.deleteIdempotent(session, name, 'another')
    t.equal(await other.claimIdempotent(session, name, 'x', minuteMs), 'result', 'only what it is')
    await store.deleteIdempotent(session, name, 'result')
    t.equal(await other.claimIdempotent(session, name, 'x', minuteMs), undefined)
    await store.deleteIdempotent(session, name, 'x')
    t.equal(await other.claimIdempotent(session, name, 'x', 50), undefined)
    await pass(80)
    t.equal(await other.claimIdempotent(session, name, 'y', minuteMs), undefined)
  })

  await t.test('a confirmation is taken once', async (t) => {
    const of = { session: id(), launch: id() }
    t.equal(await store.takeConfirmation(of), undefined)
    await store.putConfirmation(of, 'older', minuteMs)
    await store.putConfirmation(of, 'newer', minuteMs)
    const taken = await Promise.all(
      Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? store : other).takeConfirmation(of)),
    )
    t.strictSame(
      taken.filter((text) => text !== undefined),
      ['newer'],
    )
    await store.putConfirmation(of, 'late', 50)
    await pass(80)
    t.equal(await other.takeConfirmation(of), undefined)
  })
}

async function countContract(t: Test, { store, other, pass }: StoreUnderTest): Promise<void> {
  await t.test('counts for all, and anew in the next window', async (t) => {
    const name = id()
    const counted = await Promise.all(
      Array.from({ length: 6 }, (_, n) => (n % 2 === 0 ? store : other).countUp(name, 500)),
    )
    t.same(
      counted.map(({ count }) => count).toSorted((a, b) => a - b),
      [1, 2, 3, 4, 5, 6],
    )
    for (const { leftMs } of counted) t.ok(leftMs >= 0 && leftMs <= 500)
    await pass(600)
    t.equal((await store.countUp(name, 60)).count, 1)
  })
}

async function leaseContract(t: Test, { store, other, pass }: StoreUnderTest): Promise<void> {
  await t.test('one holder at a time', async (t) => {
    const name = id()
    const taken = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        (n % 2 === 0 ? store : other).acquireLease(name, `holder-${n}`, minuteMs),
      ),
    )
    t.equal(taken.filter(Boolean).length, 1)
  })

  await t.test('only the holder releases it', async (t) => {
    const name = id()
    await store.acquireLease(name, 'me', minuteMs)
    await other.releaseLease(name, 'you')
    t.equal(await other.acquireLease(name, 'you', minuteMs), false)
    await store.releaseLease(name, 'me')
    t.equal(await other.acquireLease(name, 'you', minuteMs), true)
  })

  await t.test('expires, and a late release leaves the next holder in peace', async (t) => {
    const name = id()
    await store.acquireLease(name, 'me', 50)
    await pass(80)
    t.equal(await other.acquireLease(name, 'you', minuteMs), true)
    await store.releaseLease(name, 'me')
    t.equal(await store.acquireLease(name, 'me', minuteMs), false)
  })

  await t.test('its holder renews it and nobody else', async (t) => {
    const name = id()
    t.equal(await store.readLease(name), undefined)
    await store.acquireLease(name, 'me', 600)
    t.equal(await other.readLease(name), 'me')
    t.equal(await other.renewLease(name, 'you', minuteMs), false)
    t.equal(await store.renewLease(name, 'me', minuteMs), true)
    await pass(700)
    t.equal(await other.acquireLease(name, 'you', minuteMs), false)
    await store.releaseLease(name, 'me')
    t.equal(await store.renewLease(name, 'me', minuteMs), false)
  })
}

async function touchContract(t: Test, underTest: StoreUnderTest): Promise<void> {
  const { store, other, now } = underTest
  const slideOf = (at: number, held = 'blob', blob = 'slid') => ({
    now: at,
    idleAt: at + 5 * minuteMs,
    session: { held, blob, expiresAt: at + minuteMs },
  })

  await t.test('slides the launch and its session, and never back', async (t) => {
    const key = await launched(underTest)
    t.equal(await store.touch(key, slideOf(key.at)), 'touched')
    const slid = { idleAt: key.at + 5 * minuteMs, version: 1, sealed: 'v1' }
    t.match(await other.readLaunch(key), slid)
    t.equal(await other.readSession(key.session), 'slid')
    const earlier = { ...slideOf(key.at, 'slid'), idleAt: key.at + 1 }
    t.equal(await other.touch(key, earlier), 'touched')
    t.match(await store.readLaunch(key), slid)
    t.equal(await store.replaceLaunch(key, 1, 'v2'), true, 'and is in nobody’s way')
  })

  await t.test('a session that has changed meanwhile stays as it is', async (t) => {
    const key = await launched(underTest)
    await other.replaceSession(key.session, 'blob', 'other', now() + minuteMs)
    t.equal(await store.touch(key, slideOf(key.at)), 'session_changed')
    t.equal(await store.readSession(key.session), 'other')
    t.match(await store.readLaunch(key), { idleAt: key.at + minuteMs })
  })

  await t.test('revives nothing', async (t) => {
    const over = await launched(underTest)
    t.equal(await store.touch(over, slideOf(over.at + minuteMs)), 'gone')
    t.match(await store.readLaunch(over), { idleAt: over.at + minuteMs })
    const ended = await launched(underTest)
    await store.endLaunch(ended, 'ended')
    t.equal(await other.touch(ended, slideOf(ended.at)), 'gone')
    const session = await launched(underTest)
    await store.endSession(session.session, 'ended')
    t.equal(await other.touch(session, slideOf(session.at)), 'gone')
    t.equal(await other.touch({ session: id(), launch: id() }, slideOf(now())), 'gone')
    t.equal(await store.readSession(session.session), undefined)
  })
}

async function dueContract(t: Test, { store, other, now, pass }: StoreUnderTest): Promise<void> {
  const ask = { limit: 100, hideMs: 600 }
  const drain = async (): Promise<void> => {
    for (const claim of await store.claimDue({ limit: 1000, hideMs: minuteMs })) {
      await store.settleDue(claim)
    }
  }

  await t.test('of what is due each is claimed once, by one', async (t) => {
    await drain()
    const session = id()
    const launches = Array.from({ length: 20 }, id)
    for (const launch of launches) await store.schedule({ session, launch }, now() - 1000)
    await store.schedule({ session, launch: undefined }, now() - 1000)
    await store.schedule({ session: id(), launch: id() }, now() + minuteMs)
    const claimed = await Promise.all(
      [store, other, store, other].map((view) => view.claimDue({ limit: 10, hideMs: minuteMs })),
    )
    const names = claimed.flat().map(({ launch }) => launch ?? '')
    t.strictSame(names.toSorted(), [...launches, ''].toSorted())
    for (const claim of claimed.flat()) await other.settleDue(claim)
  })

  await t.test('what is claimed and not settled comes back', async (t) => {
    await drain()
    const key = { session: id(), launch: id() }
    await store.schedule(key, now() - 1)
    const [first] = await store.claimDue(ask)
    t.match(first, key)
    t.strictSame(await other.claimDue(ask), [])
    await pass(700)
    const [second] = await other.claimDue({ limit: 100, hideMs: minuteMs })
    t.match(second, key)
    if (first !== undefined) await store.settleDue(first)
    const page = []
    for await (const keys of other.listDue()) page.push(...keys)
    t.ok(
      page.some(({ launch }) => launch === key.launch),
      'who comes late removes nothing',
    )
    if (second !== undefined) await other.settleDue(second, now() - 1)
    const [third] = await store.claimDue(ask)
    t.match(third, key)
    if (third !== undefined) await store.settleDue(third)
    await pass(700)
    t.strictSame(await store.claimDue(ask), [])
  })

  await t.test('a new launch has one, and one that was refused has none', async (t) => {
    const [refused, created] = [id(), id()]
    const session = id()
    await store.createLaunch({ session, launch: refused }, newLaunch(now()))
    await store.createSession(session, 'blob', now() + minuteMs)
    await store.createLaunch({ session, launch: created }, newLaunch(now()))
    t.equal(await store.createLaunch({ session, launch: created }, newLaunch(now())), false)
    const launches: (string | undefined)[] = []
    for await (const keys of other.listDue()) launches.push(...keys.map(({ launch }) => launch))
    t.ok(launches.includes(created))
    t.notOk(launches.includes(refused))
  })
}

async function indexContract(t: Test, { store, other, now, pass }: StoreUnderTest): Promise<void> {
  await t.test('holds launches until their time is over', async (t) => {
    const name = `user:${id()}`
    const [long, short] = [
      { session: id(), launch: id() },
      { session: id(), launch: id() },
    ]
    t.strictSame(await store.listIndex(name), [])
    await store.addToIndex(name, short, now() + 500)
    await other.addToIndex(name, long, now() + minuteMs)
    await other.addToIndex(name, long, now() + minuteMs)
    t.equal((await store.listIndex(name)).length, 2)
    await pass(600)
    const next = { session: id(), launch: id() }
    await store.addToIndex(name, next, now() + minuteMs)
    t.strictSame(
      new Set((await other.listIndex(name)).map(({ launch }) => launch)),
      new Set([long.launch, next.launch]),
    )
  })
}

async function matrixContract(t: Test, { store, other, pass }: StoreUnderTest): Promise<void> {
  await t.test('adds up what every view counts, each mode by itself', async (t) => {
    const chart = { tenant: id(), mode: 'chart' }
    t.equal((await store.readMatrix(chart)).size, 0)
    await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        (n % 2 === 0 ? store : other).addToMatrix(
          chart,
          new Map([
            ['context:patient', 1],
            ['granted:patient/Patient.rs?a=b|c', 2],
          ]),
          minuteMs,
        ),
      ),
    )
    const read = await other.readMatrix(chart)
    t.equal(read.get('context:patient'), 10)
    t.equal(read.get('granted:patient/Patient.rs?a=b|c'), 20)
    t.equal((await store.readMatrix({ ...chart, mode: 'list' })).size, 0)
    await store.addToMatrix(chart, new Map(), minuteMs)
    t.equal((await store.readMatrix(chart)).size, 2)
  })

  await t.test('is gone when nothing was added for its life', async (t) => {
    const key = { tenant: id(), mode: 'chart' }
    await store.addToMatrix(key, new Map([['launches', 1]]), 200)
    await pass(300)
    t.equal((await store.readMatrix(key)).size, 0)
  })
}

async function auditContract(t: Test, { store, other }: StoreUnderTest): Promise<void> {
  const note = (records: number) => `origin\n${records}\nhash\n\nsignature\n`

  await t.test('the newest checkpoint is kept, and one that counts more beside it', async (t) => {
    const [one, two] = [id(), id()]
    for (const count of [5, 7]) t.ok(await store.keepCheckpoint(one, note(count)))
    t.ok(await other.keepCheckpoint(two, note(1)))
    t.strictSame([...(await other.listCheckpoints())].toSorted(), [note(1), note(7)].toSorted())
    await other.keepCheckpoint(one, note(3))
    await other.keepCheckpoint(one, note(4))
    t.strictSame(
      [...(await store.listCheckpoints())].toSorted(),
      [note(1), note(4), note(7)].toSorted(),
    )
  })

  const batch = (text: string, lines = 1) => ({ text, lines })
  const textsOf = (entries: readonly { readonly text: string }[]) => entries.map(({ text }) => text)

  await t.test('lines are read in their order, from where one stopped', async (t) => {
    t.strictSame(await store.readAuditBatches(undefined, 10), [])
    await store.addAuditBatches([], 100)
    await store.addAuditBatches([batch('a'), batch('b')], 100)
    await other.addAuditBatches([batch('c')], 100)
    const first = await other.readAuditBatches(undefined, 2)
    t.strictSame(textsOf(first), ['a', 'b'])
    const rest = await store.readAuditBatches(first[1]?.id, 10)
    t.strictSame(textsOf(rest), ['c'])
    t.strictSame(await store.readAuditBatches(rest[0]?.id, 10), [])
    t.strictSame(await store.readAuditLines(undefined, 10), [], 'in this form alone')
  })

  await t.test('the stream is bounded by its lines, however many stand together', async (t) => {
    const most = 300
    for (const size of [1, 100, 7, 1]) {
      for (let added = 0; added < 2 * most; added += 50 * size) {
        await store.addAuditBatches(
          Array.from({ length: 50 }, (_, n) => batch(`${size} ${added + n * size}`, size)),
          most,
        )
      }
      const kept = await store.readAuditBatches(undefined, 5000)
      const lines = textsOf(kept).reduce((sum, text) => sum + Number(text.split(' ')[0]), 0)
      t.ok(lines >= most && lines < most + size, `${size} together: ${lines}`)
      const last = Math.ceil(600 / (50 * size)) * 50 * size - size
      t.equal(kept.at(-1)?.text, `${size} ${last}`)
    }
  })
}

async function linkContract(t: Test, underTest: StoreUnderTest): Promise<void> {
  const { store, other } = underTest
  const until = async (condition: () => boolean): Promise<void> => {
    for (let wait = 0; wait < 200 && !condition(); wait += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  await t.test('tells every view of ends and changes', async (t) => {
    await until(() => store.linkAlive() && other.linkAlive())
    t.ok(store.linkAlive() && other.linkAlive())
    const heard: Change[] = []
    const stop = other.onChange((change) => heard.push(change))
    const [key, second] = [await launched(underTest), await launched(underTest)]
    await store.replaceLaunch(key, 1, 'v2')
    await store.endLaunch(key, 'superseded')
    await store.endLaunch(key, 'again')
    await store.endSession(second.session, 'ended')
    await until(() => heard.length >= 3)
    stop()
    // Of one session in order; two may stand on two masters, whose news overtake each other.
    const of = (session: string) =>
      heard.filter((change) => change.kind !== 'gap' && change.session === session)
    t.strictSame(of(key.session), [
      { kind: 'changed', session: key.session, launch: key.launch },
      { kind: 'ended', session: key.session, launch: key.launch, ended: 'superseded' },
    ])
    t.strictSame(of(second.session), [
      { kind: 'ended', session: second.session, launch: undefined, ended: 'ended' },
    ])
    t.equal(heard.length, 3)
    await store.endLaunch(second, 'late')
    t.equal(heard.length, 3)
    t.equal(await store.replicated(100), true, 'without a replica there is nothing to wait for')
  })
}
