import t from 'tap'
import { startHospital } from '../support/hospital.ts'
import { plainFetch } from '../support/http.ts'

/**
 * What a request says of itself opens nothing: other forms of its address, a scheme or host of its own, the name of a
 * health check (oauth2-proxy GHSA-5hvv-m4w4-gf6v, CVE-2026-40575; Fastify CVE-2026-3635).
 */
t.test('no header speaks for another address, host or client', async (t) => {
  const hospital = await startHospital()
  t.teardown(() => hospital.close())
  const { sandbox, publicUrl } = hospital
  const patient = sandbox.patient('amara').id
  const browser = hospital.browser()
  const { launch } = await browser.launch({ patient })
  const disguises: readonly Readonly<Record<string, string>>[] = [
    { 'x-original-url': '/healthz' },
    { 'x-rewrite-url': '/healthz' },
    { 'x-forwarded-uri': '/healthz' },
    { 'x-forwarded-prefix': '/healthz' },
    { 'user-agent': 'kube-probe/1.30' },
    { 'user-agent': 'GoogleHC/1.0' },
    { 'user-agent': 'ELB-HealthChecker/2.0' },
    { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example' },
    { forwarded: 'host=evil.example;proto=https', 'x-real-ip': '127.0.0.1' },
  ]
  sandbox.control.clearRequests()
  for (const disguise of disguises) {
    const what = JSON.stringify(disguise)
    for (const path of [
      `/fhir/${launch}/Patient/${patient}`,
      `/fhir/${launch}/Patient/${patient}?x=/healthz`,
      `/fhir/${launch}/Patient/${patient}%23/healthz`,
      `/launches/${launch}`,
      `/launches/${launch}?/healthz`,
    ]) {
      const answer = await plainFetch(publicUrl + path, {
        headers: { 'smart-bff': '1', ...disguise },
      })
      t.ok([400, 401].includes(answer.status), `${path} ${what}: ${answer.status}`)
      t.notMatch(await answer.text(), new RegExp(`"id":"${patient}"|"patient"`))
    }
    const begun = await plainFetch(sandbox.createLaunch({ patient }).url, { headers: disguise })
    const location = begun.headers.get('location') ?? ''
    t.ok(location.startsWith('/') || location.startsWith(publicUrl), `${what}: ${location}`)
  }
  t.equal(sandbox.requests().filter(({ where }) => where === 'fhir').length, 0)

  const spoofed = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' }
  const own = await browser.fetch(`/fhir/${launch}/Patient/${patient}`, { headers: spoofed })
  t.equal(own.status, 200)
  t.notMatch(JSON.stringify([...own.headers]) + (await own.text()), 'evil.example')
  const redirects = sandbox.requests().flatMap(({ query }) => query['redirect_uri'] ?? [])
  t.ok(
    redirects.every((uri) => uri.startsWith(`${publicUrl}/callback/`)),
    'the redirect URI is the configured one',
  )
})
