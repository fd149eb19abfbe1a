import { decodeJwt, decodeProtectedHeader } from 'jose'
import t from 'tap'
import type { Tenant, Vendor } from '../../src/config/schema/tenant.ts'
import { clientAuthOf } from '../../src/ehr/client-auth.ts'
import { keysAddress, quirksOf } from '../../src/ehr/quirks.ts'
import { readSmartConfiguration } from '../../src/ehr/smart-configuration.ts'
import { readTokenAnswer } from '../../src/ehr/token-answer.ts'
import { readFhirUser } from '../../src/smart/fhir-user.ts'
import type { JsonObject } from '../../src/smart/json.ts'
import { readLaunchContext } from '../../src/smart/launch-context.ts'
import { covers, parseScopes } from '../../src/smart/scopes.ts'
import { pem, testTenant } from './support.ts'
import { vendorDocument, vendorDocuments, vendorsWithDocuments } from './vendor-documents.ts'

const bases: Partial<Record<Vendor, string>> = {
  epic: 'https://fhir.epic.com/interconnect-fhir-oauth/api/FHIR/R4',
  oracle: 'https://fhir-ehr-code.cerner.com/r4/ec2458f2-1e24-41c8-b71b-0e701af7583d',
  athena: 'https://api.platform.athenahealth.com/fhir/r4',
  veradigm: 'https://fhir.fhirpoint.open.allscripts.com/fhirroute/fhir/CP00101',
  meditech: 'https://greenfield-prod-apis.meditech.com/v2/uscore/STU6',
  medplum: 'https://api.medplum.com/fhir/R4/',
}

const tenantOf = (vendor: Vendor) => testTenant({ vendor, iss: bases[vendor] })

function configurationOf(vendor: Vendor, name = 'smart-configuration') {
  const tenant = tenantOf(vendor)
  return readSmartConfiguration(vendorDocument(vendor, name), tenant, quirksOf(tenant))
}

const answered = (document: JsonObject, status = 200) =>
  readTokenAnswer({ status, contentType: 'application/json', body: JSON.stringify(document) })

const named = (prefix: string) => vendorDocuments.filter(({ name }) => name.startsWith(prefix))

t.test('every document says where it was read, and when', (t) => {
  t.ok(vendorDocuments.length >= 15)
  for (const { vendor, name, source, date } of vendorDocuments) {
    t.ok(source.length > 10, `${vendor} ${name}`)
    t.match(date, /^20\d\d(-\d\d(-\d\d)?)?$/)
  }
  t.end()
})

t.test('every discovery document is usable as it stands', (t) => {
  for (const { vendor, name, document } of [...named('smart-conf'), ...named('openid-conf')]) {
    const configuration = configurationOf(vendor, name)
    t.equal(configuration.authorizationEndpoint, document['authorization_endpoint'], vendor)
    t.equal(configuration.tokenEndpoint, document['token_endpoint'])
    t.ok(configuration.authMethods.length > 0, `${vendor} ${name} names its auth methods`)
  }
  t.end()
})

t.test('what the documents differ in', (t) => {
  t.equal(configurationOf('epic', 'openid-configuration').revocationEndpoint, undefined)
  t.equal(configurationOf('epic', 'smart-configuration-2023').issuer, bases.epic, 'no issuer')
  t.match(configurationOf('athena').issuer, /^https:\/\/athena\.okta\.com\//, 'another host')
  t.same(configurationOf('veradigm').authMethods, ['client_secret_basic', 'client_secret_post'])
  t.ok(configurationOf('meditech').issuer.endsWith('/'), 'the slash is kept')
  t.notOk(configurationOf('meditech').signingAlgorithms.includes('ES384'))
  t.end()
})

t.test('the issuer of every id_token is trusted, and no other tenant of the vendor', (t) => {
  const epic = quirksOf(tenantOf('epic')).issuersFrom(
    configurationOf('epic', 'openid-configuration').issuer,
  )
  t.ok(epic.includes(String(vendorDocument('epic', 'id-token-claims')['iss'])))
  const oracle = quirksOf(tenantOf('oracle')).issuersFrom(configurationOf('oracle').issuer)
  const claims = vendorDocument('oracle', 'id-token-claims')
  t.not(claims['iss'], configurationOf('oracle').issuer, 'not the discovery issuer')
  t.ok(oracle.includes(String(claims['iss'])))
  t.notOk(oracle.some((issuer) => issuer.includes('/tenants/other')))
  t.end()
})

t.test('every fhirUser is understood under its FHIR base', (t) => {
  for (const { vendor, document } of named('id-token-claims')) {
    const user = readFhirUser(String(document['fhirUser']), bases[vendor] ?? '')
    t.match(user, { kind: 'practitioner', reference: /^Practitioner\/[A-Za-z0-9]+$/ }, vendor)
  }
  t.end()
})

t.test('every token answer is read, with the patient and what is unknown dropped', (t) => {
  for (const { vendor, name, document } of named('token-response')) {
    const answer = answered(document)
    t.equal(answer.kind, 'issued', `${vendor} ${name}`)
    const members = answer.kind === 'issued' ? answer.members : {}
    const { context, received } = readLaunchContext(members, bases[vendor] ?? '')
    const patient = name.endsWith('external-patient') ? undefined : document['patient']
    t.equal(context.patient, patient, `${vendor} ${name}`)
    t.equal(context.encounter, document['encounter'])
    t.equal(context.needPatientBanner, document['need_patient_banner'] !== 'false')
    t.same(
      received.filter((member) => !(member in document)),
      [],
    )
  }
  t.end()
})

t.test("Epic's mixed-case v1 scopes count, and its legacy ones grant nothing", (t) => {
  const need = (resource: string) => ({ resource, action: 'r', patient: true }) as const
  const granted = parseScopes(String(vendorDocument('epic', 'token-response')['scope']))
  t.equal(covers(granted, need('ProcedureRequest')).kind, 'none', 'a type that R4 does not know')
  t.equal(covers(granted, need('DocumentReference')).kind, 'all')
  t.equal(covers(granted, need('Specimen')).kind, 'all')
  const legacy = parseScopes(String(vendorDocument('epic', 'token-response-legacy')['scope']))
  t.same(legacy, [])
  t.end()
})

t.test('a refresh brings neither a refresh token nor the patient, and is an answer', (t) => {
  for (const { vendor, document } of named('refresh-response')) {
    const answer = answered(document)
    t.equal(answer.kind, 'issued', vendor)
    t.notOk('refresh_token' in document)
    t.notOk('patient' in document)
  }
  t.end()
})

t.test('refusals are told apart by the vendor', (t) => {
  for (const { vendor, document } of named('token-error')) {
    const { status, body } = document as { status: number; body: { error: string } }
    t.match(answered(body, status), { kind: 'refused', error: body.error, status }, vendor)
  }
  t.same(quirksOf(tenantOf('medplum')).finalRefreshErrors, ['invalid_request'])
  t.same(quirksOf(tenantOf('epic')).finalRefreshErrors, [])
  t.end()
})

t.test("Epic's samples of client authentication are what goes out", async (t) => {
  const tenant = (client: Record<string, unknown>) =>
    testTenant({ vendor: 'epic', iss: bases.epic, client })
  const prove = async (of: Tenant) => {
    const [body, headers] = [new URLSearchParams(), new Headers()]
    const { issuer, tokenEndpoint } = configurationOf('epic', 'openid-configuration')
    const server = { issuer, token_endpoint: tokenEndpoint }
    const auth = clientAuthOf(of.client, quirksOf(of), 'https://app.example/jwks')
    // The library awaits what a ClientAuth returns, though its type says void.
    await Promise.resolve(auth(server, { client_id: of.client.id }, body, headers) as unknown)
    return { body, headers }
  }
  const sample = vendorDocument('epic', 'basic-credentials')
  const { client_id: id, client_secret: secret } = sample
  const basic = await prove(tenant({ id, auth: 'client_secret_basic', secret }))
  t.equal(basic.headers.get('authorization'), sample['authorization'])
  t.notOk(basic.body.has('client_id'), 'and no client_id in the body')

  const { header, claims } = vendorDocument('epic', 'client-assertion') as {
    header: Record<string, unknown>
    claims: Record<string, unknown> & { exp: number; iat: number }
  }
  const keys = [{ kid: 's1', alg: 'RS384', key: pem.RS384() }]
  const { body } = await prove(tenant({ id, auth: 'private_key_jwt', keys }))
  const assertion = body.get('client_assertion') ?? ''
  t.same(decodeProtectedHeader(assertion), { ...header, kid: 's1' })
  const { iss, sub, aud, exp = 0, iat = 0 } = decodeJwt(assertion)
  t.match(claims, { iss, sub, aud }, 'the same names and the same audience')
  t.ok(exp - iat <= claims.exp - claims.iat)
})

t.test('the keys of athenahealth are read with what it requires', (t) => {
  const { path, required } = vendorDocument('athena', 'keys-request')
  const { jwksUri = '' } = configurationOf('athena')
  t.ok(jwksUri.endsWith(String(path)))
  const address = keysAddress(jwksUri, 'my-app', quirksOf(tenantOf('athena')))
  t.same([...new URL(address).searchParams], [['client_id', 'my-app']])
  t.same(required, ['client_id'])
  const own = { jwksClientId: true, endpoints: { jwks: 'https://keys.example/k' } }
  t.equal(keysAddress(jwksUri, 'my-app', own), 'https://keys.example/k')
  t.equal(keysAddress(jwksUri, 'my-app', { ...own, jwksClientId: false, endpoints: {} }), jwksUri)
  t.end()
})

/** The document that bears each option of a vendor's row; which older launches end is our own choice. */
const borneBy: Readonly<Record<string, readonly (readonly [option: string, document: string])[]>> =
  {
    epic: [['basicEncoding', 'basic-credentials']],
    oracle: [
      ['issuersFrom', 'id-token-claims'],
      ['minRefreshSeconds', 'refresh-interval'],
    ],
    athena: [['jwksClientId', 'keys-request']],
    veradigm: [],
    meditech: [],
    medplum: [['finalRefreshErrors', 'token-error']],
  }

t.test('no option of a row without a document', (t) => {
  const generic = Object.entries(quirksOf(testTenant()))
  for (const vendor of vendorsWithDocuments) {
    const row: Readonly<Record<string, unknown>> = { ...quirksOf(tenantOf(vendor)) }
    const own = generic
      .filter(([option, value]) => option !== 'onNewPatient' && row[option] !== value)
      .map(([option]) => option)
    const borne = borneBy[vendor] ?? []
    t.same(own.toSorted(), borne.map(([option]) => option).toSorted(), vendor)
    for (const [, name] of borne) t.ok(vendorDocument(vendor, name), `${vendor} ${name}`)
  }
  const { leastSecondsBetweenRefreshes } = vendorDocument('oracle', 'refresh-interval')
  t.equal(quirksOf(tenantOf('oracle')).minRefreshSeconds, leastSecondsBetweenRefreshes)
  t.end()
})

t.test('every quirk of a row can be overridden by the tenant', (t) => {
  const tenant = testTenant({
    vendor: 'oracle',
    quirks: { minRefreshSeconds: 5, idTokenIssuers: ['https://idp.example'], nonce: true },
  })
  t.match(quirksOf(tenant), {
    minRefreshSeconds: 5,
    idTokenIssuers: ['https://idp.example'],
    nonce: true,
    basicEncoding: 'raw',
  })
  t.end()
})
