import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { checkTls, judgeTls } from '../../../src/cli/preflight/tls.ts'
import { type CertificateOptions, newCertificate } from '../../support/certificate.ts'
import { testConfig } from '../../support/config.ts'
import { freePort, startServer } from '../../support/http.ts'

const dayMs = 86_400_000

async function listen(t: Test, options: CertificateOptions = {}, minimum = {}) {
  const certificate = newCertificate(options)
  const server: Server = createServer({ ...certificate, ...minimum }, (_request, response) => {
    response.end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  return { url: `https://127.0.0.1:${port}/`, ca: certificate.cert }
}

function tenantWith(upstream: Record<string, unknown>) {
  const [tenant] = testConfig({ tenant: { upstream } }).tenants
  if (tenant === undefined) throw new Error('no tenant')
  return tenant
}

const look = async (url: string, upstream: Record<string, unknown> = {}) =>
  (await checkTls(tenantWith(upstream), [url, `${url}again`], new Date()))[0]

t.test('a good certificate, looked at once for each host', async (t) => {
  const { url, ca } = await listen(t)
  const findings = await checkTls(tenantWith({ ca }), [url, `${url}token`], new Date())
  t.equal(findings.length, 1)
  t.match(findings[0], { outcome: 'ok', sentence: /^TLSv1\.3, certificate until 20\d\d-/ })
})

t.test('one that ends soon is a warning', async (t) => {
  const { url, ca } = await listen(t, { notAfter: new Date(Date.now() + 10.5 * dayMs) })
  t.match(await look(url, { ca }), { outcome: 'warn', sentence: /ends in 10 days/ })
})

t.test('one that has ended, is not known, or is for another host fails', async (t) => {
  // A bundle of which nothing is valid is no configuration.
  const { cert: another } = newCertificate()
  const expired = await listen(t, { notAfter: new Date(Date.now() - dayMs / 2) })
  t.match(await look(expired.url, { ca: expired.ca + another }), {
    outcome: 'fail',
    sentence: /has expired/,
  })
  const early = await listen(t, { notBefore: new Date(Date.now() + dayMs) })
  t.match(await look(early.url, { ca: early.ca + another }), {
    outcome: 'fail',
    sentence: /not valid yet/,
  })
  const unknown = await listen(t)
  t.match(await look(unknown.url), { outcome: 'fail', sentence: /upstream\.ca/ })
  const other = await listen(t, { host: 'other.example' })
  t.match(await look(other.url, { ca: other.ca }), { outcome: 'fail', sentence: /another host/ })
})

t.test('nobody there, no TLS there, nothing but old TLS there', async (t) => {
  const nobody = await look(`https://127.0.0.1:${await freePort()}/`)
  t.match(nobody, { outcome: 'fail', sentence: 'nothing answers there' })
  const plain = await startServer((_request, response) => response.end())
  t.teardown(() => plain.close())
  t.match(await look(`https://127.0.0.1:${plain.port}/`), { outcome: 'fail' })
  const old = await listen(t, {}, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })
  t.match(await look(old.url, { ca: old.ca }), { outcome: 'fail' })
})

t.test('http is said, and a proxy leaves it to what follows', async (t) => {
  t.match(await look('http://127.0.0.1:1/'), { outcome: 'warn', sentence: /development/ })
  const proxied = await look('https://ehr.example/', { proxy: 'http://127.0.0.1:3128' })
  t.match(proxied, { outcome: 'skip' })
})

t.test('a code of Node that has no sentence stands as it is', (t) => {
  const seen = { fault: 'EPROTO', protocol: undefined, validTo: undefined }
  t.match(judgeTls('ehr.example', seen, new Date()), { outcome: 'fail', sentence: 'EPROTO' })
  t.end()
})
