import t from 'tap'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import { createBindingVault } from '../../src/vault/bindings.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import { hashCookie, hashSession, hashState } from '../../src/vault/names.ts'
import { createPendingVault, pendingLifeMs } from '../../src/vault/pending.ts'
import type { PendingAuthorization } from '../../src/vault/pending.ts'
import { newId, newKey } from './example.ts'

const start = Date.UTC(2026, 0, 1)

function setUp() {
  const clock = { time: start }
  const now = (): number => clock.time
  const store = createEmbeddedStore({ now })
  const keyRing = createKeyRing([newKey('k1')])
  const garbage: string[] = []
  const onGarbage = ({ fault }: { fault: string }): void => {
    garbage.push(fault)
  }
  const pending = createPendingVault({ store, keyRing, now, onGarbage })
  const bindings = createBindingVault({ store, keyRing, onGarbage })
  return { clock, store, keyRing, garbage, pending, bindings }
}

const example = (): PendingAuthorization => ({
  schema: 1,
  launch: newId(),
  tenant: 'north',
  mode: 'chart',
  verifier: newId(),
  nonce: newId(),
  browser: hashCookie(newId()),
  aud: 'https://ehr.example/fhir',
  redirectUri: 'https://app.example/callback/north',
  requested: 'launch openid',
  createdAt: start,
})

t.test('a pending authorization is taken once, by its state only', async (t) => {
  const { pending } = setUp()
  const state = newId()
  const { nonce: _, ...put } = example()
  await pending.put(state, put)
  t.equal(await pending.take(newId()), undefined)
  t.strictSame(await pending.take(state), put)
  t.equal(await pending.take(state), undefined)
})

t.test('it lives ten minutes, whatever the store says', async (t) => {
  const parts = setUp()
  const [state, old] = [newId(), newId()]
  await parts.pending.put(state, example())
  await parts.pending.put(old, { ...example(), createdAt: start - pendingLifeMs })
  t.equal(await parts.pending.take(old), undefined)
  parts.clock.time += pendingLifeMs
  t.equal(await parts.pending.take(state), undefined)
})

t.test('the store sees neither state nor verifier, and a moved box does not open', async (t) => {
  const parts = setUp()
  const [state, other] = [newId(), newId()]
  const put = example()
  await parts.pending.put(state, put)
  const sealed = (await parts.store.takePending(hashState(state))) ?? ''
  t.notOk(sealed.includes(put.verifier))
  await parts.store.putPending(hashState(other), sealed, 1000)
  t.equal(await parts.pending.take(other), undefined)
  await parts.store.putPending(hashState(other), 'garbage', 1000)
  t.equal(await parts.pending.take(other), undefined)
  const shape = parts.keyRing.seal('pending', `tx:${hashState(other)}`, '{"schema":2}')
  await parts.store.putPending(hashState(other), shape, 1000)
  t.equal(await parts.pending.take(other), undefined)
  t.strictSame(parts.garbage, ['tampered', 'malformed', 'shape'])
})

t.test('six callbacks with all six pending cookies join one session', async (t) => {
  const { bindings } = setUp()
  const cookies = Array.from({ length: 6 }, newId)
  const sessions = await Promise.all(
    cookies.map(() => bindings.join({ pendingCookies: cookies, sessionId: newId() })),
  )
  t.equal(new Set(sessions).size, 1)
  const [over] = sessions
  const following = await Promise.all(
    cookies.map(() => bindings.join({ pendingCookies: cookies, sessionId: newId(), over })),
  )
  t.equal(new Set(following).size, 1, 'and what follows it is one')
  t.not(following[0], over)
  t.equal(
    await bindings.join({ pendingCookies: cookies.slice(0, 2), sessionId: newId() }),
    following[0],
  )
})

t.test('a session that gives way does so however often it was sealed', async (t) => {
  const { bindings } = setUp()
  const cookies = Array.from({ length: 3 }, newId)
  const over = newId()
  for (const cookie of cookies) {
    t.equal(await bindings.join({ pendingCookies: [cookie], sessionId: over }), over)
  }
  const sessionId = newId()
  t.equal(await bindings.join({ pendingCookies: cookies, sessionId, over }), sessionId)
})

t.test('a garbage binding is overwritten', async (t) => {
  const { store, bindings, garbage } = setUp()
  const [cookie, sessionId] = [newId(), newId()]
  await store.joinBindings({
    pendingHashes: [hashCookie(cookie)],
    sealedSession: 'garbage',
    lifeMs: 1000,
  })
  const ask = { pendingCookies: [cookie] }
  t.equal(await bindings.join({ ...ask, sessionId }), sessionId)
  t.equal(await bindings.join({ ...ask, sessionId: newId() }), sessionId)
  t.strictSame(garbage, ['malformed'])
})

t.test('names are SHA-256 in base64url', async (t) => {
  const expected = '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU'
  for (const name of [hashSession, hashState, hashCookie]) t.equal(name(''), expected)
})
