import t from 'tap'
import { vendors } from '../../src/config/schema/tenant.ts'
import { decodeJwt } from 'jose'
import { clientId, launchApp, token } from './app.ts'
import { startSandbox } from '../../src/sandbox/sandbox.ts'
import { discoveryDocument } from '../../src/sandbox/authorization/discovery.ts'
import { spelledByEpic } from '../../src/sandbox/authorization/vendor-scopes.ts'
import { vendorNames, vendors as rows, type VendorName } from '../../src/sandbox/vendors.ts'
import { vendorDocuments } from '../ehr/vendor-documents.ts'

/** The sandbox's rows against what vendors' EHRs really say (test/fixtures/vendors). */

const origin = 'http://127.0.0.1:9000'

const written = (vendor: VendorName) =>
  discoveryDocument(rows[vendor], origin, null) as Readonly<Record<string, unknown>>

const named = (prefix: string) => vendorDocuments.filter(({ name }) => name.startsWith(prefix))

t.test('the sandbox has a row for every vendor of the configuration', (t) => {
  const others = vendorNames.filter((name) => name !== 'launcher' && name !== 'inferno')
  t.same(others, [...vendors])
  t.end()
})

t.test('what a vendor writes of client authentication and PKCE, the sandbox writes', (t) => {
  const alike = [
    'token_endpoint_auth_methods_supported',
    'token_endpoint_auth_signing_alg_values_supported',
  ]
  for (const { vendor, document } of named('smart-configuration')) {
    const own = written(vendor)
    for (const member of alike.filter((name) => name in document)) {
      const said = document[member] as readonly string[]
      const known = (own[member] ?? []) as readonly string[]
      t.ok(
        known.every((one) => said.includes(one) || vendor === 'athena'),
        `${vendor} ${member}`,
      )
    }
    for (const member of alike.slice(1)) {
      if (member in document) t.same(own[member], document[member], `${vendor} ${member}`)
      else t.notOk(member in own, `${vendor} has no ${member}`)
    }
  }
  t.ok('token_endpoint_auth_methods' in written('veradigm'))
  t.notOk('token_endpoint_auth_methods_supported' in written('veradigm'))
  t.notOk('code_challenge_methods_supported' in written('epic'), 'as the site of 2023')
  t.end()
})

t.test('issuers stand where the vendor puts them', (t) => {
  const atEndpoints = (document: Readonly<Record<string, unknown>>): boolean =>
    new URL(String(document['issuer'])).host === new URL(String(document['token_endpoint'])).host
  for (const { vendor, name, document } of named('smart-configuration')) {
    if (!('issuer' in document)) continue
    t.equal(atEndpoints(written(vendor)), atEndpoints(document), `${vendor} ${name}`)
    t.equal(
      String(written(vendor)['issuer']).endsWith('/'),
      String(document['issuer']).endsWith('/'),
    )
  }
  const tail = /\/tenants\/([^/]+)\/oidc\/idsps\/\1\/$/
  t.match(rows.oracle.idTokenIssuer(origin), tail)
  const claims = vendorDocuments.find(
    ({ vendor, name }) => vendor === 'oracle' && name === 'id-token-claims',
  )
  t.match(claims?.document['iss'], tail)
  t.end()
})

t.test("token answers have the vendor's shape", (t) => {
  for (const { vendor, name, document } of named('token-response')) {
    const row = rows[vendor]
    t.equal(document['token_type'], row.tokenType, `${vendor} ${name}`)
    if ('need_patient_banner' in document) {
      t.equal(typeof document['need_patient_banner'], row.banner)
      const made = Object.keys(row.extraMembers).filter((member) => !(member in document))
      t.same(name.endsWith('external-patient') ? [] : made, [], `${vendor} adds nothing of its own`)
    }
  }
  for (const { vendor, document } of named('refresh-response')) {
    const row = rows[vendor]
    t.equal('refresh_token' in document, row.refreshTokenOnRefresh, `${vendor} refresh token`)
    t.equal('patient' in document, row.contextOnRefresh, `${vendor} context`)
    if (vendor === 'oracle') t.equal(document['expires_in'], row.accessTokenSeconds)
  }
  t.end()
})

t.test(
  'the servers to try apps out against: keys that discovery does not name, aud that is missing',
  async (t) => {
    t.notOk('jwks_uri' in written('inferno'))
    t.equal(written('inferno')['issuer'], `${origin}/fhir/r4`)
    const sandbox = await startSandbox({ vendor: 'launcher' })
    t.teardown(() => sandbox.close())
    const first = await launchApp(sandbox, 'openid fhirUser offline_access patient/*.rs')
    t.match(decodeJwt(first.id_token ?? ''), { aud: clientId, fhirUser: /^Practitioner\// })
    const second = await token(sandbox, {
      grant_type: 'refresh_token',
      refresh_token: first.refresh_token ?? '',
      client_id: clientId,
    })
    t.notOk('aud' in decodeJwt(second.body.id_token ?? ''))
  },
)

t.test('scopes come back as Epic and Oracle Health give them', (t) => {
  t.equal(
    spelledByEpic('launch patient/Patient.rs patient/Observation.cruds'),
    'launch patient/Patient.Read patient/Patient.read patient/Observation.Read ' +
      'patient/Observation.read patient/Observation.write user/Practitioner.Read',
  )
  t.equal(
    rows.oracle.grant('launch openid patient/*.rs patient/Patient.read patient/Patient.rs'),
    'launch openid patient/Patient.rs',
  )
  t.end()
})
