import t from 'tap'
import type { Test } from 'tap'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import { hashSession } from '../../src/vault/names.ts'
import {
  ask,
  joiningCallback,
  pendingCookie,
  startRig,
  stores,
  watched,
  type Answer,
  type Rig,
} from './rig.ts'

interface Joined {
  readonly launch: string
  readonly created: boolean
  readonly begun: boolean
  readonly session: string
  readonly ended: readonly string[]
}

type Pending = ReturnType<typeof pendingCookie>

const headerOf = (pending: readonly Pending[], session?: string): string =>
  [
    ...(session === undefined ? [] : [`__Host-smart-bff=${session}`]),
    ...pending.map(({ name, value }) => `${name}=${value}`),
  ].join('; ')

async function callback(
  rig: Rig,
  own: Pending,
  cookie: string,
  query = 'user=u1',
): Promise<Answer & { body: Joined }> {
  const answer = await ask(rig.port, `/callback?own=${own.name}&${query}`, { headers: { cookie } })
  if (answer.status !== 200) throw new Error(`callback: ${answer.status}`)
  const body: Joined = JSON.parse(answer.text)
  return { ...answer, body }
}

const sessionValue = (answer: Answer): string =>
  /^__Host-smart-bff=([^;]+);/.exec(answer.setCookies.join('\n'))?.[1] ?? ''

for (const [name, openStore] of Object.entries(stores)) {
  t.test(`joining, ${name} store`, async (t) => {
    const store = await openStore(t)
    const rig = await startRig(t, { store, routes: joiningCallback })
    await t.test('six callbacks at one instant, no session cookie', (t) => sixAtOnce(t, rig))
    await t.test('six callbacks with differing sets of cookies', (t) => chained(t, rig))
    await t.test('a later launch joins by the cookie', (t) => laterLaunch(t, rig))
    await t.test('the earlier user goes first', (t) => otherUser(t, rig))
    await t.test('six callbacks of a new user at one instant', (t) => sixOfNewUser(t, rig))
    await t.test('an unknown user equals nobody', (t) => unknownUser(t, rig))
    await t.test('another tenant shares the session', (t) => otherTenant(t, rig))
    await t.test('a session that was ended is not joined', (t) => endedSession(t, rig))
  })
}

async function sixAtOnce(t: Test, rig: Rig): Promise<void> {
  const pending = Array.from({ length: 6 }, pendingCookie)
  const answers = await Promise.all(pending.map((own) => callback(rig, own, headerOf(pending))))
  const sessions = new Set(answers.map(({ body }) => body.session))
  t.equal(sessions.size, 1, 'all six are in one session')
  t.equal(new Set(answers.map(sessionValue)).size, 1, 'and all set the same cookie')
  t.equal(answers.filter(({ body }) => body.begun).length, 1, 'which began once')
  t.ok(answers.every(({ body }) => body.created && body.ended.length === 0))
  const [session = ''] = sessions
  t.equal((await rig.vault.list(session)).length, 6, 'and holds all six launches')
}

/** The jars of callbacks that crossed each other: each shares a cookie with the next, none has all. */
async function chained(t: Test, rig: Rig): Promise<void> {
  const pending = Array.from({ length: 6 }, pendingCookie)
  const answers = await Promise.all(
    pending.map((own, index) => callback(rig, own, headerOf(pending.slice(0, index + 1)))),
  )
  t.equal(new Set(answers.map(({ body }) => body.session)).size, 1)
}

async function laterLaunch(t: Test, rig: Rig): Promise<void> {
  const [first, second] = [pendingCookie(), pendingCookie()]
  const begun = await callback(rig, first, headerOf([first]))
  const value = sessionValue(begun)
  t.same(begun.setCookies, [
    `__Host-smart-bff=${value}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned`,
    `${first.name}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=None; Partitioned`,
  ])
  t.ok(begun.body.begun)
  t.equal(begun.headers['cache-control'], 'no-store')
  const later = await callback(rig, second, headerOf([second], value))
  t.equal(sessionValue(later), value, 'the id stays')
  t.same({ begun: later.body.begun, ended: later.body.ended }, { begun: false, ended: [] })
  const crossed = await callback(rig, second, headerOf([second]))
  t.equal(sessionValue(crossed), value, 'a parallel launch without the cookie finds it bound')
}

async function otherUser(t: Test, rig: Rig): Promise<void> {
  const [first, second, third] = [pendingCookie(), pendingCookie(), pendingCookie()]
  const one = await callback(rig, first, headerOf([first]))
  const two = await callback(rig, second, headerOf([second, third], sessionValue(one)), 'user=u2')
  t.not(sessionValue(two), sessionValue(one), 'a fresh id')
  t.same(two.body.ended, [one.body.launch], 'the earlier launch was ended first')
  t.ok(two.body.begun && two.body.created)
  t.same(await rig.vault.open({ session: one.body.session, launch: one.body.launch }), {
    kind: 'ended',
    state: 'ended',
  })
  const late = await callback(rig, third, headerOf([second, third], sessionValue(one)), 'user=u2')
  t.equal(sessionValue(late), sessionValue(two), 'with the old cookie too the new session is found')
}

async function sixOfNewUser(t: Test, rig: Rig): Promise<void> {
  const first = pendingCookie()
  const one = await callback(rig, first, headerOf([first]))
  const pending = Array.from({ length: 6 }, pendingCookie)
  const cookie = headerOf(pending, sessionValue(one))
  const answers = await Promise.all(pending.map((own) => callback(rig, own, cookie, 'user=u2')))
  t.equal(new Set(answers.map(sessionValue)).size, 1, 'one new session')
  t.equal(answers.filter(({ body }) => body.begun).length, 1)
  t.same(
    answers.flatMap(({ body }) => body.ended),
    [one.body.launch],
    'the earlier launch is ended, and handed over, once',
  )
  t.ok(answers.every(({ body }) => body.created))
}

async function unknownUser(t: Test, rig: Rig): Promise<void> {
  const [first, second] = [pendingCookie(), pendingCookie()]
  const one = await callback(rig, first, headerOf([first]), '')
  const two = await callback(rig, second, headerOf([second], sessionValue(one)), '')
  t.not(two.body.session, one.body.session)
  t.same(two.body.ended, [one.body.launch])
}

async function otherTenant(t: Test, rig: Rig): Promise<void> {
  const [first, second, third] = [pendingCookie(), pendingCookie(), pendingCookie()]
  const one = await callback(rig, first, headerOf([first]))
  const value = sessionValue(one)
  const two = await callback(rig, second, headerOf([second], value), 'user=u9&tenant=constructor')
  t.equal(two.body.session, one.body.session)
  const three = await callback(rig, third, headerOf([third], value), 'user=u1')
  t.equal(three.body.session, one.body.session, 'each tenant keeps its own user')
}

async function endedSession(t: Test, rig: Rig): Promise<void> {
  const [first, second] = [pendingCookie(), pendingCookie()]
  const one = await callback(rig, first, headerOf([first, second]))
  await rig.vault.endSession(one.body.session, 'ended')
  const late = Array.from({ length: 3 }, () =>
    callback(rig, second, headerOf([second], sessionValue(one))),
  )
  const answers = await Promise.all(late)
  t.equal(new Set(answers.map(sessionValue)).size, 1)
  t.not(sessionValue(answers[0] ?? one), sessionValue(one), 'its id is never used again')
  t.equal(await rig.records.read(one.body.session), undefined)
}

t.test('a cookie that is forged or doubled gives no session to join', async (t) => {
  const rig = await startRig(t, { routes: joiningCallback })
  const [first, second, third] = [pendingCookie(), pendingCookie(), pendingCookie()]
  const one = await callback(rig, first, headerOf([first]))
  const two = await callback(rig, second, headerOf([second]))
  const forged = await callback(
    rig,
    third,
    headerOf([third], `${'A'.repeat(43)}.${'B'.repeat(43)}`),
  )
  t.not(sessionValue(forged), '')
  const fourth = pendingCookie()
  const doubled = await callback(
    rig,
    fourth,
    `${headerOf([fourth], sessionValue(one))}; __Host-smart-bff=${sessionValue(two)}`,
  )
  t.notOk([one, two].some(({ body }) => body.session === doubled.body.session))
  t.equal(
    doubled.setCookies[0],
    '__Host-smart-bff=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=None',
    'the leftover from the other jar goes',
  )
})

t.test('a store that fails at any step gives no cookie, and the next launch opens', async (t) => {
  const { store, failing } = watched(createEmbeddedStore({ now: Date.now }))
  const rig = await startRig(t, { store, routes: joiningCallback })
  const first = pendingCookie()
  const one = await callback(rig, first, headerOf([first]))
  const steps = ['joinBindings', 'acquireLease', 'readSession', 'createSession', 'replaceSession']
  for (const step of steps) {
    const own = pendingCookie()
    const session = step === 'replaceSession' ? sessionValue(one) : undefined
    failing.add(step)
    const answer = await ask(rig.port, `/callback?own=${own.name}&user=u1`, {
      headers: { cookie: headerOf([own], session) },
    })
    t.equal(answer.status, 503, step)
    t.same(answer.setCookies, [])
    failing.clear()
    const again = await callback(rig, own, headerOf([own], session))
    t.ok(again.body.created, step)
  }
  failing.add('releaseLease')
  const own = pendingCookie()
  t.ok((await callback(rig, own, headerOf([own]))).body.created, 'a lease runs out by itself')
})

t.test('the clocks of a session', async (t) => {
  const rig = await startRig(t, { routes: joiningCallback })
  const { session } = await rig.begin()
  t.ok(await rig.records.read(session))
  rig.clock.now += 14 * 60_000
  t.ok(await rig.records.read(session))
  rig.clock.now += 60_001
  t.equal(await rig.records.read(session), undefined, 'idle')
})

t.test('what stands in the store names nobody', async (t) => {
  const rig = await startRig(t)
  const { session, cookie } = await rig.begin()
  const stored = (await rig.store.readSession(session)) ?? ''
  t.match(stored, /^v1\.k1\./)
  for (const text of ['subject-of-user-1', 'ehr.example', 'north']) t.notOk(stored.includes(text))
  t.notOk(cookie.includes(session))
  t.equal(hashSession(rig.cookies.read(cookie) ?? ''), session)
})
