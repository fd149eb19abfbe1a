import t, { type Test } from 'tap'
import { type Vendor, vendors } from '../../src/config/schema/tenant.ts'
import type { LoggedRequest } from '../../src/sandbox/control/log.ts'
import type { Raw } from '../support/config.ts'
import { startHospital, type Hospital, type TestBrowser } from '../support/hospital.ts'
import { newClientKey } from '../support/keys.ts'

/** One launch, a read and refreshes against the sandbox in each vendor's clothes (smart-conformance.md 5.9). */

const id = 'my-app'
/** Characters on which raw and form-encoded Basic credentials differ. */
const secret = 'this-is/the+secret%2:7'

const keyed = (alg: 'ES384' | 'RS384' | 'ES256' | 'RS256'): Raw => ({
  id,
  auth: 'private_key_jwt',
  keys: [{ kid: 's1', alg, key: newClientKey(alg) }],
})
const basic: Raw = { id, auth: 'client_secret_basic', secret }
const posted: Raw = { id, auth: 'client_secret_post', secret }

/** How each vendor's documents say that a client proves itself; the first is the one to prefer. */
const clientsOf: Readonly<Record<Vendor, readonly Raw[]>> = {
  generic: [keyed('ES384'), keyed('RS384'), basic, posted, { id, auth: 'none' }],
  epic: [basic, keyed('ES384'), posted],
  oracle: [keyed('ES384'), { id, auth: 'client_secret_basic', secret: 'plain-secret' }],
  athena: [posted, basic, keyed('RS384')],
  veradigm: [basic, posted],
  meditech: [keyed('RS384')],
  medplum: [keyed('ES256'), basic],
}

const scopes = [
  'launch',
  'openid',
  'fhirUser',
  'online_access',
  'patient/Patient.rs',
  'patient/Observation.rs',
]

for (const vendor of vendors) {
  for (const client of clientsOf[vendor]) {
    const [key] = (client['keys'] as readonly Raw[] | undefined) ?? []
    const name = `${vendor}, ${[client['auth'], key?.['alg']].filter(Boolean).join(' ')}`
    const more = key?.['alg'] === 'ES256' ? ' @312' : ''
    t.test(name + more, (t) => wholeLaunch(t, vendor, client))
  }
}

async function wholeLaunch(t: Test, vendor: Vendor, client: Raw): Promise<void> {
  // The minimum interval of Oracle Health has a test of its own.
  const quirks = { minRefreshSeconds: 0 }
  const hospital = await startHospital({ vendor, tenant: { client, quirks }, mode: { scopes } })
  t.teardown(() => hospital.close())
  const browser = hospital.browser()
  const { patient, launch } = await opened(hospital, browser)

  const info: unknown = await (await browser.fetch(`/launches/${launch}`)).json()
  t.match(info, { state: 'active', patient, needPatientBanner: true }, 'the context is there')
  t.match(info, { user: { kind: 'practitioner' } }, 'the id_token was accepted')
  const read = async (): Promise<number> =>
    (await browser.fetch(`/fhir/${launch}/Patient/${patient}`)).status
  t.equal(await read(), 200, 'the patient is read')
  t.equal((await browser.fetch(`/fhir/${launch}/Observation?_count=2`)).status, 200)

  for (const time of ['first', 'second']) {
    hospital.sandbox.control.revoke('access')
    t.equal(await read(), 200, `after the ${time} refresh`)
  }
  t.equal(refreshes(hospital).length, 2)
  t.match(await (await browser.fetch(`/launches/${launch}`)).json(), { patient }, 'context is kept')

  hospital.sandbox.control.revoke('all')
  const ended = await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
  t.equal(ended.status, 401, 'a refused refresh asks for a new authorization')
  t.equal(ended.headers.get('smart-bff-state'), 'authorization_expired')
}

async function opened(hospital: Hospital, browser: TestBrowser) {
  const patient = hospital.sandbox.patient('amara').id
  const { launch } = await browser.launch({ patient })
  return { patient, launch }
}

const refreshes = (hospital: Hospital): readonly LoggedRequest[] =>
  hospital.sandbox.requests().filter(({ form }) => form?.['grant_type']?.[0] === 'refresh_token')

t.test('aud is the iss, slash and all, and the FHIR requests have one slash', async (t) => {
  const hospital = await startHospital({ vendor: 'medplum' })
  t.teardown(() => hospital.close())
  const browser = hospital.browser()
  const { patient, launch } = await opened(hospital, browser)
  t.ok(hospital.sandbox.iss.endsWith('/fhir/r4/'))
  await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
  const requests = hospital.sandbox.requests()
  const authorize = requests.find(({ where }) => where === 'authorize')
  t.same(authorize?.query['aud'], [hospital.sandbox.iss])
  t.ok(requests.some(({ path }) => path === `/fhir/r4/Patient/${patient}`))
  t.ok(requests.some(({ path }) => path === '/fhir/r4/.well-known/smart-configuration'))
})

t.test('an Epic site of 2023: no issuer, no keys, no PKCE list in discovery', async (t) => {
  const hospital = await startHospital({ vendor: 'epic', tenant: { client: basic } })
  t.teardown(() => hospital.close())
  hospital.sandbox.control.set({ discovery: { issuer: null, jwks_uri: null } })
  const { sandbox } = hospital
  const patient = sandbox.patient('amara').id
  await t.rejects(hospital.browser().launch({ patient }), /403/, 'nothing names the issuer')

  const named = await startHospital({
    vendor: 'epic',
    tenant: { client: basic, quirks: { idTokenIssuers: [`${sandbox.origin}/oauth`] } },
    beside: hospital,
  })
  t.teardown(() => named.close())
  t.ok((await named.browser().launch({ patient })).launch, 'the configuration does')
})

t.test('an EHR that knows scopes of version 1 alone is asked in its words', async (t) => {
  const quirks = { scopeVersion: 'v1' }
  const hospital = await startHospital({ vendor: 'epic', tenant: { client: basic, quirks } })
  t.teardown(() => hospital.close())
  const browser = hospital.browser()
  const { patient, launch } = await opened(hospital, browser)
  const asked = hospital.sandbox.requests().find(({ where }) => where === 'authorize')
  const sent = 'launch openid fhirUser patient/Patient.read patient/Observation.read'
  t.same(asked?.query['scope'], [sent])
  t.equal((await browser.fetch(`/fhir/${launch}/Patient/${patient}`)).status, 200)
  const [exchange] = (await hospital.audit()).filter(({ event }) => event === 'token.exchanged')
  t.equal(exchange?.['requested'], sent, 'and the record holds what was sent')
})

t.test('Oracle Health is asked for a refresh once a minute at most', async (t) => {
  const hospital = await startHospital({ vendor: 'oracle', mode: { scopes } })
  t.teardown(() => hospital.close())
  const browser = hospital.browser()
  const { patient, launch } = await opened(hospital, browser)
  hospital.sandbox.control.revoke('access')
  const answer = await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
  t.equal(answer.headers.get('smart-bff-state'), 'data_unavailable', 'not an end: try later')
  t.equal(refreshes(hospital).length, 0)
})

t.test('an id_token of an issuer that is not on the list opens nothing', async (t) => {
  const hospital = await startHospital({ vendor: 'oracle' })
  t.teardown(() => hospital.close())
  const patient = hospital.sandbox.patient('amara').id
  for (const iss of [`${hospital.sandbox.origin}/tenants/other/oidc/idsps/other/`, 'https://x.y']) {
    hospital.sandbox.control.set({ idToken: { iss } })
    await t.rejects(hospital.browser().launch({ patient }), /403/, iss)
  }
})
