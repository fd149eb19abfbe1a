import fc from 'fast-check'
import t from 'tap'
import {
  judgeCapabilities,
  judgeClient,
  judgeDiscovery,
  judgePkce,
} from '../../src/cli/preflight/judge-configuration.ts'
import { judgeIssuerKeys, judgeOwnKeys } from '../../src/cli/preflight/judge-keys.ts'
import { judgeSupported } from '../../src/cli/preflight/judge-scopes.ts'
import { judgeStatement } from '../../src/cli/preflight/judge-statement.ts'
import { judgeIntrospection } from '../../src/ehr/introspection.ts'
import { readOAuthUris } from '../../src/ehr/oauth-uris.ts'
import { quirksOf } from '../../src/ehr/quirks.ts'
import { readSmartConfiguration } from '../../src/ehr/smart-configuration.ts'
import { SmartBffError } from '../../src/errors.ts'
import { isJsonObject, type JsonObject } from '../../src/smart/json.ts'
import { testTenant } from './support.ts'

/** Documents of an EHR with a member that is not what it should be: understood or refused by name, never a throw of our own. */

const tenant = testTenant({
  client: { id: 'my-app', auth: 'client_secret_basic', secret: 'x' },
  modes: [
    {
      id: 'chart',
      launch: 'ehr',
      user: 'practitioner',
      patient: 'required',
      scopes: ['launch', 'openid', 'fhirUser', 'patient/Patient.r'],
      allow: [
        { feature: 'Banner', resource: 'Patient', interactions: ['read', 'update'], upsert: true },
        { feature: 'Whole', operation: 'Patient/$everything', parameters: ['_type'] },
        { feature: 'Dashboard', bundle: ['batch'] },
      ],
    },
  ],
})
const quirks = quirksOf(tenant)

const smartConfiguration = {
  issuer: 'https://ehr.example/oauth',
  authorization_endpoint: 'https://ehr.example/authorize',
  token_endpoint: '/token',
  jwks_uri: 'https://ehr.example/jwks',
  revocation_endpoint: 'https://ehr.example/revoke',
  code_challenge_methods_supported: ['S256'],
  token_endpoint_auth_methods_supported: ['client_secret_basic'],
  token_endpoint_auth_signing_alg_values_supported: ['ES384'],
  scopes_supported: ['launch', 'patient/*.rs'],
  capabilities: ['launch-ehr'],
}

const statement = {
  resourceType: 'CapabilityStatement',
  fhirVersion: '4.0.1',
  rest: [
    {
      mode: 'server',
      security: {
        extension: [
          {
            url: 'http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris',
            extension: [
              { url: 'authorize', valueUri: 'https://ehr.example/authorize' },
              { url: 'token', valueUri: 'https://ehr.example/token' },
            ],
          },
        ],
      },
      interaction: [{ code: 'batch' }],
      operation: [{ name: 'everything' }],
      resource: [
        {
          type: 'Patient',
          versioning: 'versioned',
          updateCreate: true,
          interaction: [{ code: 'read' }],
          searchParam: [{ name: 'name' }],
          searchInclude: ['*'],
        },
      ],
    },
  ],
}

type Path = readonly (string | number)[]

function pathsOf(value: unknown, at: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [at]
  return [at, ...Object.entries(value).flatMap(([key, one]) => pathsOf(one, [...at, key]))]
}

function replaced(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by
  const copy = (
    Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }
  ) as Record<string | number, unknown>
  copy[key] = replaced(copy[key], rest, by)
  return copy
}

/** The document with another value at one of its places. */
const spoiled = (document: object) =>
  fc
    .tuple(
      fc.constantFrom(...pathsOf(document)),
      fc.oneof(
        fc.constantFrom(null, '', [], {}, [null], 7, true, 'http://', 'x'.repeat(5_000), '\u0000'),
        fc.json({ maxDepth: 3 }).map((text) => JSON.parse(text) as unknown),
      ),
    )
    .map(([path, by]) => replaced(document, path, by))

const asObject = (value: unknown): JsonObject | undefined =>
  isJsonObject(value) ? value : undefined

/** Undefined where it was refused by name. */
function orRefused<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof SmartBffError) return undefined
    throw error
  }
}

const times = { numRuns: 1_500 }

t.test('smart-configuration', (t) => {
  fc.assert(
    fc.property(spoiled(smartConfiguration), (value) => {
      const document = asObject(value)
      const read = orRefused(() => readSmartConfiguration(document, tenant, quirks))
      if (read === undefined) return
      const urls = [read.authorizationEndpoint, read.tokenEndpoint, read.jwksUri]
      if (urls.some((url) => url !== undefined && !url.startsWith('https:')))
        throw new Error('http')
      const [mode] = tenant.modes
      if (mode !== undefined) judgeSupported(mode, mode.scopes, read.scopesSupported)
      judgeDiscovery(tenant, read, document)
      judgePkce(document)
      judgeClient(tenant, read)
      judgeCapabilities(tenant, read)
    }),
    times,
  )
  t.end()
})

t.test('CapabilityStatement', (t) => {
  fc.assert(
    fc.property(spoiled(statement), (value) => {
      const document = asObject(value)
      const uris = orRefused(() => readOAuthUris(document))
      if (uris !== undefined) orRefused(() => readSmartConfiguration(uris, tenant, quirks))
      if (document !== undefined) judgeStatement(tenant, document)
    }),
    times,
  )
  t.end()
})

t.test('a key whose kind is no word', (t) => {
  const body = JSON.stringify({ keys: [{ kty: { toString: 0 } }, { kty: 'RSA' }] })
  const answer = { status: 200, contentType: '', body }
  t.match(
    judgeIssuerKeys('https://ehr.example/jwks', answer).sentence,
    /2 of the EHR \(.*of no kind.*RSA/,
  )
  t.end()
})

t.test('key sets and introspection', (t) => {
  const keys = { keys: [{ kty: 'EC', kid: 's1', crv: 'P-384', x: 'a', y: 'b' }] }
  fc.assert(
    fc.property(spoiled(keys), spoiled({ active: true, patient: 'p1' }), (value, told) => {
      const body = JSON.stringify(value)
      judgeIssuerKeys('https://ehr.example/jwks', { status: 200, contentType: '', body })
      judgeOwnKeys(tenant, 'https://app.example', { status: 200, body, headers: new Headers() })
      const answer = asObject(told)
      const expected = { clientId: 'my-app', patient: 'p1' }
      if (answer !== undefined) orRefused(() => judgeIntrospection(answer, expected))
    }),
    times,
  )
  t.end()
})
