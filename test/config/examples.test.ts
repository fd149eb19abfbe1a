import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { phc } from '../staff/staff-rig.ts'
import { newClientKey, newSecretKey, newSigningKey } from '../support/keys.ts'

/** The two files that users start from are valid as soon as their variables and files exist. */

const fileOf = (name: string) => fileURLToPath(new URL(`../../config/${name}`, import.meta.url))

t.test('the production example', (t) => {
  const secrets: Record<string, string> = {
    '/run/secrets/encryption': newSecretKey(),
    '/run/secrets/session': newSecretKey(),
    '/run/secrets/pseudonym': newSecretKey(),
    '/run/secrets/signing': newSigningKey(),
    '/run/secrets/north-client-key': newClientKey('ES384'),
  }
  const path = fileOf('smart-bff.yaml')
  const readFile = (wanted: string) =>
    wanted === path ? readFileSync(path, 'utf8') : (secrets[wanted] ?? missing(wanted))
  const env = {
    HOSTNAME: 'smart-bff-0',
    REDIS_URL: 'rediss://redis:6379',
    REDIS_PASSWORD: 'x',
    NORTH_CLIENT_ID: 'a',
  }
  t.match(loadConfig({ path, readFile, env }), {
    ok: true,
    config: { development: false, instance: 'smart-bff-0', app: { directory: '/srv/app' } },
  })
  t.match(loadConfig({ path, readFile, env: {} }), {
    ok: false,
    faults: [
      { key: 'instance', found: /HOSTNAME/ },
      { key: 'store.redis.url', found: /REDIS_URL/ },
      { key: 'store.redis.password', found: /REDIS_PASSWORD/ },
      { key: 'tenants[0].client.id', found: /NORTH_CLIENT_ID/ },
    ],
  })
  t.end()
})

t.test('the demo', (t) => {
  const path = fileOf('demo.yaml')
  const env = {
    SMART_BFF_DEMO_HOST: 'localhost',
    SMART_BFF_DEMO_ENCRYPTION_KEY: newSecretKey(),
    SMART_BFF_DEMO_SESSION_KEY: newSecretKey(),
    SMART_BFF_DEMO_PSEUDONYM_KEY: newSecretKey(),
    SMART_BFF_DEMO_SIGNING_KEY: newSigningKey(),
    SMART_BFF_DEMO_CLIENT_KEY: newClientKey('ES384'),
    SMART_BFF_DEMO_STAFF_PASSWORD_HASH: phc('a password'),
  }
  const loaded = loadConfig({ path, readFile: (wanted) => readFileSync(wanted, 'utf8'), env })
  t.match(loaded, {
    ok: true,
    config: {
      development: true,
      app: { directory: fileOf('../src/sandbox/app') },
      audit: { directory: fileOf('../.demo/audit') },
    },
  })
  t.end()
})

function missing(path: string): never {
  throw Object.assign(new Error(path), { code: 'ENOENT' })
}
