import t from 'tap'
import type { Test } from 'tap'
import { Secret } from '../../src/config/secret.ts'
import { createSessionCookies, newSessionId } from '../../src/session/cookies.ts'
import type { SessionRecord } from '../../src/session/session-record.ts'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import { hashSession } from '../../src/vault/names.ts'
import { newSecretKey } from '../support/keys.ts'
import {
  ask,
  joiningCallback,
  ownPage,
  pendingCookie,
  startRig,
  stores,
  type Rig,
  watched,
} from './rig.ts'

/** What @fastify/session 11.1.3 was measured to do wrong: none of it reaches a browser or the store. */

const attributes = 'Path=/; Secure; HttpOnly; SameSite=None; Partitioned'

const writesOf = (calls: readonly string[]): string[] =>
  calls.filter((name) => /^(create|replace|end|put|join)/.test(name))

/** Routes whose handlers wait for the test, as a slow upstream would let them. */
function slowRoutes(gate: { open: Promise<void>; entered: () => void }) {
  return async (app: Rig['app'], rig: Rig): Promise<void> => {
    await joiningCallback(app, rig)
    app.get('/slow-read', async (request) => {
      gate.entered()
      await gate.open
      return { users: request.session.held?.record.users.length ?? 0 }
    })
    app.get('/slow-write', async (request) => {
      const { held } = request.session
      gate.entered()
      await gate.open
      if (held === undefined) return { ok: false }
      request.session.held = { ...held, record: { ...held.record, createdAt: 1 } }
      return { ok: true }
    })
  }
}

function newGate() {
  const opened = Promise.withResolvers<void>()
  const entered = Promise.withResolvers<void>()
  return {
    routes: slowRoutes({ open: opened.promise, entered: () => entered.resolve() }),
    entered: entered.promise,
    open: () => opened.resolve(),
  }
}

async function change(rig: Rig, session: string, part: Partial<SessionRecord>): Promise<void> {
  const held = await rig.records.hold(session)
  const changed = held && (await rig.records.replace(session, held, { ...held.record, ...part }))
  if (changed !== true) throw new Error('not changed')
}

for (const [name, openStore] of Object.entries(stores)) {
  t.test(`@fastify/session on the ${name} store`, async (t) => {
    const store = await openStore(t)

    await t.test('a slow read-only request writes nothing back', async (t) => {
      const gate = newGate()
      const { store: counted, calls } = watched(store)
      const rig = await startRig(t, { store: counted, routes: gate.routes })
      const { cookie, session } = await rig.begin()
      const slow = ask(rig.port, '/slow-read', { headers: { cookie } })
      await gate.entered
      await change(rig, session, { users: [] })
      calls.length = 0
      gate.open()
      const answer = await slow
      t.equal(answer.status, 200)
      t.same(answer.setCookies, [])
      t.same(writesOf(calls), [])
      t.same((await rig.records.read(session))?.users, [])
    })

    await t.test('a slow request that writes does not bring an ended session back', async (t) => {
      const gate = newGate()
      const rig = await startRig(t, { store, routes: gate.routes })
      const { cookie, session } = await rig.begin()
      const slow = ask(rig.port, '/slow-write', { headers: { cookie } })
      await gate.entered
      const logout = await ask(rig.port, '/session', {
        method: 'DELETE',
        headers: { cookie, ...ownPage },
      })
      t.equal(logout.status, 204)
      gate.open()
      const answer = await slow
      t.equal(answer.status, 401)
      t.match(JSON.parse(answer.text), { state: 'session_ended' })
      t.same(answer.setCookies, [], 'and gives no cookie back')
      t.equal(await rig.store.readSession(session), undefined)
    })

    await t.test('a slow request that writes takes nothing from another', async (t) => {
      const gate = newGate()
      const rig = await startRig(t, { store, routes: gate.routes })
      const { cookie, session } = await rig.begin()
      const slow = ask(rig.port, '/slow-write', { headers: { cookie } })
      await gate.entered
      const users = [{ tenant: 'south', user: 'u2' }]
      await change(rig, session, { users })
      gate.open()
      t.equal((await slow).status, 401)
      t.same((await rig.records.read(session))?.users, users)
    })

    await t.test('after a change of user the old id is dead', async (t) => {
      const gate = newGate()
      const rig = await startRig(t, { store, routes: gate.routes })
      gate.open()
      const { cookie, session } = await rig.begin()
      const own = pendingCookie()
      const changed = await ask(rig.port, `/callback?own=${own.name}&user=u2`, {
        headers: { cookie: `${cookie}; ${own.name}=${own.value}` },
      })
      t.equal(changed.status, 200)
      t.equal(await rig.store.readSession(session), undefined)
      const old = await ask(rig.port, '/slow-read', { headers: { cookie } })
      t.same(JSON.parse(old.text), { users: 0 })
    })
  })
}

t.test('the end of a session clears the cookie with every attribute', async (t) => {
  const rig = await startRig(t)
  const { cookie } = await rig.begin()
  const answer = await ask(rig.port, '/session', {
    method: 'DELETE',
    headers: { cookie, ...ownPage },
  })
  t.same(answer.setCookies, [`__Host-smart-bff=; Max-Age=0; ${attributes}`])
})

t.test('no clearing without Secure and Partitioned ever leaves', async (t) => {
  const secret = new Secret(newSecretKey())
  const rig = await startRig(t, { secrets: [secret], routes: joiningCallback })
  const cookies = createSessionCookies({ secrets: [secret] })
  const strange = createSessionCookies({ secrets: [new Secret(newSecretKey())] })
  const id = newSessionId()
  const ended = await rig.begin()
  await rig.vault.endSession(ended.session, 'ended')
  for (const [name, value] of Object.entries({
    stale: cookies.sign(id),
    forged: strange.sign(id),
    truncated: cookies.sign(id).slice(0, -3),
    ended: ended.cookie.slice('__Host-smart-bff='.length),
    encoded: encodeURIComponent(`s:${id}`),
  })) {
    for (const target of ['/launches/aaaaaaaaaaaaaaaaaaaaaaaa', '/callback?own=x']) {
      const answer = await ask(rig.port, target, {
        headers: { cookie: `__Host-smart-bff=${value}`, ...ownPage },
      })
      t.same(answer.setCookies, [], `${name} at ${target}`)
    }
  }
})

t.test('a rotated secret signs anew and logs nobody out', async (t) => {
  const [older, newer] = [new Secret(newSecretKey()), new Secret(newSecretKey())]
  const rig = await startRig(t, { secrets: [newer, older] })
  const { cookie, launch } = await rig.begin()
  const id = rig.cookies.read(cookie) ?? ''
  const before = createSessionCookies({ secrets: [older] }).sign(id)
  const target = `/launches/${launch}`
  const answer = await ask(rig.port, target, {
    headers: { cookie: `__Host-smart-bff=${before}`, ...ownPage },
  })
  t.equal(answer.status, 200)
  t.same(answer.setCookies, [`__Host-smart-bff=${rig.cookies.sign(id)}; ${attributes}`])
  const again = await ask(rig.port, target, { headers: { cookie, ...ownPage } })
  t.same({ status: again.status, setCookies: again.setCookies }, { status: 200, setCookies: [] })
  const logout = await ask(rig.port, '/session', {
    method: 'DELETE',
    headers: { cookie: `__Host-smart-bff=${before}`, ...ownPage },
  })
  t.same(
    logout.setCookies,
    [`__Host-smart-bff=; Max-Age=0; ${attributes}`],
    'the end has the last word',
  )
})

t.test('a session that is over by its clock is not regenerated', async (t) => {
  const clock = { now: 0 }
  const { store, calls } = watched(createEmbeddedStore({ now: () => Date.now() + clock.now }))
  const rig = await startRig(t, { store })
  const { cookie, launch } = await rig.begin()
  rig.clock.now = clock.now = 16 * 60_000
  calls.length = 0
  const answer = await ask(rig.port, `/launches/${launch}`, { headers: { cookie, ...ownPage } })
  t.equal(answer.status, 401)
  t.same(writesOf(calls), [], 'no orphan is written')
})

t.test('a session has an absolute end that no use can move', async (t) => {
  const rig = await startRig(t)
  const { session } = await rig.begin()
  const record = await rig.records.read(session)
  if (record === undefined) throw new Error('no record')
  t.equal(record.absoluteAt - record.createdAt, 600 * 60_000)
  await change(rig, session, { idleAt: Number.MAX_SAFE_INTEGER })
  rig.clock.now = 600 * 60_000 + 1
  t.equal(await rig.records.read(session), undefined)
})

t.test('the stored session carries no cookie options', async (t) => {
  const rig = await startRig(t)
  const { session } = await rig.begin()
  t.same(Object.keys((await rig.records.read(session)) ?? {}).toSorted(), [
    'absoluteAt',
    'createdAt',
    'idleAt',
    'schema',
    'users',
  ])
})

t.test('a garbage session record is a missing one', async (t) => {
  const rig = await startRig(t)
  const { cookie, session, launch } = await rig.begin()
  for (const blob of ['', '{', '{"schema":1}', 'v1.k1.AAAA', 'v1.other.AAAA', 'x'.repeat(5000)]) {
    const held = (await rig.store.readSession(session)) ?? ''
    const text = blob === '' ? ' ' : blob
    t.ok(await rig.store.replaceSession(session, held, text, Date.now() + 60_000))
    const answer = await ask(rig.port, `/launches/${launch}`, { headers: { cookie, ...ownPage } })
    t.equal(answer.status, 401, blob.slice(0, 20))
    t.match(JSON.parse(answer.text), { state: 'session_ended' })
  }
})

t.test('a store fault is 503, not a logout, and not everywhere', async (t) => {
  const { store, failing } = watched(createEmbeddedStore({ now: Date.now }))
  const rig = await startRig(t, {
    store,
    routes: async (app) => void app.get('/any', async () => 'x'),
  })
  await rig.app.ready()
  const { cookie, launch } = await rig.begin()
  failing.add('readSession')
  for (const target of [`/launches/${launch}`, '/any']) {
    const answer = await ask(rig.port, target, { headers: { cookie, ...ownPage } })
    t.equal(answer.status, 503, target)
    t.equal(answer.headers['smart-bff-state'], 'data_unavailable')
    t.same(answer.setCookies, [])
    t.notOk(answer.text.includes('redis'))
  }
  t.equal((await ask(rig.port, '/any')).status, 200, 'without a cookie nothing is asked')
  t.equal((await ask(rig.port, '/nothing', { headers: { cookie } })).status, 404)
  failing.clear()
  const answer = await ask(rig.port, `/launches/${launch}`, { headers: { cookie, ...ownPage } })
  t.equal(answer.status, 200, 'and it recovers')
})

t.test('a store fault on saving is one attempt and 503', async (t) => {
  const gate = newGate()
  gate.open()
  const { store, calls, failing } = watched(createEmbeddedStore({ now: Date.now }))
  const rig = await startRig(t, { store, routes: gate.routes })
  const { cookie, session } = await rig.begin()
  failing.add('replaceSession')
  calls.length = 0
  const answer = await ask(rig.port, '/slow-write', { headers: { cookie } })
  t.equal(answer.status, 503)
  t.match(JSON.parse(answer.text), { state: 'data_unavailable' })
  t.notOk(answer.text.includes('redis'))
  t.same(writesOf(calls), ['replaceSession'])
  failing.clear()
  t.ok(await rig.records.read(session), 'the session lives on')
})

t.test('at http://localhost the session is kept all the same', async (t) => {
  const gate = newGate()
  gate.open()
  const rig = await startRig(t, { publicOrigin: 'http://localhost:3000', routes: gate.routes })
  const { cookie, session, launch } = await rig.begin()
  const headers = { cookie, ...ownPage, 'x-forwarded-proto': 'gopher' }
  t.equal((await ask(rig.port, `/launches/${launch}`, { headers })).status, 200)
  t.equal((await ask(rig.port, '/slow-write', { headers })).status, 200)
  t.equal((await rig.records.read(session))?.createdAt, 1, 'a change was written')
})

t.test('the protocol is publicUrl’s, never a header’s', async (t) => {
  let seen = ''
  const rig = await startRig(t, {
    routes: async (app) =>
      void app.get('/protocol', async (request) => {
        seen = request.protocol
        return 'x'
      }),
  })
  await ask(rig.port, '/protocol', { headers: { 'x-forwarded-proto': 'http' } })
  t.equal(seen, 'https')
})

t.test('two cookies of one name: the first does not win', async (t) => {
  const rig = await startRig(t)
  const one = await rig.begin()
  const two = await rig.begin()
  const get = async (cookie: string, launch: string): Promise<number> =>
    (await ask(rig.port, `/launches/${launch}`, { headers: { cookie, ...ownPage } })).status
  t.equal(await get(`${two.cookie}; ${one.cookie}`, one.launch), 401)
  t.equal(await get(`${one.cookie}; ${two.cookie}`, one.launch), 401)
  t.equal(await get(`__Host-smart-bff=forged; ${one.cookie}`, one.launch), 200)
})

t.test('the store never sees an id', async (t) => {
  const seen: unknown[] = []
  const inner = createEmbeddedStore({ now: Date.now })
  const store = new Proxy(inner, {
    get: (target, name, receiver) => {
      const value: unknown = Reflect.get(target, name, receiver)
      if (typeof value !== 'function') return value
      return (...parameters: unknown[]) => {
        seen.push(parameters)
        return Reflect.apply(value, target, parameters)
      }
    },
  })
  const rig = await startRig(t, { store })
  const { cookie, launch } = await rig.begin()
  await ask(rig.port, `/launches/${launch}`, { headers: { cookie, ...ownPage } })
  const id = rig.cookies.read(cookie) ?? ''
  const text = JSON.stringify(seen)
  t.notOk(text.includes(id))
  t.ok(text.includes(hashSession(id)))
})

t.test('anonymous requests leave nothing in the store', async (t: Test) => {
  const { store, calls } = watched(createEmbeddedStore({ now: Date.now }))
  const rig = await startRig(t, {
    store,
    routes: async (app) => void app.get('/any', async () => 'x'),
  })
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(rig.port, '/any')))
  t.ok(answers.every((answer) => answer.status === 200 && answer.setCookies.length === 0))
  t.same(calls, [])
})
