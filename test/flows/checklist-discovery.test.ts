import t, { type Test } from 'tap'
import { createDiscovery } from '../../src/ehr/discovery.ts'
import { createEhrHttp } from '../../src/ehr/http.ts'
import { quirksOf } from '../../src/ehr/quirks.ts'
import { json, listen, testTenant } from '../ehr/support.ts'

/** The items "Discovery" of the acceptance checklist, each under its name, against real sockets. */

const wellKnown = '/fhir/r4/.well-known/smart-configuration'
const oauthUris = 'http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris'

interface Rig {
  /** What each path answers; anything else is 404. */
  readonly documents: Map<string, unknown>
  readonly clock: { now: number }
}

async function setUp(t: Test, quirks: Record<string, unknown> = {}) {
  const rig: Rig = { documents: new Map(), clock: { now: 0 } }
  const server = await listen(({ path }, response) => {
    const document = rig.documents.get(path)
    json(response, document ?? {}, document === undefined ? 404 : 200)
  })
  const tenant = testTenant({ iss: `${server.origin}/fhir/r4`, quirks })
  const http = createEhrHttp(tenant)
  t.teardown(async () => {
    await http.close()
    await server.close()
  })
  const resolved = quirksOf(tenant)
  const now = (): number => rig.clock.now
  const discovery = createDiscovery({ tenant, quirks: resolved, http, now, onMoved: () => {} })
  return { ...rig, server, discovery, current: () => discovery.current() }
}

const capability = (origin: string, members: Record<string, unknown> = {}) => ({
  resourceType: 'CapabilityStatement',
  fhirVersion: '4.0.1',
  rest: [
    {
      security: {
        extension: [
          { url: 'https://other.example/extension' },
          {
            url: oauthUris,
            extension: [
              { url: 'authorize', valueUri: `${origin}/authorize` },
              { url: 'token', valueUri: `${origin}/token` },
              { url: 'revoke', valueUri: `${origin}/revoke` },
              { url: 'introspect', valueUri: `${origin}/introspect` },
            ],
          },
        ],
      },
    },
  ],
  ...members,
})

t.test('well-known ok', async (t) => {
  const { current, documents, server } = await setUp(t)
  documents.set(wellKnown, {
    issuer: 'https://issuer.example',
    authorization_endpoint: `${server.origin}/authorize`,
    token_endpoint: `${server.origin}/token`,
    code_challenge_methods_supported: ['S256'],
    capabilities: ['launch-ehr', 'health-cards', 'https://vendor.example/own'],
    anything: { else: true },
  })
  t.match(await current(), {
    issuer: 'https://issuer.example',
    tokenEndpoint: `${server.origin}/token`,
  })
  t.same(
    server.heard.map(({ method, path, headers }) => [method, path, headers.accept]),
    [['GET', wellKnown, 'application/json']],
    'below the FHIR base, whose path is kept @29 @226 @227',
  )
})

t.test('relative endpoints', async (t) => {
  const { current, documents, server } = await setUp(t)
  documents.set(wellKnown, { authorization_endpoint: 'auth/authorize', token_endpoint: '/token' })
  t.match(
    await current(),
    {
      authorizationEndpoint: `${server.origin}/fhir/r4/auth/authorize`,
      tokenEndpoint: `${server.origin}/token`,
    },
    'resolved against the FHIR base @379',
  )
})

t.test('404 -> metadata fallback', async (t) => {
  const { current, documents, server } = await setUp(t, {
    discoveryHeaders: { 'Epic-Client-ID': 'my-app' },
  })
  const large = { description: 'x'.repeat(1_000_000) }
  documents.set('/fhir/r4/metadata', capability(server.origin, large))
  t.match(await current(), {
    issuer: `${server.origin}/fhir/r4`,
    authorizationEndpoint: `${server.origin}/authorize`,
    tokenEndpoint: `${server.origin}/token`,
    revocationEndpoint: `${server.origin}/revoke`,
    introspectionEndpoint: `${server.origin}/introspect`,
    jwksUri: undefined,
  })
  t.same(
    server.heard.map(({ path, headers }) => [path, headers['epic-client-id']]),
    [
      [wellKnown, 'my-app'],
      ['/fhir/r4/metadata', 'my-app'],
    ],
  )
  t.match(server.heard[1]?.headers.accept, /^application\/fhir\+json/)
})

t.test('404 -> metadata fallback, in every spelling of the registry', async (t) => {
  for (const [from, to] of [
    ['fhir-registry', 'FHIR-registry'],
    ['http:', 'https:'],
  ] as const) {
    const { current, documents, server } = await setUp(t)
    const text = JSON.stringify(capability(server.origin))
    documents.set('/fhir/r4/metadata', text.replace(oauthUris, oauthUris.replace(from, to)))
    t.match(await current(), { tokenEndpoint: `${server.origin}/token` }, to)
  }
})

t.test('404 -> metadata fallback, refused where it is of no use', async (t) => {
  const rows: [string, (origin: string) => unknown, string][] = [
    ['DSTU2', (o) => capability(o, { resourceType: 'Conformance' }), 'EHR_DISCOVERY_INVALID'],
    ['STU3', (o) => capability(o, { fhirVersion: '3.0.1' }), 'EHR_DISCOVERY_INVALID'],
    ['no extension', (o) => capability(o, { rest: [{ security: {} }] }), 'EHR_DISCOVERY_INVALID'],
    ['no rest', (o) => capability(o, { rest: null }), 'EHR_DISCOVERY_INVALID'],
    ['not JSON', () => '<CapabilityStatement/>', 'EHR_DISCOVERY_INVALID'],
    ['nothing', () => undefined, 'EHR_DISCOVERY_FAILED'],
  ]
  for (const [name, document, code] of rows) {
    const { current, documents, server } = await setUp(t)
    const body = document(server.origin)
    if (body !== undefined) documents.set('/fhir/r4/metadata', body)
    await t.rejects(current(), { code }, name)
  }
})

t.test('a server that is down is not asked for its metadata', async (t) => {
  const server = await listen((_heard, response) => json(response, '<html>down</html>', 503))
  const tenant = testTenant({ iss: `${server.origin}/fhir/r4` })
  const http = createEhrHttp(tenant)
  t.teardown(() => Promise.all([http.close(), server.close()]))
  const quirks = quirksOf(tenant)
  const discovery = createDiscovery({ tenant, quirks, http, now: () => 0, onMoved: () => {} })
  await t.rejects(discovery.current(), { code: 'EHR_DISCOVERY_FAILED' })
  t.equal(server.heard.length, 1)
})

t.test('`plain`-only PKCE refused', async (t) => {
  const { current, documents, server } = await setUp(t)
  const endpoints = {
    authorization_endpoint: `${server.origin}/authorize`,
    token_endpoint: `${server.origin}/token`,
  }
  documents.set(wellKnown, { ...endpoints, code_challenge_methods_supported: ['plain'] })
  await t.rejects(current(), { code: 'EHR_DISCOVERY_INVALID' }, 'S256 or nothing @13')
  documents.set(wellKnown, endpoints)
  await t.resolves(current(), 'an absent list is an older server')
})

t.test('cache and invalidation', async (t) => {
  const { current, documents, server, clock } = await setUp(t)
  const document = (members: object) => ({
    authorization_endpoint: `${server.origin}/authorize`,
    token_endpoint: `${server.origin}/token`,
    ...members,
  })
  documents.set(wellKnown, document({}))
  await current()
  await current()
  t.equal(server.heard.length, 1, 'asked once an hour')
  clock.now = 7_200_000
  documents.set(wellKnown, document({ revocation_endpoint: `${server.origin}/revoke` }))
  await current()
  await t.resolves(until(async () => (await current()).revocationEndpoint !== undefined))
  t.equal(server.heard.length, 2, 'and a new endpoint beside the known ones is taken up')
})

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5_000
  // oxlint-disable-next-line no-await-in-loop -- each look follows the one before
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('it never came')
    // oxlint-disable-next-line no-await-in-loop -- see above
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
