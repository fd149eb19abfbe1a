import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The configuration of the smart-bff that is measured, in the form of the file, so that a process can be given it. */
export type RawConfiguration = ReturnType<typeof rawConfiguration>

/** Nothing is left behind. */
const folders: string[] = []
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

const secret = (): string => randomBytes(32).toString('base64url')

export function rawConfiguration(where: { readonly ehr: string; readonly redisUrl: string }) {
  const folder = mkdtempSync(join(tmpdir(), 'smart-bff-bench-'))
  folders.push(folder)
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>bench</title>')
  const signing = generateKeyPairSync('ed25519').privateKey
  return {
    folder,
    file: {
      publicUrl: 'http://localhost:3000',
      development: true,
      instance: 'bench',
      listen: { host: '127.0.0.1', port: 0 },
      operations: { listen: { host: '127.0.0.1', port: 0 } },
      store: { redis: { url: where.redisUrl } },
      keys: {
        encryption: [{ id: 'k1', secret: secret() }],
        session: [secret()],
        pseudonym: [{ id: 'p1', secret: secret() }],
        signing: signing.export({ type: 'pkcs8', format: 'pem' }),
      },
      app: { directory: folder },
      audit: { directory: join(folder, 'audit') },
      logging: { level: 'error' },
      rateLimits: { launchPerMinute: 1_000_000, fhirPerLaunchPerMinute: 10_000_000 },
      tenants: [
        {
          id: 'north',
          name: 'North Hospital',
          iss: `${where.ehr}/fhir/r4`,
          client: { id: 'bench', auth: 'none' },
          modes: [mode],
        },
      ],
    },
  }
}

const mode = {
  id: 'chart',
  launch: 'ehr',
  user: 'any',
  patient: 'required',
  scopes: ['launch', 'openid', 'fhirUser', 'patient/Patient.rs', 'patient/Observation.rs'],
  allow: [
    { feature: 'Banner', resource: 'Patient', interactions: ['read'] },
    {
      feature: 'Vitals',
      resource: 'Observation',
      interactions: ['search-type'],
      search: ['_count', 'category'],
    },
  ],
}
