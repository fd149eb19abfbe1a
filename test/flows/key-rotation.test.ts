import { Redis } from 'ioredis'
import t from 'tap'
import { createPseudonyms } from '../../src/audit/pseudonyms.ts'
import { runMaintenance } from '../../src/cli/maintenance.ts'
import { createSavedSearches } from '../../src/staff/saved.ts'
import { createStore } from '../../src/store/create.ts'
import type { Store } from '../../src/store/store.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import { rawKeys, type Raw } from '../support/config.ts'
import { startHospital, type Hospital, type TestBrowser } from '../support/hospital.ts'
import { newSecretKey } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'

/**
 * An encryption key is replaced while replicas restart one after the other, as docs/operate.md says: behind the current
 * one, then in front, then everything is sealed anew, then the old one goes. Nobody is logged out.
 */
t.test('a rotation of the encryption key logs nobody out', { timeout: 120_000 }, async (t) => {
  const redis = await startRedis()
  const stores: Store[] = []
  const raw = new Redis(redis.port, { replyMapping: 'legacy' })
  const [k1, k2] = ['k1', 'k2'].map((id) => ({ id, secret: newSecretKey() }))
  const keys = rawKeys()
  const client = { id: 'app', auth: 'client_secret_basic', secret: newSecretKey() }
  const options = (encryption: readonly unknown[]) => ({
    root: { store: { redis: { url: redis.url } }, keys: { ...keys, encryption } satisfies Raw },
    tenant: { client },
  })
  const first = await startHospital(options([k1]))
  const replicas = [first]
  const start = async (encryption: readonly unknown[]) => {
    const replica = await startHospital({ ...options(encryption), beside: first })
    replicas.push(replica)
    return replica
  }
  t.teardown(async () => {
    for (const replica of replicas.toReversed()) await replica.close()
    for (const store of stores) await store.close()
    raw.disconnect()
    await redis.stop()
  })
  const patient = first.sandbox.patient('amara').id
  const launches: { launch: string; cookie: string }[] = []
  const begin = async (browser: TestBrowser): Promise<void> => {
    const { launch } = await browser.launch({ patient })
    const cookie = [...browser.jar.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    launches.push({ launch, cookie })
  }
  const allLiveAt = async (browser: TestBrowser, what: string): Promise<void> => {
    for (const { launch, cookie } of launches) {
      for (const path of [`/fhir/${launch}/Patient/${patient}`, `/launches/${launch}`]) {
        const answer = await browser.fetch(path, { headers: { cookie } })
        t.equal(answer.status, 200, `${what}: ${path.split('/')[1]}`)
        await answer.body?.cancel()
      }
    }
  }
  const keysInUse = async (): Promise<ReadonlySet<string>> => {
    const used = new Set<string>()
    for (const key of await raw.keys('launch:*')) {
      used.add((await raw.hget(key, 'sealed'))?.split('.')[1] ?? '')
    }
    for (const key of [...(await raw.keys('sess:*')), ...(await raw.keys('draft:staff*'))])
      used.add((await raw.get(key))?.split('.')[1] ?? '')
    return used
  }

  /** The searches that the staff keep, as a replica with this configuration reads them. */
  const savedAt = async (hospital: Hospital) => {
    const { store: where, keys: ring } = hospital.config
    const store = createStore(where, { now: Date.now, onFault: () => undefined })
    stores.push(store)
    const pseudonyms = createPseudonyms(ring.pseudonym)
    return createSavedSearches({ store, keyRing: createKeyRing(ring.encryption), pseudonyms })
  }

  const before = await savedAt(first)
  t.ok(await before.add('anna.auditor', 'Last week', '/?ask=patient'))
  t.ok(await before.add('otto.operator', 'Refused', '/?outcome=refused'))
  t.ok(await before.add('otto.operator', 'Today', '/?last=1'))
  await begin(first.browser())
  const behind = await start([k1, k2])
  await begin(behind.browser())
  await allLiveAt(first.browser(), 'a replica that has not restarted yet')
  const front = await start([k2, k1])
  await begin(front.browser())
  await allLiveAt(behind.browser(), 'the new key stands behind the old')
  await allLiveAt(front.browser(), 'the new key stands in front')
  t.strictSame(await keysInUse(), new Set(['k1', 'k2']))

  const rotate = async (): Promise<string> => {
    let said = ''
    const code = await runMaintenance({ kind: 'keys-rotate', config: undefined }, front.config, {
      write: (text: string) => (said += text),
    })
    t.equal(code, 0, said)
    const lines = said.split('\n').filter((line) => line !== '')
    t.same(lines, [...new Set(lines)], 'nothing is said twice')
    return said
  }
  const told = await rotate()
  t.match(told, /^\d+ sealed anew, \d+ already, 0 over, 0 not to be opened$/m, 'with progress')
  t.match(told, /sealed under k2[^]*k1 can be taken out/)
  t.strictSame(await keysInUse(), new Set(['k2']))
  t.match(await front.auditText(), /"event":"keys\.rotated","outcome":"success","count":\d/)
  const after = await start([k2])
  await allLiveAt(after.browser(), 'the old key is gone')
  const saved = await savedAt(after)
  const titles = async (member: string) => (await saved.list(member)).map(({ title }) => title)
  t.same(await titles('anna.auditor'), ['Last week'], 'who was away meanwhile has it still')
  t.same(await titles('otto.operator'), ['Refused', 'Today'])

  t.match(await rotate(), /^0 sealed anew, [1-9]\d* already, 0 over, 0 not to be opened\nDone/m)
  await raw.flushall()
  t.match(await rotate(), /^0 sealed anew, 0 already, 0 over, 0 not to be opened\nDone/)
})
