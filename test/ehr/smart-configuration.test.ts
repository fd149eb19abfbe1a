import t from 'tap'
import { quirksOf } from '../../src/ehr/quirks.ts'
import { readSmartConfiguration } from '../../src/ehr/smart-configuration.ts'
import { SmartBffError } from '../../src/errors.ts'
import { testTenant } from './support.ts'

const minimal = {
  authorization_endpoint: 'https://ehr.example/authorize',
  token_endpoint: 'https://ehr.example/token',
}

const read = (document: Record<string, unknown> | undefined, tenant = testTenant()) =>
  readSmartConfiguration(document, tenant, quirksOf(tenant))

const codeOf = (act: () => unknown): string => {
  try {
    act()
  } catch (error) {
    return error instanceof SmartBffError ? `${error.code} ${error.detail}` : String(error)
  }
  return 'accepted'
}

t.test('a document without issuer: the FHIR base stands in', async (t) => {
  t.equal(read(minimal).issuer, 'https://ehr.example/fhir/r4')
  t.equal(
    read({ ...minimal, issuer: 'https://ehr.example/oauth2' }).issuer,
    'https://ehr.example/oauth2',
  )
})

t.test(
  'relative endpoints resolve against the FHIR base, which keeps its last segment',
  async (t) => {
    const document = { authorization_endpoint: 'auth', token_endpoint: '/oauth2/token' }
    t.equal(read(document).authorizationEndpoint, 'https://ehr.example/fhir/r4/auth')
    t.equal(read(document).tokenEndpoint, 'https://ehr.example/oauth2/token')
  },
)

t.test('a server that knows only plain PKCE is refused; one without a list is not', async (t) => {
  const plain = { ...minimal, code_challenge_methods_supported: ['plain'] }
  t.match(
    codeOf(() => read(plain)),
    /^EHR_DISCOVERY_INVALID code_challenge/,
  )
  t.equal(
    codeOf(() => read({ ...minimal, code_challenge_methods_supported: [] })),
    'accepted',
  )
  t.equal(
    codeOf(() => read({ ...minimal, code_challenge_methods_supported: ['S256'] })),
    'accepted',
  )
})

t.test('endpoints that a token must never go to', async (t) => {
  const endpoints = [
    'http://ehr.example/token',
    'ftp://x/',
    'https://u:p@ehr.example/',
    'https://a/#b',
    7,
  ]
  for (const token of endpoints) {
    t.match(
      codeOf(() => read({ ...minimal, token_endpoint: token })),
      /^EHR_DISCOVERY_INVALID/,
    )
  }
})

t.test('what is needed and missing is named', async (t) => {
  t.match(
    codeOf(() => read({})),
    /authorization_endpoint is missing/,
  )
  t.match(
    codeOf(() => read(undefined)),
    /not a JSON object/,
  )
})

t.test("a tenant's endpoints win over the document's", async (t) => {
  const tenant = testTenant({ quirks: { endpoints: { token: 'https://other.example/token' } } })
  t.equal(read(minimal, tenant).tokenEndpoint, 'https://other.example/token')
})

t.test('the spelling of Veradigm and athenahealth is read too', async (t) => {
  const document = { ...minimal, token_endpoint_auth_methods: ['client_secret_basic'] }
  t.same(read(document).authMethods, ['client_secret_basic'])
})
