import t, { type Test } from 'tap'
import type { Settings } from '../../src/sandbox/control/control.ts'
import type { Fault } from '../../src/sandbox/control/faults.ts'
import type { VendorName } from '../../src/sandbox/vendors.ts'
import type { Raw } from '../support/config.ts'
import { startHospital, type Hospital } from '../support/hospital.ts'

/** One launch, a read and a refresh for each form in which an EHR tells where its authorization server is. */

interface Form {
  /** What the sandbox is, where it is not the generic one. */
  readonly server?: VendorName
  readonly discovery?: NonNullable<Settings['discovery']>
  readonly faults?: readonly Fault[]
  /** What the tenant must be configured with. */
  readonly quirks?: (hospital: Hospital) => Raw
  /** The paths that must have been asked, in this order. */
  readonly asked: readonly string[]
}

const smart = '/fhir/r4/.well-known/smart-configuration'
const openid = '/.well-known/openid-configuration'
const noSmart: Fault = {
  where: 'discovery',
  match: { path: 'smart-configuration$' },
  kind: 'status',
  status: 404,
}

const forms: Readonly<Record<string, Form>> = {
  'smart-configuration, whole': { asked: [smart, '/oauth/jwks'] },
  'smart-configuration with relative endpoints': {
    discovery: {
      authorization_endpoint: '../../oauth/authorize',
      token_endpoint: '/oauth/token',
      jwks_uri: '../../oauth/jwks',
    },
    asked: [smart, '/oauth/jwks'],
  },
  "smart-configuration without keys, as at Inferno's server": {
    server: 'inferno',
    asked: [smart, `/fhir/r4${openid}`, '/oauth/jwks'],
  },
  'the FHIR base as issuer, as at the SMART launcher': {
    server: 'launcher',
    asked: [smart, '/oauth/jwks'],
  },
  'CapabilityStatement alone': {
    server: 'launcher',
    faults: [noSmart],
    asked: [smart, '/fhir/r4/metadata', `/fhir/r4${openid}`, '/oauth/jwks'],
  },
  'CapabilityStatement alone, with issuer and keys that the tenant names': {
    faults: [noSmart],
    quirks: ({ sandbox: { origin } }) => ({
      endpoints: { issuer: `${origin}/oauth`, jwks: `${origin}/oauth/jwks` },
    }),
    asked: [smart, '/fhir/r4/metadata', '/oauth/jwks'],
  },
  'endpoints that are wrong, and right in the configuration': {
    discovery: {
      authorization_endpoint: 'http://127.0.0.1:1/authorize',
      token_endpoint: 'http://127.0.0.1:1/token',
      jwks_uri: 'http://127.0.0.1:1/jwks',
    },
    quirks: ({ sandbox: { origin } }) => ({
      endpoints: {
        authorization: `${origin}/oauth/authorize`,
        token: `${origin}/oauth/token`,
        jwks: `${origin}/oauth/jwks`,
      },
    }),
    asked: [smart, '/oauth/jwks'],
  },
}

const client: Raw = { id: 'my-app', auth: 'client_secret_basic', secret: 'my-app-secret-123' }
const scopes = ['launch', 'openid', 'fhirUser', 'offline_access', 'patient/Patient.r']

for (const [name, form] of Object.entries(forms)) t.test(name, (t) => wholeLaunch(t, form))

async function wholeLaunch(t: Test, form: Form): Promise<void> {
  const first = await startHospital({
    ...(form.server === undefined ? {} : { server: form.server }),
    tenant: { client },
    mode: { scopes },
  })
  t.teardown(() => first.close())
  const hospital =
    form.quirks === undefined
      ? first
      : await startHospital({
          tenant: { client, quirks: form.quirks(first) },
          mode: { scopes },
          beside: first,
        })
  if (hospital !== first) t.teardown(() => hospital.close())
  const { sandbox } = hospital
  sandbox.control.set({ discovery: form.discovery ?? null })
  sandbox.control.setFaults(form.faults ?? [])

  const browser = hospital.browser()
  const patient = sandbox.patient('amara').id
  const { launch } = await browser.launch({ patient })
  const info: unknown = await (await browser.fetch(`/launches/${launch}`)).json()
  t.match(info, { patient, user: { kind: 'practitioner', fhirUser: /^Practitioner\// } })
  const read = async () => (await browser.fetch(`/fhir/${launch}/Patient/${patient}`)).status
  t.equal(await read(), 200)
  sandbox.control.revoke('access')
  t.equal(await read(), 200, 'and after a refresh')
  const asked = sandbox
    .requests()
    .filter(({ where, path }) => ['discovery', 'jwks'].includes(where) || path.endsWith('metadata'))
  t.same(
    asked.map(({ path }) => path),
    form.asked,
  )
}
