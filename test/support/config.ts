import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { formatFault } from '../../src/config/fault.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema/config.ts'
import { newClientKey, newSecretKey, newSigningKey } from './keys.ts'

/** A whole, valid configuration for a test, made by the real loader from the shape that the file has. */

export type Raw = Record<string, unknown>

export interface TestConfigOptions {
  readonly iss?: string
  readonly publicUrl?: string
  /** Laid over the file's top level. */
  readonly root?: Raw
  /** Laid over the one tenant, `north`. */
  readonly tenant?: Raw
  /** Laid over its one mode, `chart`. */
  readonly mode?: Raw
}

/** The same from a shape that the test has changed. */
export function configOf(raw: Raw, env: Record<string, string> = {}): Config {
  const loaded = loadRaw(raw, env)
  if (loaded.ok) return loaded.config
  throw new Error(loaded.faults.map((fault) => formatFault('test', fault)).join('\n'))
}

/** Throws with every fault when the overrides make no valid configuration. */
export const testConfig = (options: TestConfigOptions = {}): Config => configOf(rawConfig(options))

export const loadRaw = (raw: Raw, env: Record<string, string> = {}) =>
  loadConfig({ path: '/etc/smart-bff/test.yaml', readFile: () => stringify(raw), env })

/** What stands in the file, to be changed at will before `loadRaw`. */
export function rawConfig({ iss, publicUrl, root, tenant, mode }: TestConfigOptions = {}): Raw {
  return {
    publicUrl: publicUrl ?? 'http://localhost:3000',
    development: true,
    listen: { host: '127.0.0.1', port: 0 },
    operations: { listen: { host: '127.0.0.1', port: 0 } },
    store: { memory: {} },
    keys: rawKeys(),
    app: { directory: fileURLToPath(new URL('../../src/sandbox/app', import.meta.url)) },
    audit: { directory: join(tmpdir(), `smart-bff-test-${randomUUID()}`) },
    logging: { level: 'silent' },
    tenants: [rawTenant({ ...(iss === undefined ? {} : { iss }), ...tenant }, mode)],
    ...root,
  }
}

export const rawKeys = (): Raw => ({
  encryption: [{ id: 'k1', secret: newSecretKey() }],
  session: [newSecretKey()],
  pseudonym: [{ id: 'p1', secret: newSecretKey() }],
  signing: newSigningKey(),
})

export const rawTenant = (tenant: Raw = {}, mode: Raw = {}): Raw => ({
  id: 'north',
  name: 'North Hospital',
  iss: 'http://127.0.0.1:9000/fhir/r4',
  client: {
    id: 'smart-bff-test',
    auth: 'private_key_jwt',
    keys: [{ kid: 's1', alg: 'ES384', key: newClientKey('ES384') }],
  },
  frameAncestors: ['http://127.0.0.1:9000'],
  support: { text: 'Call the service desk, 4400.' },
  modes: [rawMode(mode)],
  ...tenant,
})

export const rawMode = (mode: Raw = {}): Raw => ({
  id: 'chart',
  launch: 'ehr',
  user: 'practitioner',
  patient: 'required',
  scopes: ['launch', 'openid', 'fhirUser', 'patient/Patient.rs', 'patient/Observation.rs'],
  allow: [
    { feature: 'Patient banner', resource: 'Patient', interactions: ['read'] },
    {
      feature: 'Vitals',
      resource: 'Observation',
      interactions: ['read', 'search-type'],
      search: ['category', 'code', 'date', '_count', '_sort'],
    },
  ],
  ...mode,
})

/** One that may change vital signs too. */
export const writingMode = (): Raw =>
  rawMode({
    scopes: ['launch', 'openid', 'fhirUser', 'patient/Patient.r', 'patient/Observation.rus'],
    allow: [
      { feature: 'Patient banner', resource: 'Patient', interactions: ['read'] },
      {
        feature: 'Vitals',
        resource: 'Observation',
        interactions: ['read', 'search-type', 'update'],
        search: ['_count'],
      },
    ],
  })
