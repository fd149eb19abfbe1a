import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp } from '../../src/app.ts'
import { configSchema } from '../../src/config/schema/config.ts'
import { createSessionCookies, newSessionId } from '../../src/session/cookies.ts'
import { createStore } from '../../src/store/create.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import { hashSession } from '../../src/vault/names.ts'
import { createVault } from '../../src/vault/vault-store.ts'
import { answerUsage } from './report.ts'

/** smart-bff as it is deployed: Redis, sealed records, every check, guard, links and audit. */
const [ehr = '', redisUrl = ''] = process.argv.slice(2)
const secret = (): string => randomBytes(32).toString('base64url')
const folder = mkdtempSync(join(tmpdir(), 'smart-bff-bench-'))
writeFileSync(join(folder, 'index.html'), '<!doctype html>')
const signing = generateKeyPairSync('ed25519').privateKey
const config = configSchema.parse({
  publicUrl: 'http://localhost:3000',
  development: true,
  instance: 'bench',
  listen: { host: '127.0.0.1', port: 0 },
  operations: { listen: { host: '127.0.0.1', port: 0 } },
  store: { redis: { url: redisUrl } },
  keys: {
    encryption: [{ id: 'k1', secret: secret() }],
    session: [secret()],
    pseudonym: [{ id: 'p1', secret: secret() }],
    signing: signing.export({ type: 'pkcs8', format: 'pem' }),
  },
  app: { directory: folder },
  audit: { directory: join(folder, 'audit') },
  logging: { level: 'error' },
  tenants: [
    {
      id: 'north',
      name: 'North Hospital',
      iss: `${ehr}/fhir/r4`,
      client: { id: 'bench', auth: 'none' },
      modes: [
        {
          id: 'chart',
          launch: 'ehr',
          user: 'any',
          patient: 'required',
          scopes: ['launch'],
          allow: [
            { feature: 'Banner', resource: 'Patient', interactions: ['read'] },
            {
              feature: 'Vitals',
              resource: 'Observation',
              interactions: ['search-type'],
              search: ['_count', 'category'],
            },
          ],
        },
      ],
    },
  ],
})
const app = await createApp(config)
const addresses = await app.start()

const now = Date.now
const store = createStore(config.store, { now, onFault: () => undefined })
const keyRing = createKeyRing(config.keys.encryption)
const session = { idleMs: 900_000, absoluteMs: 36_000_000 }
const vault = createVault({ store, keyRing, now, session })
const id = newSessionId()
const key = { session: hashSession(id), launch: randomBytes(24).toString('base64url') }
await store.createSession(key.session, 'bench', now() + session.absoluteMs)
await vault.create(key, {
  schema: 1,
  launch: key.launch,
  tenant: 'north',
  mode: 'chart',
  state: 'active',
  user: { issuer: undefined, subject: undefined, fhirUser: 'Practitioner/7', kind: 'practitioner' },
  context: {
    patient: 'p1',
    encounter: undefined,
    fhirContext: [],
    intent: undefined,
    needPatientBanner: true,
    styleUrl: undefined,
    tenant: undefined,
  },
  scopes: { requested: '', granted: 'patient/Patient.rs patient/Observation.rs' },
  tokens: { access: secret(), receivedAt: now(), accessExpiresAt: undefined, refresh: undefined },
  startedAt: now(),
  absoluteAt: now() + session.absoluteMs,
})
const cookie = `__Host-smart-bff=${createSessionCookies({ secrets: config.keys.session }).sign(id)}`
answerUsage()
process.send?.({
  origin: addresses.public,
  launch: key.launch,
  headers: { cookie, 'smart-bff': '1' },
})
