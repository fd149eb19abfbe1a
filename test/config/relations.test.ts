import t from 'tap'
import { generateKeyPairSync } from 'node:crypto'
import { loadRaw, type Raw, rawConfig, rawKeys, rawMode, rawTenant } from '../support/config.ts'
import { newClientKey, newRsaKey, newSecretKey, newSigningKey, pemOf } from '../support/keys.ts'

/** A table: what is written, and the exact keys that are faulted for it. */

const clientKey = newClientKey('ES384')
const rsaKey = newRsaKey(2048)
const sharedSecret = newSecretKey()

const production = (root: Raw = {}, tenant: Raw = {}): Raw =>
  rawConfig({
    publicUrl: 'https://app.hospital.example',
    root: { development: false, store: { redis: { url: 'rediss://redis:6379' } }, ...root },
    tenant: {
      iss: 'https://ehr.example/fhir',
      frameAncestors: ['https://ehr.example'],
      ...tenant,
    },
  })

const oidc = { issuer: 'https://idp.example', clientId: 'a', clientSecret: 'b' }
const roles = { claim: 'groups', auditor: ['privacy'] }
const phc = `$scrypt$ln=17,r=8,p=1$${'a'.repeat(22)}$${'b'.repeat(43)}`
const local = [{ name: 'A', passwordHash: phc, role: 'auditor' }]
const auditHost = { publicUrl: 'https://audit.hospital.example' }
const client = (keys: Raw[]): Raw => ({ id: 'a', auth: 'private_key_jwt', keys })
const two = (first: Raw, second: Raw): Raw =>
  rawConfig({
    root: {
      tenants: [
        rawTenant({ client: { id: 'a', auth: 'none' }, ...first }),
        rawTenant({
          id: 'south',
          iss: 'http://127.0.0.1:9001/fhir',
          client: { id: 'a', auth: 'none' },
          ...second,
        }),
      ],
    },
  })
const mode = (over: Raw): Raw => rawConfig({ mode: over })
const rule = (over: Raw): Raw =>
  mode({ allow: [{ feature: 'x', resource: 'Observation', interactions: ['read'], ...over }] })
const confirmBeside = (over: Raw): Raw => {
  const confirmed = { feature: 'x', resource: 'Observation', interactions: ['create'] }
  return mode({
    allow: [
      { ...confirmed, confirm: true },
      { feature: 'y', resource: 'Patient', ...over },
    ],
  })
}
const keys = (over: Raw): Raw => rawConfig({ root: { keys: { ...rawKeys(), ...over } } })
const named = (id: string, secret = newSecretKey()): Raw => ({ id, secret })
const anyScript = [
  "'unsafe-inline'",
  "'UNSAFE-EVAL'",
  "'unsafe-hashes'",
  "'strict-dynamic'",
  "'nonce-abc'",
  "'sha256-'",
  '*',
  'https:',
  'data:',
  'blob:',
  'filesystem:',
  'https://*',
  '*:*',
  '*:443',
  'http://*:*',
  '*.com',
  'https://*.example',
  'https://a.*.example',
  'cdn.example:*',
]
const someScript = [
  "'self'",
  "'Self'",
  "'wasm-unsafe-eval'",
  "'report-sample'",
  `'sha256-${'a'.repeat(43)}='`,
  `'sha384-${'+/'.repeat(32)}'`,
  'cdn.example',
  'https://cdn.example',
  'https://*.cdn.example',
  'cdn.example:8443/js/a.js',
  'http://localhost:5173',
  'https://[::1]:8443',
]
const at = 'tenants[0]'
const inMode = 'tenants[0].modes[0]'

const table: [name: string, raw: Raw, faults: string[]][] = [
  ['development as it is', rawConfig(), []],
  ['production as it is', production(), []],
  // Production
  ['http publicUrl', production({ publicUrl: 'http://app.example' }), ['publicUrl']],
  ['loopback publicUrl', production({ publicUrl: 'https://localhost' }), ['publicUrl']],
  ['http iss', production({}, { iss: 'http://ehr.example/fhir' }), [`${at}.iss`]],
  ['loopback iss', production({}, { iss: 'https://127.0.0.1/fhir' }), [`${at}.iss`]],
  [
    'http frame ancestor',
    production({}, { frameAncestors: ['https://a.example', 'http://b.example'] }),
    [`${at}.frameAncestors[1]`],
  ],
  [
    'http endpoint',
    production({}, { quirks: { endpoints: { token: 'http://ehr.example/token' } } }),
    [`${at}.quirks.endpoints.token`],
  ],
  ['http app upstream is beside us', production({ app: { upstream: 'http://app:8080' } }), []],
  ['memory store', production({ store: { memory: {} } }), ['store']],
  [
    'local staff',
    production({ operations: { ...auditHost, staff: { oidc, roles, local } } }),
    ['operations.staff.local'],
  ],
  // Listeners and staff
  [
    'one port twice',
    rawConfig({
      root: { listen: { host: '::', port: 1 }, operations: { listen: { host: '::', port: 1 } } },
    }),
    ['operations.listen.port'],
  ],
  ['staff', production({ operations: { ...auditHost, staff: { oidc, roles } } }), []],
  [
    'staff without sign-in and address',
    rawConfig({ root: { operations: { staff: {} } } }),
    ['operations.staff', 'operations.publicUrl'],
  ],
  [
    'staff without roles',
    production({ operations: { ...auditHost, staff: { oidc } } }),
    ['operations.staff.roles'],
  ],
  [
    'staff on the same host',
    production({
      operations: { publicUrl: 'https://app.hospital.example:8443', staff: { oidc, roles } },
    }),
    ['operations.publicUrl'],
  ],
  [
    'a plain password',
    rawConfig({
      root: {
        operations: {
          publicUrl: 'http://localhost:3001',
          staff: { local: [{ name: 'A', passwordHash: 'hunter2', role: 'auditor' }] },
        },
      },
    }),
    ['operations.staff.local[0].passwordHash'],
  ],
  [
    'idle longer than absolute',
    rawConfig({ root: { session: { idleMinutes: 20, absoluteMinutes: 10 } } }),
    ['session.idleMinutes'],
  ],
  [
    'proxies',
    production({
      trustProxy: [
        '10.0.0.0/8',
        '10.0.0.1',
        'fd00::/8',
        '::1',
        'loopback',
        '1',
        '10.0.0.0/33',
        'fd00::/129',
        '10.0.0.0/08',
        '0.0.0.0/0',
        '10.0.0.0/8/8',
        '10.0.0.0/',
      ],
    }),
    [4, 5, 6, 7, 8, 9, 10, 11].map((index) => `trustProxy[${index}]`),
  ],
  ['a count of hops', rawConfig({ root: { trustProxy: [1] } }), ['trustProxy[0]']],
  // Keys
  ['key ids', keys({ encryption: [named('a'), named('a')] }), ['keys.encryption[1].id']],
  [
    'one secret twice',
    keys({ encryption: [named('a', sharedSecret)], session: [sharedSecret] }),
    ['keys.session[0]'],
  ],
  ['all alike', keys({ session: ['A'.repeat(43)] }), ['keys.session[0]']],
  ['too short', keys({ session: ['abc'] }), ['keys.session[0]']],
  ['signing key of another kind', keys({ signing: clientKey }), ['keys.signing']],
  ['no signing key', keys({ signing: newSecretKey() }), ['keys.signing']],
  [
    'the signing seed as a secret',
    (() => {
      const { privateKey } = generateKeyPairSync('ed25519')
      const seed = privateKey.export({ format: 'jwk' }).d ?? ''
      return keys({ session: [seed], signing: pemOf(privateKey) })
    })(),
    ['keys.signing'],
  ],
  [
    'TLS that is none',
    rawConfig({ root: { listen: { host: '::', port: 0, tls: { cert: 'x', key: 'y' } } } }),
    ['listen.tls.cert'],
  ],
  ['a CA that is none', rawConfig({ tenant: { upstream: { ca: 'x' } } }), [`${at}.upstream.ca`]],
  // Client keys
  [
    'keys for the wrong algorithm',
    rawConfig({
      tenant: {
        client: client([
          { kid: 'a', alg: 'ES384', key: newClientKey('ES256') },
          { kid: 'b', alg: 'RS384', key: clientKey },
          { kid: 'c', alg: 'ES384', key: newSigningKey() },
          { kid: 'd', alg: 'RS384', key: newRsaKey(1024) },
          { kid: 'e', alg: 'ES384', key: '{"kty":"EC"}' },
          { kid: 'f', alg: 'ES384', key: 'hunter2' },
        ]),
      },
    }),
    [0, 1, 2, 3, 4, 5].map((index) => `${at}.client.keys[${index}].key`),
  ],
  [
    'a private JWK',
    (() => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
      const key = JSON.stringify(privateKey.export({ format: 'jwk' }))
      return rawConfig({ tenant: { client: client([{ kid: 'a', alg: 'ES384', key }]) } })
    })(),
    [],
  ],
  [
    'a public JWK',
    (() => {
      const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
      const key = JSON.stringify(publicKey.export({ format: 'jwk' }))
      return rawConfig({ tenant: { client: client([{ kid: 'a', alg: 'ES384', key }]) } })
    })(),
    [`${at}.client.keys[0].key`],
  ],
  [
    'kid and key of another tenant',
    two(
      { client: client([{ kid: 'a', alg: 'ES384', key: clientKey }]) },
      {
        client: client([
          { kid: 'a', alg: 'ES384', key: newClientKey() },
          { kid: 'b', alg: 'ES384', key: clientKey },
        ]),
      },
    ),
    ['tenants[1].client.keys[0].kid', 'tenants[1].client.keys[1].key'],
  ],
  [
    'a kid twice in one tenant',
    rawConfig({
      tenant: {
        client: client([
          { kid: 'a', alg: 'RS384', key: rsaKey },
          { kid: 'a', alg: 'RS256', key: rsaKey },
          { kid: 'a', alg: 'ES384', key: clientKey },
        ]),
      },
    }),
    [`${at}.client.keys[1].kid`, `${at}.client.keys[2].kid`],
  ],
  // Tenants
  ['two tenants', two({}, {}), []],
  ['tenant ids', two({}, { id: 'north' }), ['tenants[1].id', ...bothPaths()]],
  ['one iss', two({}, { iss: 'http://127.0.0.1:9000/fhir/r4' }), ['tenants[1].iss']],
  ['an iss with a slash is another', two({}, { iss: 'http://127.0.0.1:9000/fhir/r4/' }), []],
  ['one redirect path', two({}, { redirectPath: '/callback/north' }), bothPaths()],
  [
    'a shared path where one does not demand iss',
    two(
      { redirectPath: '/callback', quirks: { callbackIss: 'required' } },
      { redirectPath: '/callback' },
    ),
    ['tenants[1].redirectPath'],
  ],
  [
    'a shared path where all demand iss',
    two(
      { redirectPath: '/callback', quirks: { callbackIss: 'required' } },
      { redirectPath: '/callback', quirks: { callbackIss: 'required' } },
    ),
    [],
  ],
  ['no ancestor', production({}, { frameAncestors: [] }), [`${at}.frameAncestors`]],
  [
    'wildcards',
    production(
      {},
      {
        frameAncestors: [
          'https://*.ehr.example',
          'https://*',
          'https://*.example',
          'https://a.*.example',
        ],
      },
    ),
    [1, 2, 3].map((index) => `${at}.frameAncestors[${index}]`),
  ],
  [
    'a policy that lets everything in',
    rawConfig({
      root: {
        app: {
          directory: '.',
          csp: {
            'script-src': ["'self'", "'unsafe-inline'", '*'],
            'img-src': ['data:', 'x; script-src *'],
            'frame-ancestors': ['*'],
          },
        },
      },
    }),
    ['app.csp.frame-ancestors', 'app.csp.img-src[1]'],
  ],
  [
    'scripts from anywhere',
    rawConfig({
      root: { app: { directory: '.', csp: { 'script-src': ["'self'", ...anyScript] } } },
    }),
    anyScript.map((_, index) => `app.csp.script-src[${index + 1}]`),
  ],
  [
    'scripts from somewhere',
    rawConfig({ root: { app: { directory: '.', csp: { 'script-src': someScript } } } }),
    [],
  ],
  // Modes
  [
    'mode ids',
    rawConfig({ tenant: { modes: [rawMode(), rawMode()] } }),
    ['tenants[0].modes[1].id'],
  ],
  [
    'a user kind without asking',
    mode({ scopes: ['launch', 'patient/Patient.r'] }),
    [`${inMode}.scopes`],
  ],
  ['any user without asking', mode({ user: 'any', scopes: ['launch', 'patient/Patient.r'] }), []],
  [
    'no patient and patient scopes',
    mode({ patient: 'none', scopes: ['launch', 'openid', 'fhirUser', 'patient/*.rs'] }),
    [`${inMode}.scopes[3]`],
  ],
  [
    'a record filter where scopes are of version 1',
    rawConfig({
      tenant: { quirks: { scopeVersion: 'v1' } },
      mode: { scopes: ['launch', 'openid', 'fhirUser', 'patient/Observation.rs?category=x'] },
    }),
    [`${inMode}.scopes[3]`],
  ],
  ['an EHR launch without launch', mode({ scopes: ['openid', 'fhirUser'] }), [`${inMode}.scopes`]],
  [
    'a standalone launch that needs a patient and asks for none',
    mode({ launch: 'standalone', scopes: ['openid', 'fhirUser', 'patient/Patient.r'] }),
    [`${inMode}.scopes`],
  ],
  [
    'a standalone launch whose user is the patient',
    rawConfig({
      tenant: { quirks: { patientFallback: 'fhirUser' } },
      mode: { launch: 'standalone', user: 'patient', scopes: ['openid', 'fhirUser'] },
    }),
    [],
  ],
  [
    'a standalone launch with launch',
    mode({ launch: 'standalone', scopes: ['openid', 'fhirUser', 'launch/patient', 'launch'] }),
    [`${inMode}.scopes[3]`],
  ],
  [
    'scopes',
    mode({
      scopes: [
        'launch',
        'openid',
        'fhirUser',
        'patient/Observation.rs?category=vital-signs',
        'patient/*.read',
        'user/Patient.*',
        'vendor.special',
        'patient/Observation.sr',
        'patient/Observation.',
        'patient/observation.r',
        'system/Patient.r',
        'patient/Patient.?a=b',
        'openid',
      ],
    }),
    [7, 8, 9, 10, 11, 12].map((index) => `${inMode}.scopes[${index}]`),
  ],
  // The end of a process
  ['a drain as long as the whole stop', rawConfig({ root: { drainSeconds: 9 } }), ['drainSeconds']],
  ['a drain within it', rawConfig({ root: { drainSeconds: 9, shutdownSeconds: 10 } }), []],
  // Rules
  [
    'withoutPatient where a patient is required',
    rule({ withoutPatient: true }),
    [`${inMode}.allow[0].withoutPatient`],
  ],
  ['search without search-type', rule({ search: ['code'] }), [`${inMode}.allow[0].search`]],
  [
    'include without search-type',
    rule({ include: ['Observation:encounter'] }),
    [`${inMode}.allow[0].include`],
  ],
  [
    'confirm without a read of Patient',
    rule({ interactions: ['create'], confirm: true }),
    [`${inMode}.allow[0].confirm`],
  ],
  [
    'confirm beside a search for Patients alone',
    confirmBeside({ interactions: ['search-type'] }),
    [`${inMode}.allow[0].confirm`],
  ],
  ['confirm beside a read of Patient', confirmBeside({ interactions: ['read'] }), []],
  [
    'write keys on a read',
    rule({ resource: 'Patient', upsert: true, unversioned: true, validate: true, confirm: true }),
    ['upsert', 'unversioned', 'validate', 'confirm'].map((key) => `${inMode}.allow[0].${key}`),
  ],
  [
    'write keys where they belong',
    rule({ interactions: ['update'], upsert: true, unversioned: true, validate: true }),
    [],
  ],
]

function bothPaths(): string[] {
  return ['tenants[0].redirectPath', 'tenants[1].redirectPath']
}

for (const [name, raw, expected] of table) {
  t.test(name, (t) => {
    const loaded = loadRaw(raw)
    const faults = loaded.ok ? [] : loaded.faults
    t.same(faults.map(({ key }) => key).toSorted(), expected.toSorted())
    t.notMatch(JSON.stringify(faults), /hunter2|BEGIN|undefined/)
    for (const { found, expected: wanted } of faults) t.ok(found.length > 0 && wanted.length > 0)
    t.end()
  })
}
