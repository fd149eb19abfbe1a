import type { AuditEvent } from '../../../src/audit/event.ts'

/** What the proxy records of an ordinary search. */
export const accessEvent: AuditEvent = {
  event: 'fhir.access',
  outcome: 'success',
  tenant: 'north',
  mode: 'chart',
  launch: 'XyZ',
  request: '7K3M-9QXW-2B',
  client: '10.1.2.3',
  user: { issuer: 'i', subject: 's', fhirUser: 'Practitioner/7', kind: 'practitioner' },
  patient: 'p1',
  rule: 'Vitals',
  interaction: 'search-type',
  resource: 'Observation',
  parameters: [
    { name: 'category', value: 'vital-signs' },
    { name: '_count', value: '50' },
  ],
  status: 200,
  upstreamStatus: 200,
  count: 50,
  bytes: 81_920,
  ms: 12,
}
