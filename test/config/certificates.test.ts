import t from 'tap'
import { mustBeKept } from '../../src/config/schema-walk.ts'
import { referenceRows } from '../../config/reference/rows.ts'
import { newCertificate } from '../support/certificate.ts'
import { loadRaw, rawConfig, rawTenant, type Raw } from '../support/config.ts'

/** Every place of a certificate: what is not valid today, or is none, is told at the start and not by the first peer. */

const dayMs = 86_400_000
const inDays = (days: number): Date => new Date(Date.now() + days * dayMs)
const onDay = (days: number): string => inDays(days).toISOString().slice(0, 10)

const [sound, other] = [newCertificate(), newCertificate()]
const ended = newCertificate({ notBefore: inDays(-30), notAfter: inDays(-3) })
const early = newCertificate({ notBefore: inDays(3) })
/** As it is left by a copy that stopped too soon. */
const torn = sound.cert.slice(0, 300)

type Place = readonly [path: string, write: (value: unknown) => Raw]

const oidc = { issuer: 'https://idp.example', clientId: 'a', clientSecret: 'b' }
const roles = { claim: 'groups', auditor: ['privacy'] }
const root = (over: Raw): Raw => rawConfig({ root: over })
const here = { host: '127.0.0.1', port: 0 }
const staff = (over: Raw): Raw => ({
  listen: here,
  publicUrl: 'http://localhost:3001',
  staff: { oidc, roles, ...over },
})
const redis = (tls: unknown): Raw =>
  root({ store: { redis: { url: 'rediss://127.0.0.1:6379', tls } } })
const repository = (over: Raw): Raw =>
  root({ audit: { directory: '/tmp/a', fhir: { url: 'https://arr.example/fhir', ...over } } })
const upstream = (over: Raw): Raw => root({ tenants: [rawTenant({ upstream: over })] })
const tracing = (over: Raw): Raw => ({
  listen: here,
  tracing: { endpoint: 'https://collector.example/v1/traces', ...over },
})

const pairs: readonly Place[] = [
  ['listen.tls', (tls) => root({ listen: { ...here, tls } })],
  ['operations.listen.tls', (tls) => root({ operations: { listen: { ...here, tls } } })],
  [
    'operations.staff.listen.tls',
    (tls) => root({ operations: staff({ listen: { ...here, port: 1, tls } }) }),
  ],
  ['store.redis.tls', redis],
  ['audit.fhir.clientCertificate', (pair) => repository({ clientCertificate: pair })],
  [
    'operations.staff.oidc.clientCertificate',
    (pair) => root({ operations: staff({ oidc: { ...oidc, clientCertificate: pair } }) }),
  ],
  [
    'operations.tracing.clientCertificate',
    (pair) => root({ operations: tracing({ clientCertificate: pair }) }),
  ],
  ['tenants[0].upstream.clientCertificate', (pair) => upstream({ clientCertificate: pair })],
]
const bundles: readonly Place[] = [
  ['store.redis.tls.ca', (ca) => redis({ ca })],
  ['audit.fhir.ca', (ca) => repository({ ca })],
  ['operations.staff.oidc.ca', (ca) => root({ operations: staff({ oidc: { ...oidc, ca } }) })],
  ['operations.tracing.ca', (ca) => root({ operations: tracing({ ca }) })],
  ['tenants[0].upstream.ca', (ca) => upstream({ ca })],
]

const spell = (path: readonly (string | number)[]): string =>
  path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .slice(1)

function faultsOf(raw: Raw): string[] {
  const loaded = loadRaw(raw)
  return loaded.ok ? [] : loaded.faults.map(({ key, found }) => `${key}: ${found}`)
}

t.test('a certificate with its key', (t) => {
  const noCertificate = 'a text that is no certificate'
  const rows: readonly (readonly [name: string, pair: Raw, faults: readonly string[]])[] = [
    ['sound', { ...sound }, []],
    ['with its chain', { ...sound, cert: sound.cert + other.cert }, []],
    // Whoever knows another way to a root goes it: the chain beside the certificate is a help, and no more.
    ['with a chain that has ended', { ...sound, cert: sound.cert + ended.cert }, []],
    ['ended', { ...ended }, [`cert: a certificate that ended on ${onDay(-3)}`]],
    ['not yet valid', { ...early }, [`cert: a certificate that begins on ${onDay(3)}`]],
    ['no certificate', { ...sound, cert: 'none' }, [`cert: ${noCertificate}`]],
    ['torn', { ...sound, cert: torn }, [`cert: ${noCertificate}`]],
    ['a torn chain', { ...sound, cert: sound.cert + torn }, [`cert: ${noCertificate}`]],
    ['of another key', { ...sound, key: other.key }, ['key: the key of another certificate']],
    ['no key', { ...sound, key: 'none' }, ['key: nothing usable']],
  ]
  for (const [path, write] of pairs) {
    for (const [name, pair, faults] of rows) {
      t.same(
        faultsOf(write(pair)),
        faults.map((fault) => `${path}.${fault}`),
        `${path}: ${name}`,
      )
    }
  }
  t.end()
})

t.test('a bundle of authorities', (t) => {
  const rows: readonly (readonly [name: string, bundle: string, fault: string | undefined])[] = [
    ['one', sound.cert, undefined],
    [
      'one that is valid, among words and others',
      `Our roots\n${ended.cert}\n# next\n${early.cert}${sound.cert}`,
      undefined,
    ],
    ['ended', ended.cert, `a certificate that ended on ${onDay(-3)}`],
    ['not yet valid', early.cert, `a certificate that begins on ${onDay(3)}`],
    ['none is valid', ended.cert + early.cert, '2 certificates of which none is valid now'],
    ['no certificate', 'none', 'a text that is no certificate'],
    ['the second is torn', sound.cert + torn, 'a text that is no certificate'],
    ['the first is torn', torn + sound.cert, 'a text that is no certificate'],
  ]
  for (const [path, write] of bundles) {
    for (const [name, bundle, fault] of rows) {
      const faults = fault === undefined ? [] : [`${path}: ${fault}`]
      t.same(faultsOf(write(bundle)), faults, `${path}: ${name}`)
    }
  }
  t.end()
})

t.test('its file may be read by everybody, wherever it stands; a key’s never', (t) => {
  const places = referenceRows().map(({ path }) =>
    path.split(/\.|(?=\[\])/).map((part) => (part === '[]' ? 0 : part)),
  )
  const kept = (name: RegExp): readonly (readonly [string, boolean])[] =>
    places
      .filter((path) => name.test(String(path.at(-1))))
      .map((path) => [spell(path), mustBeKept(path)])
  const certificates = kept(/^(?:ca|cert)$/)
  t.same(
    certificates.map(([path]) => path).toSorted(),
    [...bundles.map(([path]) => path), ...pairs.map(([path]) => `${path}.cert`)].toSorted(),
    'every place of the schema is a row above',
  )
  t.same(
    certificates.filter(([, must]) => must),
    [],
  )
  const keys = kept(/^key$/)
  t.ok(keys.length > pairs.length)
  t.same(
    keys.filter(([, must]) => !must),
    [],
  )
  t.end()
})
