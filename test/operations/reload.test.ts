import { decodeProtectedHeader } from 'jose'
import t from 'tap'
import { together, renewable } from '../../src/config/renewable.ts'
import type { Config } from '../../src/config/schema/config.ts'
import type { Tenant } from '../../src/config/schema/tenant.ts'
import { Secret } from '../../src/config/secret.ts'
import { createLog } from '../../src/operations/log.ts'
import { createReload } from '../../src/operations/reload.ts'
import { startHospital, type TestBrowser } from '../support/hospital.ts'
import { newClientKey, newSecretKey } from '../support/keys.ts'

/** What a reload takes over while launches live, and what it refuses. The signal itself: test/cli/serve.test.ts. */

const clientKey = (kid: string) => ({ kid, alg: 'ES384' as const, key: newClientKey('ES384') })
const client = {
  id: 'smart-bff-test',
  auth: 'private_key_jwt',
  keys: [clientKey('c1'), clientKey('c2')],
}
const hospital = await startHospital({ tenant: { client } })
t.teardown(() => hospital.close())
const { sandbox, config, app } = hospital
const patient = sandbox.patient('amara').id
const [north] = config.tenants
if (north === undefined) throw new Error('no tenant')

const withTenant = (changes: Partial<Tenant>): Config => ({
  ...config,
  tenants: [{ ...north, ...changes }],
})
const encryptionKey = (id: string) => ({ id, secret: new Secret(newSecretKey()) })

/** Back to the configuration of the start, so that each test begins alike. */
t.afterEach(async () => {
  await app.reload(config)
})

async function read(browser: TestBrowser, launch: string): Promise<number> {
  const answer = await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
  await answer.body?.cancel()
  return answer.status
}

t.test('an encryption key behind, then in front: launches of before and after live', async (t) => {
  const browser = hospital.browser()
  const { launch: before } = await browser.launch({ patient })
  const draft = await browser.fetch(`/launches/${before}/draft`, {
    method: 'PUT',
    headers: { 'if-match': '"none"', origin: hospital.publicUrl, 'content-type': 'text/plain' },
    body: 'not yet signed',
  })
  t.ok(draft.ok, `draft ${String(draft.status)}`)
  const k2 = encryptionKey('k2')
  const ring = (...encryption: Config['keys']['encryption']): Config => ({
    ...config,
    keys: { ...config.keys, encryption },
  })
  const k1 = config.keys.encryption
  t.match(await app.reload(ring(...k1, k2)), { applied: true, keys: ['keys.encryption'] })
  t.equal(await read(browser, before), 200)
  t.match(await app.reload(ring(k2, ...k1)), { applied: true })
  t.equal(await read(browser, before), 200)
  const kept = await browser.fetch(`/launches/${before}/draft`)
  t.equal(await kept.json(), 'not yet signed')
  const { launch: after } = await browser.launch({ patient })
  t.equal(await read(browser, after), 200)
  t.same(
    await app.reload(ring(...k1)),
    { applied: false, keys: ['keys.encryption'] },
    'the key that seals now may not go',
  )
  const other = { id: k2.id, secret: new Secret(newSecretKey()) }
  t.match(await app.reload(ring(other, ...k1)), { applied: false, keys: ['keys.encryption'] })
  t.equal(await read(browser, after), 200, 'and nothing has changed')
  await app.reload(ring(...k1, k2))
})

t.test('a session secret: the cookie of before is good, and is signed anew', async (t) => {
  const browser = hospital.browser()
  const { launch } = await browser.launch({ patient })
  const session = [new Secret(newSecretKey()), ...config.keys.session]
  const next = { ...config, keys: { ...config.keys, session } }
  t.match(await app.reload(next), { applied: true, keys: ['keys.session'] })
  t.equal(await read(browser, launch), 200)
  const before = browser.jar.cookies.get('__Host-smart-bff')
  await browser.launch({ patient })
  t.not(browser.jar.cookies.get('__Host-smart-bff'), before, 'under the new secret')
  t.match(await app.reload(config), { applied: false, keys: ['keys.session'] })
  await app.reload({ ...config, keys: { ...config.keys, session: session.toReversed() } })
})

t.test('client keys: published at once, and the first signs', async (t) => {
  const published = async (): Promise<string[]> => {
    const set = (await (await fetch(`${hospital.publicUrl}/.well-known/jwks.json`)).json()) as {
      keys: { kid: string }[]
    }
    return set.keys.map(({ kid }) => kid)
  }
  const signedWith = async (): Promise<string | undefined> => {
    await hospital.browser().launch({ patient })
    const asked = sandbox.requests().findLast(({ form }) => form?.['client_assertion'])
    return decodeProtectedHeader(asked?.form?.['client_assertion']?.[0] ?? '').kid
  }
  t.same(await published(), ['c1', 'c2'])
  t.equal(await signedWith(), 'c1')
  if (north.client.auth !== 'private_key_jwt') throw new Error('no keys')
  const c3 = { ...clientKey('c3'), key: new Secret(newClientKey('ES384')) }
  const keys = [...north.client.keys.toReversed(), c3]
  const next = withTenant({ client: { ...north.client, keys } })
  t.match(await app.reload(next), { applied: true, keys: ['tenants[0].client.keys'] })
  t.same(await published(), ['c2', 'c1', 'c3'])
  t.equal(await signedWith(), 'c2')
})

t.test('a tenant is paused, with its text, and goes on', async (t) => {
  const browser = hospital.browser()
  const { launch } = await browser.launch({ patient })
  const paused = withTenant({ paused: 'Back at noon.' })
  t.match(await app.reload(paused), { applied: true, keys: ['tenants[0].paused'] })
  t.equal(await read(browser, launch), 503)
  const { response } = await hospital.browser().navigate(sandbox.createLaunch({ patient }).url)
  t.match(await response.text(), /Back at noon\./)
  t.match(await app.reload(withTenant({ support: { text: 'Call 1.' } })), {
    applied: true,
    keys: ['tenants[0].support.text', 'tenants[0].paused'],
  })
  t.equal(await read(browser, launch), 200)
  const info = (await (await browser.fetch(`/launches/${launch}`)).json()) as { support: string }
  t.equal(info.support, 'Call 1.')
})

t.test('limits', async (t) => {
  const browser = hospital.browser()
  const { launch } = await browser.launch({ patient })
  const rateLimits = { launchPerMinute: 1, fhirPerLaunchPerMinute: 60 }
  t.match(await app.reload({ ...config, rateLimits }), { applied: true })
  let limited = 0
  for (let count = 0; count < 70; count += 1) {
    if ((await read(browser, launch)) === 429) limited += 1
  }
  t.ok(limited >= 5, `${String(limited)} were limited`)
  const { response } = await browser.navigate(sandbox.createLaunch({ patient }).url)
  t.equal(response.status, 429)
})

t.test('one key that needs a restart: nothing of the file is taken', async (t) => {
  const next = { ...withTenant({ paused: 'x', name: 'West' }), drainSeconds: 3 }
  t.same(await app.reload(next), { applied: false, keys: ['drainSeconds', 'tenants[0].name'] })
  const { response } = await hospital.browser().navigate(sandbox.createLaunch({ patient }).url)
  t.equal(response.status, 200)
  const events = (await hospital.audit()).map(({ event }) => event)
  t.equal(events.filter((event) => event === 'process.started').length, 1, 'a reload is no start')
  t.ok(events.includes('keys.changed'))
})

t.test('what could not be taken is told as refused, and as nothing else', async (t) => {
  const counted: string[] = []
  const said: object[] = []
  const destination = { write: (line: string) => void said.push(JSON.parse(line)) }
  const log = createLog({ level: 'info', destination })
  let fails = true
  const { reload, reloadRefused } = createReload({
    config,
    log,
    metrics: { reload: (result) => counted.push(result) },
    renewals: [],
    listeners: () => [],
    record: async () => {
      if (fails) throw new Error('the audit cannot be written')
    },
  })
  const next = withTenant({ paused: 'Back at noon.' })
  await t.rejects(reload(next), /the audit cannot be written/)
  t.same(counted, ['refused'])
  reloadRefused(4)
  t.same(counted, ['refused', 'refused'])
  t.match(said, [
    { event: 'config.refused', reason: 'failed', count: 1 },
    { event: 'config.refused', reason: 'faults', count: 4 },
  ])
  fails = false
  t.match(await reload(next), { applied: true, keys: ['tenants[0].paused'] })
  t.same(counted, ['refused', 'refused', 'applied'])
})

t.test('several parts: the second that cannot be made leaves the first as it was', (t) => {
  const first = renewable(1, (value) => ({ value: () => value }))
  const second = renewable(1, (value) => {
    if (value > 1) throw new Error('cannot be made')
    return { value: () => value }
  })
  t.throws(() => together([first.renew, second.renew])(2), /cannot be made/)
  t.equal(first.part.value(), 1)
  first.renew(2)()
  t.equal(first.part.value(), 2)
  t.end()
})
