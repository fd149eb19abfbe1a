import { randomBytes } from 'node:crypto'
import { Secret } from '../../src/config/secret.ts'
import type { RingKey } from '../../src/vault/key-ring.ts'
import type { LaunchRecord } from '../../src/vault/record.ts'

export const newId = (): string => randomBytes(32).toString('base64url')

export const newKey = (id: string): RingKey => ({ id, secret: new Secret(newId()) })

/** A launch that began at `at` with a token of one hour. */
export function exampleRecord(
  launch: string,
  at: number,
  changes: Partial<LaunchRecord> = {},
): LaunchRecord {
  return {
    schema: 1,
    launch,
    tenant: 'north',
    mode: 'chart',
    state: 'active',
    user: {
      issuer: 'https://ehr.example',
      subject: 'u1',
      fhirUser: 'Practitioner/7',
      kind: 'practitioner',
    },
    context: {
      patient: 'p1',
      encounter: undefined,
      fhirContext: [{ reference: 'ImagingStudy/1', role: 'x', identifier: { value: '1' } }],
      intent: undefined,
      needPatientBanner: true,
      styleUrl: undefined,
      tenant: undefined,
    },
    scopes: { requested: 'launch patient/*.rs', granted: 'patient/Patient.r' },
    tokens: {
      access: 'access-0',
      receivedAt: at,
      accessExpiresAt: at + 3_600_000,
      refresh: 'refresh-0',
    },
    startedAt: at,
    absoluteAt: at + 36_000_000,
    ...changes,
  }
}
