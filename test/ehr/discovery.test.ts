import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createDiscovery } from '../../src/ehr/discovery.ts'
import { createEhrHttp } from '../../src/ehr/http.ts'
import { quirksOf } from '../../src/ehr/quirks.ts'
import { json, listen, testTenant } from './support.ts'

const hour = 3_600_000

async function setUp(t: Test) {
  let tokenPath = '/token'
  let tokenOrigin: string | undefined
  let issuer: string | undefined
  let broken = false
  const server = await listen((_heard, response) => {
    if (broken) return json(response, '<html>down</html>', 503)
    json(response, {
      authorization_endpoint: `${server.origin}/authorize`,
      token_endpoint: (tokenOrigin ?? server.origin) + tokenPath,
      issuer,
    })
  })
  const tenant = testTenant({ iss: `${server.origin}/fhir/r4` })
  const http = createEhrHttp(tenant)
  t.teardown(async () => {
    await http.close()
    await server.close()
  })
  let clock = 0
  const moved: string[] = []
  const discovery = createDiscovery({
    tenant,
    quirks: quirksOf(tenant),
    http,
    now: () => clock,
    onMoved: (endpoint) => moved.push(endpoint),
  })
  return {
    discovery,
    server,
    moved,
    at: (ms: number) => (clock = ms),
    move: (to: string) => (tokenOrigin = to),
    repath: (to: string) => (tokenPath = to),
    rename: (to: string | undefined) => (issuer = to),
    breakDown: () => (broken = true),
    /** The renewal runs in the background: waits until `look` holds, however busy the machine is. */
    settled: async (look: () => boolean | Promise<boolean>) => {
      const deadline = Date.now() + 10_000
      // oxlint-disable-next-line no-await-in-loop
      while (!(await look()) && Date.now() < deadline) await sleep(10)
    },
  }
}

t.test('an issuer that moves to another origin is an endpoint that moves', async (t) => {
  const { discovery, at, rename, moved, settled } = await setUp(t)
  rename('https://issuer.example/one')
  await discovery.current()
  rename('https://issuer.example/two')
  at(2 * hour)
  await discovery.current()
  await settled(async () => (await discovery.current()).issuer.endsWith('two'))
  t.same(moved, [])
  for (const [hours, name] of [
    [4, 'https://evil.example/one'],
    [6, 'no address'],
    [8, undefined],
  ] as const) {
    rename(name)
    at(hours * hour)
    await discovery.current()
    const before = moved.length
    await settled(() => moved.length > before)
    t.equal((await discovery.current()).issuer, 'https://issuer.example/two')
  }
  t.same(moved, ['issuer', 'issuer', 'issuer'])
})

t.test('fetched once, under the FHIR base, for many at once', async (t) => {
  const { discovery, server } = await setUp(t)
  await Promise.all(Array.from({ length: 5 }, () => discovery.current()))
  t.same(
    server.heard.map(({ path }) => path),
    ['/fhir/r4/.well-known/smart-configuration'],
  )
})

t.test('renewed in the background and used while broken for a day', async (t) => {
  const { discovery, at, repath, breakDown, settled } = await setUp(t)
  await discovery.current()
  repath('/token2')
  at(2 * hour)
  t.match((await discovery.current()).tokenEndpoint, /\/token$/, 'the old one answers at once')
  await settled(async () => (await discovery.current()).tokenEndpoint.endsWith('/token2'))
  t.match((await discovery.current()).tokenEndpoint, /\/token2$/, 'the new one is there')
  breakDown()
  at(20 * hour)
  t.match((await discovery.current()).tokenEndpoint, /\/token2$/)
  at(40 * hour)
  await t.rejects(discovery.current(), { code: 'EHR_DISCOVERY_FAILED' })
})

t.test('an endpoint that moves to another origin is reported, not adopted', async (t) => {
  const { discovery, at, move, moved, settled } = await setUp(t)
  await discovery.current()
  move('http://127.0.0.2:1')
  at(2 * hour)
  await discovery.current()
  await settled(() => moved.length > 0)
  t.match((await discovery.current()).tokenEndpoint, /^http:\/\/127\.0\.0\.1/)
  t.same(moved, ['tokenEndpoint'])
})
