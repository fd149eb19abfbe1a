import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secret } from '../../src/config/secret.ts'
import type { AuditDeps } from '../../src/audit/audit.ts'
import { listAuditFiles } from '../../src/audit/file-names.ts'
import { auditRecord } from '../../src/audit/record.ts'
import type { AuditRecord } from '../../src/audit/record.ts'

const pair = generateKeyPairSync('ed25519')
export const publicKey = pair.publicKey
export const signing = new Secret(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }))
export const pseudonymKey = {
  id: 'p1',
  secret: new Secret(Buffer.alloc(32, 'pseudonym').toString('base64url')),
}

/** A clinician. */
export const user = {
  issuer: 'i',
  subject: 's',
  fhirUser: 'Practitioner/7',
  kind: 'practitioner',
} as const

export const signingKeyOf = (pem: string): Secret => new Secret(pem)

type AuditConfig = AuditDeps['config']

export const tenants: AuditConfig['tenants'] = [
  {
    id: 'north',
    name: 'North Hospital',
    iss: 'https://ehr.north.example/fhir',
    vendor: 'generic',
    fhirVersion: 'R4',
    client: { id: 'abc', auth: 'none' },
    frameAncestors: [],
    modes: [
      {
        id: 'chart',
        launch: 'ehr',
        user: 'practitioner',
        patient: 'required',
        scopes: ['launch', 'openid', 'patient/Observation.rs?category=vital-signs'],
        allow: [
          {
            feature: 'Patient banner',
            resource: 'Patient',
            interactions: ['read'],
            search: [],
            include: [],
          },
        ],
      },
    ],
    upstream: {
      timeoutMs: 15_000,
      connections: 64,
      maxBodyBytes: 1_000_000,
      circuit: { failures: 10, openSeconds: 15 },
    },
    guard: 'refuse',
    quirks: {},
  },
]

export function auditConfig(
  change: Partial<AuditConfig['audit']> = {},
  instance = 'one',
): AuditConfig {
  return {
    audit: {
      directory: mkdtempSync(join(tmpdir(), 'smart-bff-audit-')),
      durability: 'write',
      retentionDays: 2555,
      checkpointSeconds: 60,
      maxFileMegabytes: 256,
      compressAfterDays: 2,
      checkpoints: { store: false, log: true },
      stream: { records: 0 },
      stdout: false,
      ...change,
    },
    instance,
    keys: { encryption: [], session: [], pseudonym: [pseudonymKey], signing },
    tenants,
  }
}

/** Every record of an instance in order, each judged by the strict schema. */
export async function readRecords(directory: string, instance = 'one'): Promise<AuditRecord[]> {
  const files = await listAuditFiles(directory, instance)
  return files.flatMap(({ name }) =>
    readText(join(directory, name))
      .split('\n')
      .filter(Boolean)
      .map((line) => auditRecord.parse(JSON.parse(line))),
  )
}

function readText(path: string): string {
  const bytes = readFileSync(path)
  return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
}
