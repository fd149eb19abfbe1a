import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { Secret } from '../../src/config/secret.ts'
import type { RedisConfig } from '../../src/store/redis/client.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import type { Store } from '../../src/store/store.ts'
import { storeContract } from '../contracts/store.ts'
import { newCertificate } from '../support/certificate.ts'
import { startRedis, type TestRedisOptions } from '../support/redis.ts'

/** Who may speak with Redis and whom we speak with: TLS, client certificates, ACL users. */

async function setUp(t: Test, options: TestRedisOptions) {
  const redis = await startRedis(options)
  const stores: Store[] = []
  t.teardown(async () => {
    await Promise.all(stores.map((store) => store.close()))
    await redis.stop()
  })
  const open = (config: Partial<RedisConfig> = {}, faults: string[] = []): Store => {
    const store = createRedisStore({
      config: { url: new Secret(redis.url), ...config },
      now: Date.now,
      onFault: ({ operation, reason }) => faults.push(`${operation} ${reason}`),
    })
    stores.push(store)
    return store
  }
  return { redis, open }
}

const refused = (t: Test, store: Store, what: string) =>
  t.rejects(store.check(), { code: 'STORE_UNAVAILABLE' }, what)

t.test('TLS: only a server whose certificate is known is spoken with', async (t) => {
  const certificate = newCertificate()
  const { open } = await setUp(t, { tls: certificate })
  await open({ tls: { ca: new Secret(certificate.cert) } }).check()
  await refused(t, open(), 'a certificate that nobody vouches for')
  const stranger = newCertificate()
  await refused(t, open({ tls: { ca: new Secret(stranger.cert) } }), 'somebody else’s certificate')
})

t.test('TLS: a certificate for another host is refused', async (t) => {
  const certificate = newCertificate({ host: 'redis.hospital.example' })
  const { open } = await setUp(t, { tls: certificate })
  await refused(t, open({ tls: { ca: new Secret(certificate.cert) } }), 'a trusted stranger')
})

t.test('TLS: the client proves itself with its own certificate', async (t) => {
  const certificate = newCertificate()
  const { open } = await setUp(t, { tls: { ...certificate, clients: true } })
  const ca = new Secret(certificate.cert)
  await refused(t, open({ tls: { ca } }), 'a client without one')
  const key = new Secret(certificate.key)
  const store = open({ tls: { ca, cert: ca, key } })
  await store.check()
  for (let n = 0; n < 200 && !store.linkAlive(); n += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  t.ok(store.linkAlive(), 'the link runs over TLS too')
})

const users = readFileSync(new URL('../../config/redis-users.acl', import.meta.url), 'utf8')
const aclUser = { username: 'smart-bff', password: new Secret('CHANGE-THIS-PASSWORD') }

t.test('the ACL user of config/redis-users.acl can do all that a store must', async (t) => {
  const { open } = await setUp(t, { users })
  const faults: string[] = []
  const [store, other] = [open(aclUser, faults), open(aclUser, faults)]
  await storeContract(t, async () => ({
    store,
    other,
    now: Date.now,
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  }))
  t.strictSame(faults, [], 'and is refused nothing')
})

t.test('the ACL user can do nothing else, and nobody else anything', async (t) => {
  const { redis, open } = await setUp(t, { users })
  await refused(t, open(), 'the default user')
  await refused(t, open({ ...aclUser, password: new Secret('wrong') }), 'another password')
  const { Redis } = await import('ioredis')
  const raw = new Redis(redis.port, { username: 'smart-bff', password: 'CHANGE-THIS-PASSWORD' })
  t.teardown(() => raw.disconnect())
  for (const [command, ...args] of [
    ['KEYS', '*'],
    ['SCAN', '0'],
    ['FLUSHALL'],
    ['CONFIG', 'GET', '*'],
    ['ACL', 'LIST'],
    ['GET', 'other:application'],
    ['PUBLISH', 'other', 'x'],
    ['SUBSCRIBE', 'other'],
  ] as const) {
    await t.rejects(raw.call(command, ...args), /NOPERM/, command)
  }
})

t.test(
  'an ACL user without the channels: no link, so nothing is kept, and nothing fails',
  async (t) => {
    const { open } = await setUp(t, { users: users.replace('&smart-bff:* ', '') })
    const store = open(aclUser)
    const key = { session: 'S', launch: 'L' }
    const until = Date.now() + 60_000
    await store.createSession(key.session, 'blob', until)
    await store.createLaunch(key, { sealed: 'box', idleAt: until, expiresAt: until })
    t.match(await store.endLaunch(key, 'revoked'), { sealed: 'box' }, 'the end is an end')
    t.match(await store.readLaunch(key), { ended: 'revoked' })
    await new Promise((resolve) => setTimeout(resolve, 600))
    t.equal(store.linkAlive(), false)
  },
)
