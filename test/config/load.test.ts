import t from 'tap'
import { originOf } from '../../src/audit/checkpoints.ts'
import { auditFileName, readFileName } from '../../src/audit/file-names.ts'
import { loadConfig } from '../../src/config/load.ts'
import { Secret } from '../../src/config/secret.ts'
import { loadRaw, rawConfig, rawKeys, rawTenant, testConfig } from '../support/config.ts'
import { newSecretKey } from '../support/keys.ts'

const load = (text: string, files: Record<string, string> = {}, env: Record<string, string> = {}) =>
  loadConfig({
    path: '/etc/smart-bff/config.yaml',
    env,
    readFile: (path) => {
      if (path === '/etc/smart-bff/config.yaml') return text
      const found = files[path]
      if (found === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' })
      return found
    },
  })

const faultsOf = (loaded: ReturnType<typeof load>) => (loaded.ok ? [] : loaded.faults)

t.test('a valid configuration has its defaults, absolute paths and no way to change it', (t) => {
  const config = testConfig({ root: { app: { directory: './app' } } })
  t.equal(config.session.idleMinutes, 15)
  t.equal(config.tenants[0]?.upstream.circuit.openSeconds, 15)
  t.match(config.app, { directory: '/etc/smart-bff/app', helper: 'inject' })
  t.throws(() => Object.assign(config.session, { idleMinutes: 1 }), TypeError)
  t.throws(() => Object.assign(config.tenants[0]?.modes[0] ?? {}, { user: 'any' }), TypeError)
  t.end()
})

t.test('values from the environment and from files', (t) => {
  const key = newSecretKey()
  const raw = rawConfig({ tenant: { client: { id: { env: 'CLIENT' }, auth: 'none' } } })
  const text = JSON.stringify({
    ...raw,
    keys: { ...rawKeys(), session: [{ file: 'secrets/session' }] },
  })
  const files = { '/etc/smart-bff/secrets/session': `${key}\r\n` }
  const loaded = load(text, files, { CLIENT: 'abc' })
  t.same(faultsOf(loaded), [])
  const config = loaded.ok ? loaded.config : undefined
  t.equal(config?.tenants[0]?.client.id, 'abc')
  t.equal(config?.keys.session[0]?.reveal(), key, 'one newline at the end is not the value')
  t.end()
})

t.test('the longest name of a replica still names the files of its commands', (t) => {
  const named = (instance: string) => load(JSON.stringify({ ...rawConfig(), instance }))
  const longest = 'r'.repeat(100)
  t.equal(named(longest).ok, true)
  t.match(faultsOf(named(`${longest}r`)), [{ key: 'instance' }])
  const file = auditFileName('2026-03-01', 2, `${longest}.command`)
  t.match(readFileName(file.name), { instance: `${longest}.command`, part: 2 })
  t.ok(originOf(longest).length <= 128, 'its checkpoints stand in the log')
  t.end()
})

t.test('a reference without a value is one fault that names key, variable and file', (t) => {
  const raw = rawConfig({ root: { publicUrl: { env: 'PUBLIC' }, instance: { env: 'EMPTY' } } })
  const text = JSON.stringify({ ...raw, keys: { ...rawKeys(), signing: { file: '/run/none' } } })
  t.same(
    faultsOf(load(text, {}, { EMPTY: '' })).map(({ key, found }) => [key, found]),
    [
      ['publicUrl', 'the variable "PUBLIC", which is not set'],
      ['keys.signing', 'the file "/run/none", which does not exist'],
      ['instance', 'the variable "EMPTY", which is empty'],
    ],
  )
  t.end()
})

t.test('inherited names are no variables, and a map with a second key is no reference', (t) => {
  const raw = rawConfig({ root: { publicUrl: { env: 'toString' }, instance: { env: 'A', x: 1 } } })
  const faults = faultsOf(load(JSON.stringify(raw), {}, { A: 'a' }))
  t.match(faults, [
    { key: 'publicUrl', found: /"toString", which is not set/ },
    { key: 'instance', found: 'a map', expected: 'a text' },
  ])
  t.end()
})

t.test('every fault of one file in one run, each with its key and line', (t) => {
  const loaded = load(`
publicUrl: https://app.hospital.example/
store: { memory: {} }
listen: { host: 0.0.0.0, port: 99999 }
colour: blue
keys:
  encryption: [ { id: k1, secret: hunter2 } ]
app: { directory: ./app, upstream: http://app:8080 }
audit: { directory: /var/audit }
tenants:
  - id: north
    name: North
    iss: ftp://ehr.example
    client: { id: a, auth: private_key }
    modes:
      - id: chart
        launch: ehr
        user: practitioner
        patient: none
        scopes: [openid, fhirUser, patient/Patient.r]
        allow:
          - { feature: Banner, resource: patient, interactions: [read] }
      - id: list
        launch: ehr
        user: any
        patient: none
        scopes: [openid, patient/Patient.r]
        allow: []
`)
  t.same(
    faultsOf(loaded).map(({ line, key }) => `${line} ${key}`),
    [
      '2 publicUrl',
      '3 store',
      '4 listen.port',
      '5 colour',
      '6 keys.session',
      '6 keys.pseudonym',
      '6 keys.signing',
      '7 keys.encryption[0].secret',
      '8 app',
      '11 tenants[0].frameAncestors',
      '13 tenants[0].iss',
      '14 tenants[0].client.auth',
      '22 tenants[0].modes[0].allow[0].resource',
      '27 tenants[0].modes[1].scopes[1]',
      '27 tenants[0].modes[1].scopes',
    ],
  )
  t.notMatch(JSON.stringify(faultsOf(loaded)), /hunter2/)
  t.end()
})

t.test('not YAML, not a map, twice a key, bombs, too large: one sentence without the text', (t) => {
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]']
  for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef']) {
    bomb.push(`${to}: &${to} [${`*${from},`.repeat(10)}]`)
  }
  const cases: [string, RegExp][] = [
    ['publicUrl: "hunter2', /missing character/],
    ['a: 1\n\tb: hunter2', /tab|indentation|cannot be read/],
    ['publicUrl: a\npublicUrl: hunter2', /the same key twice/],
    ['publicUrl: *hunter2', /alias/],
    ['publicUrl: !hunter2 x', /unknown tag/],
    ['a: 1\n---\nb: hunter2', /more than one document/],
    [bomb.join('\n'), /alias/],
    [`a: ${'x'.repeat(1_100_000)}`, /more than 1 MiB/],
  ]
  for (const [text, expected] of cases) {
    const faults = faultsOf(load(text))
    t.match(faults[0]?.found, expected)
    t.notMatch(JSON.stringify(faults), /hunter2/)
  }
  t.ok(faultsOf(load('')).length > 3, 'an empty file lacks every required key')
  t.match(faultsOf(load('- 1')), [{ key: '', found: 'a list', expected: 'a map' }])
  t.match(faultsOf(load('__proto__: { publicUrl: x }'))[0], { key: '__proto__' })
  t.end()
})

t.test('a modest use of aliases keeps its lines', (t) => {
  const { tenants: _tenants, ...rest } = rawConfig()
  const tenant = JSON.stringify(rawTenant()).slice(1, -1)
  const text = JSON.stringify(rest).slice(1, -1)
  const source = `{${text},\n"tenants": [\n&north {${tenant}},\n*north]}`
  t.match(
    faultsOf(load(source)).map(({ key, line }) => [key, line]),
    [
      ['tenants[1].id', 3],
      ['tenants[1].iss', 3],
    ],
  )
  t.end()
})

const readFile = () => {
  throw Object.assign(new Error('x'), { code: 'ENOENT' })
}

t.test('the configuration file itself may be missing', (t) => {
  t.match(loadConfig({ path: 'none.yaml', readFile, env: {} }), {
    ok: false,
    faults: [{ key: '', found: /which does not exist/ }],
  })
  t.end()
})

t.test('a secret cannot be printed by accident', (t) => {
  const key = newSecretKey()
  const config = testConfig({ root: { keys: { ...rawKeys(), session: [key] } } })
  const secret = config.keys.session[0] ?? new Secret('')
  t.equal(`${secret.toString()} ${JSON.stringify({ secret })}`, '[secret] {"secret":"[secret]"}')
  t.end()
})

t.test('a value that came from a reference is not shown, wherever it stands', (t) => {
  const raw = rawConfig({ root: { publicUrl: { env: 'PUBLIC' } } })
  const loaded = loadRaw(raw, { PUBLIC: 'hunter2' })
  t.match(loaded, {
    ok: false,
    faults: [{ key: 'publicUrl', found: 'a value of 7 characters from the variable PUBLIC' }],
  })
  t.end()
})
