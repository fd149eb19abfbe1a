import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { connect, type ConnectionOptions } from 'node:tls'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Agent } from 'undici'
import { createApp } from '../../src/app.ts'
import { newCertificate } from '../support/certificate.ts'
import { configOf, rawConfig, type Raw } from '../support/config.ts'
import { startForwardProxy } from '../support/forward-proxy.ts'
import { createBrowser, sandboxFor, withIss } from '../support/hospital.ts'
import { createCookieJar, freePort, plainFetch, toThisMachine } from '../support/http.ts'
import { startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'
import { authorize, startIdentityProvider } from '../staff/staff-rig.ts'

/**
 * A hospital without an ingress, in production: our own three listeners speak TLS, and EHR, identity provider and Redis
 * are reached with what the site asks for. The two names of the first exist behind the site's proxy alone, and the EHR
 * and Redis let nobody in without a certificate.
 */
const [app, operations, staff, ehr, idp, ours, desk, stranger] = [
  'app.hospital.example',
  'probes.hospital.example',
  'audit.hospital.example',
  'ehr.hospital.example',
  'idp.hospital.example',
  'smart-bff.hospital.example',
  'desk.hospital.example',
  'stranger.example',
].map((host) => newCertificate({ host })) as [Made, Made, Made, Made, Made, Made, Made, Made]
type Made = ReturnType<typeof newCertificate>
const stored = newCertificate()

const ports = { app: await freePort(), operations: await freePort(), staff: await freePort() }
const publicUrl = `https://app.hospital.example:${ports.app}`
const probes = `https://probes.hospital.example:${ports.operations}`
const site = `https://audit.hospital.example:${ports.staff}`

const names = {
  app: { servername: 'app.hospital.example' },
  operations: { servername: 'probes.hospital.example' },
  staff: { servername: 'audit.hospital.example' },
}

const folder = mkdtempSync(join(tmpdir(), 'smart-bff-tls-'))
const proxy = await startForwardProxy({ user: 'smart-bff', password: 'p@ss:w/rd+%1' })
const redis = await startRedis({ tls: { ...stored, clients: true } })
const provider = await startIdentityProvider(`${site}/sign-in/callback`, {
  ...idp,
  name: 'idp.hospital.example',
})

const listen = (port: number, { cert, key }: Made): Raw => ({
  host: '127.0.0.1',
  port,
  tls: { cert, key },
})
const upstream = {
  proxy: proxy.url,
  ca: ehr.cert,
  clientCertificate: ours,
  timeoutMs: 2000,
}
const raw = rawConfig({
  publicUrl,
  root: {
    development: false,
    listen: listen(ports.app, app),
    operations: {
      listen: listen(ports.operations, operations),
      publicUrl: site,
      staff: {
        listen: listen(ports.staff, staff),
        oidc: {
          issuer: provider.issuer,
          clientId: 'smart-bff',
          clientSecret: 'staff-secret',
          proxy: proxy.url,
          ca: idp.cert,
        },
        roles: { claim: 'groups', auditor: ['privacy-office'], operator: ['service-desk'] },
      },
    },
    store: {
      redis: { url: redis.url, tls: { ca: stored.cert, cert: stored.cert, key: stored.key } },
    },
    audit: { directory: folder },
  },
  tenant: {
    // Of the shape that a configuration must have; the sandbox's own are laid over it.
    iss: 'https://ehr.hospital.example/fhir/r4',
    frameAncestors: ['https://ehr.hospital.example'],
    upstream,
  },
})
const sandbox = await sandboxFor(raw, publicUrl, {
  sandboxTls: { ...ehr, name: 'ehr.hospital.example', clients: ours.cert + desk.cert },
})
const complete = withIss(raw, sandbox)
const ehrHost = new URL(sandbox.origin).host

t.teardown(async () => {
  await sandbox.close()
  provider.close()
  await proxy.close()
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

const [tenant] = complete['tenants'] as Raw[]

async function start(t: Test, over: Raw = {}): Promise<void> {
  const tenants = [{ ...tenant, upstream: { ...upstream, ...over } }]
  const running = await createApp(configOf({ ...complete, tenants }))
  t.teardown(() => running.stop())
  await running.start()
}

/** Who knows these certificates, and may show one. */
function sender(t: Test, known: readonly Made[], own?: Made): typeof plainFetch {
  const ca = known.map(({ cert }) => cert)
  const agent = new Agent({ connect: { ca, ...own, lookup: toThisMachine } })
  t.teardown(() => agent.destroy())
  return async (url, init) => plainFetch(url, init, agent)
}

const openBrowser = (t: Test) =>
  createBrowser(publicUrl, publicUrl, sandbox, sender(t, [app]), sender(t, [ehr], desk))

const auditText = (): string =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('')

t.test('a launch, reads and the end: discovery, token, keys, data, revocation', async (t) => {
  await start(t)
  const { id: patient } = sandbox.patient('amara')
  const browser = openBrowser(t)
  sandbox.control.clearRequests()
  const { launch, response } = await browser.launch({ patient })
  t.equal(response.status, 200)
  t.equal(response.headers.get('strict-transport-security'), 'max-age=63072000')
  const read = await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
  t.equal(read.status, 200)
  t.equal(Object(await read.json()).id, patient)
  const found = await browser.fetch(`/fhir/${launch}/Observation?_count=2`)
  t.equal(Object(await found.json()).entry.length, 2)
  // Ours is the only certificate that we have, and the EHR's name is known to the proxy alone.
  t.ok(proxy.opened.includes(ehrHost), 'a tunnel to the EHR')
  t.equal(proxy.refused(), 0)

  const ended = await browser.fetch(`/launches/${launch}`, {
    method: 'DELETE',
    headers: { origin: publicUrl },
  })
  t.equal(ended.status, 204)
  const asked = ['discovery', 'token', 'jwks', 'fhir', 'revoke']
  await until(
    () => new Set(sandbox.requests().map(({ where }) => where)),
    (seen) => asked.every((where) => seen.has(where as 'fhir')),
  )
})

t.test('a proxy that is spoken with by TLS, under the same authorities', async (t) => {
  const sealed = await startForwardProxy({ tls: stored, user: 'smart-bff', password: 'p@ss' })
  t.teardown(() => sealed.close())
  const { id: patient } = sandbox.patient('amara')
  const launching = async (t: Test, ca: string) => {
    await start(t, { proxy: sealed.url, ca })
    return openBrowser(t).navigate(sandbox.createLaunch({ patient }).url)
  }
  await t.test('known', async (t) => {
    const { response } = await launching(t, ehr.cert + stored.cert)
    t.equal(response.status, 200)
    t.ok(sealed.opened.includes(ehrHost), 'a tunnel to the EHR')
  })
  await t.test('of nobody known: nothing is said to it, not even the password', async (t) => {
    const before = sealed.opened.length + sealed.refused()
    const { response } = await launching(t, ehr.cert)
    t.equal(response.status, 502)
    t.equal(sealed.opened.length + sealed.refused(), before)
  })
})

t.test('a proxy that opens no tunnel any more, and then again', async (t) => {
  await start(t)
  const { id: patient } = sandbox.patient('amara')
  const browser = openBrowser(t)
  const { launch } = await browser.launch({ patient })
  const read = async (): Promise<number> =>
    (await browser.fetch(`/fhir/${launch}/Patient/${patient}`)).status
  t.equal(await read(), 200)
  t.teardown(() => proxy.answers(true))
  proxy.answers(false)
  proxy.cut()
  t.equal(await read(), 504, 'within the limit of a request to the EHR')
  proxy.answers(true)
  // What waits for a tunnel that never came is given up, and the next one is asked for.
  await until(read, (status) => status === 200)
})

t.test('an EHR that does not know us, and a proxy that does not: a calm page', async (t) => {
  const wrong = new URL(proxy.url)
  wrong.password = 'hunter2'
  for (const [name, over] of [
    ['no certificate', { clientCertificate: undefined }],
    ['a certificate of nobody known', { clientCertificate: stranger }],
    ['an authority that did not sign the EHR’s', { ca: stranger.cert }],
    ['another password', { proxy: wrong.href }],
  ] as const) {
    await t.test(name, async (t) => {
      await start(t, over)
      sandbox.control.clearRequests()
      const refused = proxy.refused()
      const url = sandbox.createLaunch({ patient: sandbox.patient('amara').id }).url
      const { response } = await openBrowser(t).navigate(url)
      t.equal(response.status, 502)
      t.equal(response.headers.get('smart-bff-state'), 'data_unavailable')
      const page = await response.text()
      t.notMatch(page, /hunter2|certificate|proxy|alert/i)
      t.same(sandbox.requests(), [], 'nothing was asked of the EHR')
      t.equal(proxy.refused() > refused, name === 'another password')
    })
  }
  t.match(auditText(), '"reason":"EHR_UNREACHABLE"')
  t.notMatch(auditText(), /hunter2|p@ss|p%40ss/)
})

t.test('probes, metrics and the staff site over TLS of their own', async (t) => {
  await start(t)
  const ask = sender(t, [operations])
  for (const [path, said] of [
    ['/healthz', /^ok\n$/],
    ['/readyz', /^ready\n$/],
    ['/metrics', /^smart_bff_ready 1$/m],
  ] as const) {
    const answer = await ask(probes + path)
    t.equal(answer.status, 200, path)
    t.match(await answer.text(), said)
  }
  t.equal((await ask(`${probes}/tenants`)).status, 404, 'the staff site is elsewhere')

  const jar = createCookieJar(sender(t, [staff]))
  t.equal((await jar.fetch(`${site}/tenants`)).status, 401)
  const begun = await jar.fetch(`${site}/sign-in/begin`)
  const back = await authorize(
    begun.headers.get('location') ?? '',
    'otto.operator',
    sender(t, [idp]),
  )
  t.equal((await jar.fetch(back)).status, 200)
  t.ok(proxy.opened.includes(new URL(provider.issuer).host), 'the provider is met by the proxy')
  const page = await jar.fetch(`${site}/tenants`)
  t.equal(page.status, 200)
  t.equal(page.headers.get('strict-transport-security'), 'max-age=63072000')
  const text = await page.text()
  for (const own of ['the app’s listener', 'the operations listener', 'the staff site']) {
    t.match(text, `Certificate of ${own}`)
  }
  t.equal((await jar.fetch(`${site}/readyz`)).status, 404, 'and the probes are not there')
})

t.test(
  'each listener: TLS 1.2 and 1.3, its own certificate, and nothing in the clear',
  async (t) => {
    await start(t)
    for (const [name, { cert }] of [
      ['app', app],
      ['operations', operations],
      ['staff', staff],
    ] as const) {
      const port = ports[name]
      const shake = async (options: ConnectionOptions): Promise<string> => {
        const socket = connect({ port, host: '127.0.0.1', ca: cert, ...names[name], ...options })
        try {
          await once(socket, 'secureConnect')
          return socket.getProtocol() ?? ''
        } catch (error) {
          return String(Object(error).code)
        } finally {
          socket.destroy()
        }
      }
      t.equal(await shake({}), 'TLSv1.3', name)
      t.equal(await shake({ maxVersion: 'TLSv1.2' }), 'TLSv1.2', name)
      // OpenSSL itself offers it at this level only.
      const old = {
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1.1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      } as const
      t.match(await shake(old), /PROTOCOL_VERSION/, name)
      t.match(await shake({ ca: stranger.cert }), /SELF_SIGNED/, name)
      await t.rejects(plainFetch(`http://127.0.0.1:${port}/healthz`), name)
    }
  },
)
