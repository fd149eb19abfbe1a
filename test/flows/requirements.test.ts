import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TlsOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { createEhrHttp } from '../../src/ehr/http.ts'
import { quirksOf } from '../../src/ehr/quirks.ts'
import { readSmartConfiguration } from '../../src/ehr/smart-configuration.ts'
import type { LoggedRequest } from '../../src/sandbox/control/log.ts'
import { scopeAction } from '../../src/smart/interactions.ts'
import { listGives } from '../../src/smart/scope-lists.ts'
import { covers, parseScope, parseScopes } from '../../src/smart/scopes.ts'
import { testTenant } from '../ehr/support.ts'
import { newCertificate } from '../support/certificate.ts'
import { loadRaw, rawConfig, type Raw } from '../support/config.ts'
import { startHospital, type HospitalOptions } from '../support/hospital.ts'

/**
 * Requirements of SMART App Launch 2.2 on a client that no other test names; docs/smart-conformance.md lists them all.
 * A number behind @ is a requirement's.
 */

async function setUp(t: Test, options: HospitalOptions = {}) {
  const hospital = await startHospital(options)
  t.teardown(() => hospital.close())
  const { sandbox } = hospital
  const at = (where: LoggedRequest['where']): readonly LoggedRequest[] =>
    sandbox.requests().filter((request) => request.where === where)
  return {
    hospital,
    sandbox,
    at,
    browser: hospital.browser(),
    patient: sandbox.patient('amara').id,
  }
}

t.test('codes and tokens go over TLS alone', (t) => {
  const tenant = testTenant()
  const read = (member: string) =>
    readSmartConfiguration(
      {
        authorization_endpoint: 'https://ehr.example/authorize',
        token_endpoint: 'https://ehr.example/token',
        [member]: 'http://ehr.example/plain',
      },
      tenant,
      quirksOf(tenant),
    )
  for (const member of ['authorization_endpoint', 'token_endpoint', 'jwks_uri']) {
    t.throws(
      () => read(member),
      { code: 'EHR_DISCOVERY_INVALID' },
      `a plain ${member} is refused @1 @230 @232 @318`,
    )
  }
  t.notOk(
    loadRaw({ ...rawConfig({ iss: 'http://ehr.example/fhir' }), development: false }).ok,
    'and a plain iss outside development @1',
  )
  t.end()
})

t.test('the EHR proves itself, with TLS 1.2 or newer', async (t) => {
  const certificate = newCertificate()
  const ask = async (server: TlsOptions, upstream: Raw) => {
    const ehr = createServer({ ...certificate, ...server }, (_request, response) => response.end())
    ehr.listen(0, '127.0.0.1')
    await once(ehr, 'listening')
    const http = createEhrHttp(testTenant({ upstream }))
    t.teardown(async () => {
      await http.close()
      ehr.close()
    })
    const { port } = ehr.address() as AddressInfo
    return http.send({ url: new URL(`https://127.0.0.1:${port}/`), method: 'GET', headers: {} })
  }
  const known = { ca: certificate.cert }
  t.match(await ask({}, known), { status: 200 }, 'a server with a known certificate is asked @1')
  const refused = { code: 'EHR_UNREACHABLE' }
  await t.rejects(ask({}, {}), refused, 'one that cannot prove itself is not @1 @318')
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  await t.rejects(ask(old, known), refused, 'nor one with TLS 1.1 @230 @232 @318')
})

t.test('state is one time, known, and of this browser', async (t) => {
  const { hospital, sandbox, at, browser, patient } = await setUp(t)
  const { trail } = await browser.launch({ patient })
  const callback = trail.find((url) => url.includes('/callback/')) ?? ''
  const exchanges = at('token').length
  const replayed = await browser.navigate(callback)
  t.equal(replayed.response.status, 400, 'a state that was used is refused @4 @60')
  const made = new URL(callback)
  made.searchParams.set('state', 'x'.repeat(43))
  t.equal((await browser.navigate(made.href)).response.status, 400, 'an unknown one too @4 @60')

  let stolen = ''
  await hospital.browser().navigate(sandbox.createLaunch({ patient }).url, (step) => {
    if (!step.includes('/callback/')) return step
    stolen = step
    return `${hospital.publicUrl}/healthz`
  })
  const other = await hospital.browser().navigate(stolen)
  t.equal(other.response.status, 400, 'and one of another browser @61')
  t.equal(at('token').length, exchanges, 'without asking the EHR')
})

t.test('what comes to the callback leads nowhere else and is never markup', async (t) => {
  const { sandbox, browser, patient } = await setUp(t)
  const evil = 'https://evil.example/'
  const { url } = await browser.navigate(sandbox.createLaunch({ patient }).url, (step) =>
    step.includes('/callback/') ? `${step}&next=${evil}&redirect_uri=${evil}&target=${evil}` : step,
  )
  t.match(url, /\/app\/[\w-]+\/$/, 'the app and nothing else @6')

  const script = '<script>alert(1)</script>'
  sandbox.control.set({ authorizeError: script })
  const refused = await browser.navigate(sandbox.createLaunch({ patient }).url)
  const page = await refused.response.text()
  t.ok(refused.response.status >= 400)
  t.notOk(page.includes('alert(1)'), 'foreign text is not shown, let alone run @5')
})

t.test('the token stays with the one FHIR server', async (t) => {
  const { sandbox, at, browser, patient } = await setUp(t)
  const { launch } = await browser.launch({ patient })
  const foreign = 'http://127.0.0.1:1/fhir/Organization/1'
  sandbox.control.setFaults([
    {
      where: 'fhir',
      kind: 'body',
      contentType: 'application/fhir+json',
      body: {
        resourceType: 'Patient',
        id: patient,
        managingOrganization: { reference: foreign },
      },
    },
  ])
  const answer = await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
  t.equal(answer.status, 200)
  t.match(await answer.text(), foreign, 'a reference to another server is left as it is @98')
  t.equal(at('fhir').length, 1, 'and nobody follows it @97')
})

t.test('each interaction needs its letter', (t) => {
  t.match(scopeAction, { create: 'c' }, 'c for create @120')
  t.match(scopeAction, { read: 'r', vread: 'r', 'history-instance': 'r' }, 'r for reads @121')
  t.match(scopeAction, { update: 'u', patch: 'u' }, 'u for update and patch @122')
  t.match(scopeAction, { delete: 'd' }, 'd for delete @124')
  t.match(scopeAction, { 'search-type': 's', 'history-type': 's' }, 's for searches @125')
  t.end()
})

t.test('scopes are of the grammar, and go out as configured', async (t) => {
  const scopes = [
    'launch',
    'launch/patient',
    'launch/encounter',
    'launch/diagnosticreport',
    'launch/list?role=https://example.org/at-home',
    'launch/list?role=https://example.org/in-hospital',
    'openid',
    'fhirUser',
    'online_access',
    'patient/Patient.r',
    'patient/*.rs',
    'user/Practitioner.r',
    'patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory',
  ]
  const { at, browser, patient } = await setUp(t, { mode: { scopes } })
  await browser.launch({ patient })
  const sent = at('authorize')[0]?.query['scope']?.[0]?.split(' ') ?? []
  t.strictSame(sent, scopes, 'every scope byte for byte @132 @137 @141 @146 @215')
  t.ok(sent.includes('launch/patient'), 'the patient is asked for @150 @151 @152 @162')
  t.ok(sent.includes('launch/encounter'), 'the encounter is asked for @153')
  t.ok(sent.includes('launch/diagnosticreport'), 'other types in lower case @155')
  t.equal(sent.filter((one) => one.startsWith('launch/list?role=')).length, 2, '@156 @157 @158')
  for (const bad of ['patient/Patient.sr', 'patient/patient.r', 'patient/Patient.', 'user/*.x']) {
    const raw: Raw = rawConfig({ mode: { scopes: [...scopes, bad] } })
    t.notOk(loadRaw(raw).ok, `${bad} is refused before anything starts @135`)
  }
})

t.test('scopes in the form of a URI are understood', (t) => {
  const scope = parseScope('http://smarthealthit.org/fhir/scopes/patient/*.r')
  t.match(scope, { level: 'patient', resource: '*', actions: 'r' }, 'with the SMART prefix @219')
  const openid = ['http://openid.net/specs/openid-connect-core-1_0#openid']
  t.ok(listGives(openid, 'openid'), 'and with that of OpenID Connect @220')
  t.end()
})

t.test('what was not granted is not asked of the EHR', async (t) => {
  const { sandbox, at, browser, patient } = await setUp(t)
  sandbox.control.set({ grantedScopes: 'launch openid fhirUser patient/Patient.rs' })
  const { launch } = await browser.launch({ patient })
  const answer = await browser.fetch(`/fhir/${launch}/Observation?_count=1`)
  t.equal(answer.headers.get('smart-bff-state'), 'scope_insufficient', 'the user is told @147')
  t.equal(at('fhir').length, 0, 'and the EHR was not bothered @147')
  const granted = parseScopes('patient/Patient.rs')
  t.equal(covers(granted, { resource: 'Patient', action: 'r', patient: true }).kind, 'all')
})

t.test('context that the EHR did not explain has its default', async (t) => {
  const { browser, patient } = await setUp(t)
  const { launch } = await browser.launch({
    patient,
    intent: 'something-nobody-knows',
    fhirContext: [{ reference: 'ImagingStudy/1' }],
  })
  const info = (await (await browser.fetch(`/launches/${launch}`)).json()) as {
    intent: unknown
    fhirContext: readonly Raw[]
  }
  t.equal(info.intent, 'something-nobody-knows', 'an unknown intent opens the app @193')
  t.strictSame(info.fhirContext, [{ reference: 'ImagingStudy/1' }], 'no role means launch @191')
})

t.test('an id_token is proved before anybody is believed', async (t) => {
  const { hospital, sandbox, at, patient } = await setUp(t, { vendor: 'oracle' })
  t.ok((await hospital.browser().launch({ patient })).launch)
  const asked = at('discovery').map(({ path }) => path)
  t.ok(
    asked.some((path) => /\/oidc\/idsps\/.*openid-configuration$/.test(path)),
    'from iss to openid-configuration @218',
  )
  t.equal(at('jwks').length, 1, 'to jwks_uri and the keys @218')
  const past = Math.floor(Date.now() / 1000) - 3600
  for (const claims of [{ aud: 'somebody-else' }, { exp: past }, { iss: 'https://x.example' }]) {
    sandbox.control.set({ idToken: claims })
    await t.rejects(hospital.browser().launch({ patient }), /403/, 'OIDC Core 3.1.3.7 @201')
  }
})

t.test('the user is a resource that can be read', async (t) => {
  const mode = {
    scopes: ['launch', 'openid', 'fhirUser', 'patient/Patient.r', 'user/Practitioner.r'],
    allow: [{ feature: 'Signature', resource: 'Practitioner', interactions: ['read'] }],
  }
  const { browser, patient } = await setUp(t, { mode })
  const { launch } = await browser.launch({ patient })
  const info = (await (await browser.fetch(`/launches/${launch}`)).json()) as {
    user: { fhirUser: string }
  }
  const answer = await browser.fetch(`/fhir/${launch}/${info.user.fhirUser}`)
  t.equal(answer.status, 200, 'fhirUser is where the user is read @202')
})
