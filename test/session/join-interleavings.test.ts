import { AsyncLocalStorage } from 'node:async_hooks'
import t from 'tap'
import type { Test } from 'tap'
import { SmartBffError } from '../../src/errors.ts'
import { sessionCookieName } from '../../src/session/cookies.ts'
import type { Store } from '../../src/store/store.ts'
import { hashSession } from '../../src/vault/names.ts'
import { exampleRecord } from '../vault/example.ts'
import { pendingCookie, startRig, stores, userOf, type Rig } from './rig.ts'

for (const [name, openStore] of Object.entries(stores)) {
  t.test(`callbacks at one instant, in any order, ${name} store`, async (t) => {
    const rig = await startRig(t, { store: unhurried(await openStore(t)) })
    for (const [before, prepare] of Object.entries(beforehand)) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await t.test(before, async (t) => {
        for (let round = 0; round < 100; round += 1) {
          // oxlint-disable-next-line no-await-in-loop -- see above
          await atOneInstant(t, rig, prepare)
        }
      })
    }
  })
}

/**
 * One callback is stopped before each of its steps at the store in turn, for longer than its lease lasts, while others
 * run; then it goes on, or it has failed long ago and its step is carried out all the same (a store that stood still runs
 * what waits for it, in any order). However that goes, one browser has one session: what lives is in the session of the
 * last cookie, so that signing out ends it.
 */
for (const [name, openStore] of Object.entries(stores)) {
  t.test(`a callback stopped at each of its steps, ${name} store`, async (t) => {
    const { store, stopAt } = stoppable(await openStore(t))
    const rig = await startRig(t, { store })
    for (const [before, prepare] of Object.entries(beforehand)) {
      for (const [beside, run] of Object.entries(meanwhile)) {
        for (const late of [false, true]) {
          const title = `${before}, ${beside}, ${late ? 'carried out late' : 'going on'}`
          // oxlint-disable-next-line no-await-in-loop -- one after the other
          await t.test(title, (t) => everyStep(t, { rig, stopAt, prepare, run, late }))
        }
      }
    }
  })
}

interface Case {
  readonly rig: Rig
  readonly stopAt: ReturnType<typeof stoppable>['stopAt']
  readonly prepare: Prepare
  readonly run: Run
  readonly late: boolean
}

/** A browser: what it holds, and what was opened in it. */
interface Desk {
  session: string | undefined
  pending: readonly Pending[]
  readonly opened: Opened[]
}

type Pending = ReturnType<typeof pendingCookie>
type Prepare = (rig: Rig, desk: Desk) => Promise<void>
type Run = (rig: Rig, desk: Desk, own: Pending) => Promise<void>

interface Opened {
  readonly session: string
  readonly launch: string
  readonly user: string
  answered: boolean
}

const beforehand: Record<string, Prepare> = {
  'in a new browser': async () => undefined,
  'after a launch of the same user': async (rig, desk) => launch(rig, desk, { user: 'u1' }),
  'after a launch of another user': async (rig, desk) => launch(rig, desk, { user: 'u0' }),
  'after a sign-out that left a launch pending': async (rig, desk) => {
    await launchBeside(rig, desk)
    await signOut(rig, desk)
  },
  'with the cookie of a session that has ended': async (rig, desk) => {
    await launchBeside(rig, desk)
    await rig.vault.endSession(hashSession(desk.session ?? ''), 'ended')
  },
}

const sameUser = 'beside a launch of the same user'

const meanwhile: Record<string, Run> = {
  [sameUser]: async (rig, desk, own) => launch(rig, desk, { user: 'u1', own }),
  'beside a launch of another user': async (rig, desk, own) =>
    launch(rig, desk, { user: 'u2', own }),
  'beside a sign-out and a launch': async (rig, desk, own) => {
    await signOut(rig, desk)
    await launch(rig, desk, { user: 'u1', own })
  },
}

async function everyStep(t: Test, { rig, stopAt, prepare, run, late }: Case): Promise<void> {
  let step = 1
  for (; step < 60; step += 1) {
    const desk: Desk = { session: undefined, pending: [], opened: [] }
    await prepare(rig, desk)
    const before = desk.opened.length
    const own = [pendingCookie(), pendingCookie(), pendingCookie()] as const
    // Each knows the launches that began before it, and not those that began after.
    desk.pending = [...desk.pending, own[0]]
    const stopped = stopAt(step, late)
    const first = stopped
      .run(() => launch(rig, desk, { user: 'u1', own: own[0] }))
      .catch((error: unknown) => t.match(error, { code: 'STORE_UNAVAILABLE' }))
    const where = await Promise.race([stopped.reached, first.then(() => undefined)])
    if (where === undefined) break
    const title = `${String(step)}: ${where}`
    if (late) await first
    // Sent before the next, and on its way for as long as all of this takes.
    desk.pending = [...desk.pending, own[2]]
    const slow = { ...desk }
    await run(rig, desk, own[1])
    await stopped.goOn()
    await first
    await launch(rig, slow, { user: 'u1', own: own[2] })
    desk.session = slow.session
    await launch(rig, desk, { user: 'u1' })
    if (run === meanwhile[sameUser]) t.same(await answeredAndOver(rig, desk, before), [], title)
    await signOut(rig, desk)
    t.same(await living(rig, desk), [], title)
  }
  t.ok(step > 4 && step < 60, `${String(step)} steps`)
}

/** Several at one instant, each knowing those that began before it; every step of each takes its time, and no lease holds. */
async function atOneInstant(t: Test, rig: Rig, prepare: Prepare): Promise<void> {
  const desk: Desk = { session: undefined, pending: [], opened: [] }
  await prepare(rig, desk)
  const before = desk.opened.length
  await Promise.all(Array.from({ length: 4 }, async () => launch(rig, desk, { user: 'u1' })))
  t.same(await answeredAndOver(rig, desk, before), [], 'all live')
  await signOut(rig, desk)
  t.same(await living(rig, desk), [], 'and none after signing out')
}

/** A callback with what the browser holds as it sends it; of its answer the browser takes the cookies. */
async function launch(
  rig: Rig,
  desk: Desk,
  { user, own = pendingCookie() }: { readonly user: string; readonly own?: Pending },
): Promise<void> {
  if (!desk.pending.includes(own)) desk.pending = [...desk.pending, own]
  const joined = await rig.join({
    cookieHeader: desk.session && `${sessionCookieName}=${rig.cookies.sign(desk.session)}`,
    own,
    pendingCookies: desk.pending,
    tenant: 'north',
    user: userOf(user),
  })
  const record = exampleRecord(own.value.slice(0, 32), Date.now())
  const opened = { session: joined.session, launch: record.launch, user, answered: false }
  desk.opened.push(opened)
  if (!(await rig.vault.create(opened, record))) return
  opened.answered = true
  desk.session = joined.sessionId
  desk.pending = desk.pending.filter((one) => one !== own)
}

/** Leaves a pending launch behind that is bound to the same session. */
async function launchBeside(rig: Rig, desk: Desk): Promise<void> {
  desk.pending = [pendingCookie()]
  await launch(rig, desk, { user: 'u1' })
}

async function signOut(rig: Rig, desk: Desk): Promise<void> {
  if (desk.session === undefined) return
  await rig.vault.endSession(hashSession(desk.session), 'ended')
  desk.session = undefined
}

async function living(rig: Rig, { opened }: Desk): Promise<readonly Opened[]> {
  const states = await Promise.all(opened.map((key) => rig.vault.open(key)))
  return opened.filter((_, index) => states[index]?.kind === 'open')
}

/** None of them disturbs another: a launch that was answered lives, whoever stood still. */
async function answeredAndOver(rig: Rig, desk: Desk, before: number): Promise<readonly Opened[]> {
  const alive = await living(rig, desk)
  return desk.opened.slice(before).filter((one) => one.answered && !alive.includes(one))
}

type TakeStep = (
  name: string,
  parameters: readonly string[],
  work: () => Promise<unknown>,
) => Promise<unknown>

/** Runs one callback, which stops before its nth step until `goOn`; `late`: which fails there, and the step comes later. */
function stoppable(inner: Store) {
  const current = new AsyncLocalStorage<TakeStep>()
  const store = new Proxy(inner, {
    get: (target, name, receiver) => {
      const value: unknown = Reflect.get(target, name, receiver)
      if (typeof value !== 'function' || typeof name !== 'string') return value
      return async (...parameters: unknown[]): Promise<unknown> => {
        const takeStep = current.getStore() ?? (async (_name, _parameters, work) => work())
        return takeStep(name, parameters.map(String), async () =>
          Reflect.apply(value, target, parameters),
        )
      }
    },
  })
  const stopAt = (step: number, late: boolean) => {
    const [reached, going] = [Promise.withResolvers<string>(), Promise.withResolvers<void>()]
    let steps = 0
    let lease = { of: '', holder: '' }
    const runOut = async (): Promise<void> => inner.releaseLease(lease.of, lease.holder)
    let carriedOut: Promise<unknown> = Promise.resolve()
    const takeStep: TakeStep = async (name, [of = '', holder = ''], work) => {
      steps += 1
      if (steps !== step) {
        const answer = await work()
        if (name === 'acquireLease' && answer === true) lease = { of, holder }
        return answer
      }
      carriedOut = going.promise.then(async () => {
        const answer = await work()
        if (name === 'acquireLease') await inner.releaseLease(of, holder)
        return answer
      })
      await runOut()
      reached.resolve(name)
      if (late) throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'it stands still' })
      return carriedOut
    }
    return {
      reached: reached.promise,
      run: async <T>(work: () => Promise<T>): Promise<T> => current.run(takeStep, work),
      goOn: async () => {
        going.resolve()
        await carriedOut
      },
    }
  }
  return { store, stopAt }
}

/** Every step waits before and after, for a moment or for several, and whoever asks for a lease has it. */
function unhurried(inner: Store): Store {
  const wait = async (): Promise<void> => {
    for (let turns = Math.floor(Math.random() * 4); turns > 0; turns -= 1) {
      // oxlint-disable-next-line no-await-in-loop -- one turn after the other
      await new Promise(setImmediate)
    }
  }
  return new Proxy(inner, {
    get: (target, name, receiver) => {
      const value: unknown = Reflect.get(target, name, receiver)
      if (typeof value !== 'function') return value
      if (name === 'acquireLease') return async () => true
      return async (...parameters: unknown[]): Promise<unknown> => {
        await wait()
        const answer: unknown = await Reflect.apply(value, target, parameters)
        await wait()
        return answer
      }
    },
  })
}
