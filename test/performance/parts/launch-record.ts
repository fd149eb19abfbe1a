import { randomBytes } from 'node:crypto'
import type { LaunchRecord } from '../../../src/vault/record.ts'

/** A launch as an EHR leaves it: an access token of 1 KB and a refresh token of half of that. */
export function launchRecord(launch: string, now: number, patient = 'p1'): LaunchRecord {
  return {
    schema: 1,
    launch,
    tenant: 'north',
    mode: 'chart',
    state: 'active',
    user: {
      issuer: undefined,
      subject: undefined,
      fhirUser: 'Practitioner/7',
      kind: 'practitioner',
    },
    context: {
      patient,
      encounter: 'e1',
      fhirContext: [],
      intent: undefined,
      needPatientBanner: true,
      styleUrl: undefined,
      tenant: undefined,
    },
    scopes: {
      requested: 'launch openid fhirUser patient/Patient.rs patient/Observation.rs',
      granted: 'patient/Patient.rs patient/Observation.rs',
    },
    tokens: {
      access: randomBytes(768).toString('base64url'),
      receivedAt: now,
      accessExpiresAt: undefined,
      refresh: randomBytes(384).toString('base64url'),
    },
    startedAt: now,
    absoluteAt: now + absoluteMs,
  }
}

export const idleMs = 900_000
export const absoluteMs = 36_000_000
