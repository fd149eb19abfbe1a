import { Redis } from 'ioredis'
import t from 'tap'
import { Secret } from '../../src/config/secret.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import { startHospital } from '../support/hospital.ts'
import { newSecretKey } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'

/**
 * Somebody can write to Redis: records that are garbage, of another type, sealed under a key that nobody has, or those
 * of somebody else. Nobody sees another patient, nobody keeps a life that is not his, and nothing crashes.
 */
t.test('a record that is not ours is a missing one', async (t) => {
  const redis = await startRedis()
  const raw = new Redis(redis.port, { replyMapping: 'legacy' })
  const hospital = await startHospital({ root: { store: { redis: { url: redis.url } } } })
  t.teardown(async () => {
    await hospital.close()
    raw.disconnect()
    await redis.stop()
  })
  const [one, other] = hospital.sandbox.patients.slice(0, 2).map(({ id }) => id)
  const begin = async (patient = '') => {
    const browser = hospital.browser()
    const { launch } = await browser.launch({ patient })
    const [name = ''] = await raw.keys(`launch:*:${launch}`)
    const session = /\{(.*)\}/.exec(name)?.[1] ?? ''
    return { browser, launch, patient, name, session }
  }
  const mine = await begin(one)
  const theirs = await begin(other)
  const held = new Map<string, Buffer>()
  for (const key of [mine.name, `sess:{${mine.session}}`, `launches:{${mine.session}}`]) {
    const dumped = await raw.dumpBuffer(key)
    if (dumped !== null) held.set(key, dumped)
  }
  t.equal(held.size, 3)
  const restore = async (): Promise<void> => {
    for (const [key, dumped] of held) await raw.restore(key, 600_000, dumped, 'REPLACE')
  }
  /** Tells that a change has happened, as the script that makes it does: what was kept in memory goes. */
  const told = () => raw.publish('smart-bff:changes', `changed|${mine.session}|${mine.launch}`)
  const ask = async (path: string) => {
    const answer = await mine.browser.fetch(path)
    const text = await answer.text()
    t.notOk(text.includes(theirs.patient), 'never somebody else’s patient')
    return `${answer.status} ${answer.headers.get('smart-bff-state') ?? ''}`.trim()
  }
  const both = async (): Promise<readonly string[]> => {
    await told()
    return [await ask(`/launches/${mine.launch}`), await ask(`/fhir/${mine.launch}/Patient/${one}`)]
  }
  t.strictSame(await both(), ['200', '200'])

  const unknown = createKeyRing([{ id: 'k9', secret: new Secret(newSecretKey()) }])
  const forged = createKeyRing([{ id: 'k1', secret: new Secret(newSecretKey()) }])
  const boxOf = async (name: string) =>
    (await raw.hgetBuffer(name, 'sealed'))?.toString('latin1') ?? ''
  const theirBox = await boxOf(theirs.name)
  const myBox = await boxOf(mine.name)
  const sealed: Readonly<Record<string, string>> = {
    empty: '',
    garbage: 'not a box',
    cut: myBox.slice(0, -8),
    'cut to its head': myBox.slice(0, 7),
    longer: `${myBox}AAAA`,
    'of somebody else': theirBox,
    'under a key that nobody has': unknown.seal('launch', mine.name, '{}'),
    'under a forged key': forged.seal('launch', mine.name, '{}'),
    'packed, under a forged key': forged.sealPacked('launch', mine.name, '{}'),
    huge: `v1.k1.${'A'.repeat(2_000_000)}`,
    NUL: `v1.k1.\0`,
  }
  for (const [name, box] of Object.entries(sealed)) {
    await raw.hset(mine.name, 'sealed', Buffer.from(box, 'latin1'))
    t.strictSame(await both(), ['401 session_ended', '401 session_ended'], `sealed: ${name}`)
    await restore()
  }
  for (const [field, value] of [
    ['version', 'NaN'],
    ['version', '-1'],
    ['idleAt', '1e99'],
    ['idleAt', ''],
    ['idleAt', '0'],
    ['ended', 'garbage'],
  ] as const) {
    await raw.hset(mine.name, field, value)
    for (const got of await both()) t.equal(got, '401 session_ended', `${field} ${value}`)
    await restore()
  }
  await raw.hset(mine.name, 'idleAt', String(Date.now() + 9e11))
  const info = (await (await mine.browser.fetch(`/launches/${mine.launch}`)).json()) as {
    expires: { idle: string }
  }
  t.ok(Date.parse(info.expires.idle) < Date.now() + 16 * 60_000, 'a plain field lengthens no life')
  await restore()

  for (const key of held.keys()) {
    const kind = key.split(':')[0] ?? ''
    await raw.del(key)
    await raw.rpush(key, 'a list')
    for (const got of await both()) {
      t.match(
        got,
        kind === 'launches' ? /^(200|401)/ : /^(200|401 session_ended)$/,
        `${kind}: a list`,
      )
    }
    const again = hospital.browser()
    for (const [name, value] of mine.browser.jar.cookies) again.jar.keep(`${name}=${value}`)
    const { response } = await again.navigate(
      hospital.sandbox.createLaunch({ patient: one ?? '' }).url,
    )
    t.match(response.status, /^(200|400|401|503)$/, `${kind}: and a new launch is answered`)
    t.notOk((await response.text()).includes('Error'))
    await raw.del(key)
    await restore()
  }
  for (const blob of ['garbage', 'v1.k1.AAAA', (await raw.get(`sess:{${theirs.session}}`)) ?? '']) {
    await raw.set(`sess:{${mine.session}}`, blob, 'PX', 600_000)
    t.equal(
      await ask(`/launches/${mine.launch}`),
      '401 session_ended',
      'a session that is not ours',
    )
    await restore()
  }
  t.strictSame(await both(), ['200', '200'], 'and whole again it is what it was')
  t.equal((await theirs.browser.fetch(`/launches/${theirs.launch}`)).status, 200)
})
