import t from 'tap'
import { effectiveConfig } from '../../src/config/effective.ts'
import { formatFault, spell } from '../../src/config/fault.ts'
import { knownKeys, mayHoldSecret } from '../../src/config/schema-walk.ts'
import { configOf, loadRaw, rawConfig } from '../support/config.ts'

const hidden = 'hunter2-hunter2-hunter2'

t.test('the effective configuration shows defaults and no secret', (t) => {
  const raw = rawConfig({
    root: { store: { redis: { url: `redis://:${hidden}@redis:6379`, password: hidden } } },
    tenant: {
      client: { id: 'abc', auth: 'client_secret_basic', secret: hidden },
      upstream: { proxy: `http://user:${hidden}@proxy:3128` },
      quirks: { discoveryHeaders: { 'X-Key': hidden } },
    },
  })
  const config = configOf(raw)
  const shown = JSON.stringify(effectiveConfig(config))
  t.notMatch(shown, new RegExp(`${hidden}|PRIVATE KEY`))
  t.notOk(shown.includes(config.keys.session[0]?.reveal() ?? ''))
  t.match(effectiveConfig(config), {
    session: { idleMinutes: 15 },
    keys: { encryption: [{ id: 'k1', secret: '[secret]' }], signing: '[secret]' },
    tenants: [{ client: { id: 'abc', secret: '[secret]' } }],
  })
  t.end()
})

t.test('a fault is one line, whatever stands in the file', (t) => {
  const fault = { key: 'a', line: 3, found: '"x\u001b[31m\ny"', expected: 'a text' }
  t.equal(formatFault('c.yaml', fault), 'c.yaml:3: a: found "x [31m y"; expected a text')
  t.equal(spell(['tenants', 0, 'modes', 1, 'a b']), 'tenants[0].modes[1]["a b"]')
  t.equal(spell(['app', 'csp', 'script-src']), 'app.csp.script-src')
  t.end()
})

t.test('places that may hold a secret are known, and an unknown place is one', (t) => {
  const secret = [
    ['keys'],
    ['keys', 'session', 0],
    ['keys', 'session', 0, 'x'],
    ['keys', 'signing'],
    ['store'],
    ['store', 'redis', 'url'],
    ['tenants', 0],
    ['tenants', 0, 'client'],
    ['tenants', 3, 'client', 'secret'],
    ['tenants', 3, 'client', 'keys', 0, 'key'],
    ['tenants', 3, 'quirks', 'discoveryHeaders', 'X-Key'],
    ['operations', 'staff', 'oidc', 'clientSecret'],
    ['listen', 'tls', 'key'],
    ['keyz', 'session'],
  ]
  const open = [
    ['publicUrl'],
    ['tenants', 0, 'iss'],
    ['tenants', 0, 'client', 'auth'],
    ['tenants', 0, 'modes', 0, 'allow', 0, 'resource'],
    ['trustProxy', 0],
  ]
  for (const path of secret) t.ok(mayHoldSecret(path), spell(path))
  for (const path of open) t.notOk(mayHoldSecret(path), spell(path))
  t.same(knownKeys(['audit', 'checkpoints']), ['log', 'path', 'store'])
  t.match(knownKeys(['tenants', 0, 'client']), ['auth', 'id', 'keys', 'secret'])
  t.end()
})

function faultsOf(allow: unknown[]): string[] {
  const loaded = loadRaw(rawConfig({ mode: { allow } }))
  return loaded.ok ? [] : loaded.faults.map(({ key, found }) => `${key.slice(20)}: ${found}`)
}

t.test('faults of several shapes name the shape that was meant', (t) => {
  t.same(faultsOf([{ feature: 'x', resource: 'Patient' }]), ['allow[0].interactions: nothing'])
  t.same(faultsOf([{ feature: 'x', operation: 'everything' }]), [
    'allow[0].operation: "everything"',
  ])
  t.same(faultsOf([{ feature: 'x', bundle: ['batsch'] }]), ['allow[0].bundle[0]: "batsch"'])
  t.same(faultsOf([{ feature: 'x', bundle: ['batch'], colour: 1 }]), [
    'allow[0].colour: an unknown key',
  ])
  t.same(faultsOf([{ feature: 'x' }]), ['allow[0]: a map'])
  t.same(faultsOf(['x']), ['allow[0]: "x"'])
  t.end()
})
