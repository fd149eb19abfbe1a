import type { ResourceOf, ResourceType } from './types.ts'

/** What a client may search by, per type; `_id`, `_lastUpdated`, `_count` and `_sort` work everywhere. */
const searchParameters: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  Patient: [
    ['name', 'string'],
    ['family', 'string'],
    ['given', 'string'],
    ['birthdate', 'date'],
    ['gender', 'token'],
    ['identifier', 'token'],
  ],
  Observation: [
    ['patient', 'reference'],
    ['category', 'token'],
    ['code', 'token'],
    ['date', 'date'],
    ['status', 'token'],
  ],
  Condition: [
    ['patient', 'reference'],
    ['category', 'token'],
    ['clinical-status', 'token'],
    ['code', 'token'],
  ],
  MedicationRequest: [
    ['patient', 'reference'],
    ['status', 'token'],
    ['intent', 'token'],
    ['authoredon', 'date'],
  ],
  DiagnosticReport: [
    ['patient', 'reference'],
    ['category', 'token'],
    ['code', 'token'],
    ['date', 'date'],
  ],
}

const interactions = [
  'read',
  'vread',
  'history-instance',
  'search-type',
  'create',
  'update',
  'patch',
  'delete',
] as const

export function capabilityStatement(
  base: string,
  types: readonly ResourceType[],
): ResourceOf<'CapabilityStatement'> {
  const oauth = new URL('/oauth', base).href
  const endpoint = (url: string, path: string) => ({ url, valueUri: `${oauth}/${path}` })
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: '2026-01-01',
    kind: 'instance',
    software: { name: 'smart-bff sandbox EHR (synthetic data)' },
    implementation: { description: 'Synthetic data only', url: base },
    fhirVersion: '4.0.1',
    format: ['json'],
    rest: [
      {
        mode: 'server',
        security: {
          service: [
            {
              coding: [
                {
                  system: 'http://terminology.hl7.org/CodeSystem/restful-security-service',
                  code: 'SMART-on-FHIR',
                },
              ],
            },
          ],
          extension: [
            {
              url: 'http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris',
              extension: [
                endpoint('authorize', 'authorize'),
                endpoint('token', 'token'),
                endpoint('introspect', 'introspect'),
                endpoint('revoke', 'revoke'),
              ],
            },
          ],
        },
        interaction: [{ code: 'batch' }, { code: 'transaction' }],
        resource: types.map((type) => ({
          type,
          versioning: 'versioned-update',
          readHistory: true,
          updateCreate: true,
          interaction: interactions.map((code) => ({ code })),
          searchParam: (searchParameters[type] ?? [['patient', 'reference']]).map(
            ([name, kind]) => ({ name, type: kind as 'string' | 'token' | 'date' | 'reference' }),
          ),
          ...(type === 'Patient'
            ? {
                operation: [
                  {
                    name: 'everything',
                    definition: 'http://hl7.org/fhir/OperationDefinition/Patient-everything',
                  },
                ],
              }
            : {}),
        })),
      },
    ],
  }
}
