import * as fc from 'fast-check'
import t from 'tap'
import type { AuditEvent } from '../../src/audit/event.ts'
import type { UserKind } from '../../src/vault/record.ts'
import { maxPatients } from '../../src/audit/event.ts'
import { createLineBuilder } from '../../src/audit/line.ts'
import { createPseudonyms } from '../../src/audit/pseudonyms.ts'
import { auditRecord } from '../../src/audit/record.ts'
import { createVocabulary } from '../../src/audit/vocabulary.ts'
import { link, genesis } from '../../src/audit/chain.ts'
import { readFilter } from '../../src/staff/filter.ts'
import { parametersOf } from '../../src/staff/find-routes.ts'
import { asks } from '../../src/staff/questions.ts'
import { pseudonymKey, tenants } from './support.ts'

const pseudonyms = createPseudonyms([pseudonymKey])
const build = createLineBuilder({
  pseudonyms,
  vocabulary: createVocabulary(tenants),
  instance: 'one',
})
const lineOf = (event: AuditEvent): string =>
  link(genesis, build(event, Date.UTC(2026, 2, 1, 9, 30, 1, 5))).line
const recordOf = (event: AuditEvent) => auditRecord.parse(JSON.parse(lineOf(event)))

const full: AuditEvent = {
  event: 'fhir.access',
  outcome: 'success',
  state: 'active',
  tenant: 'north',
  mode: 'chart',
  launch: 'XyZ',
  request: '7K3M-9QXW-2B',
  client: '10.1.2.3',
  user: { issuer: 'i', subject: 's', fhirUser: 'Practitioner/7', kind: 'practitioner' },
  patient: ['p1', 'p2', 'p1'],
  rule: 'Patient banner',
  interaction: 'search-type',
  resource: 'Observation',
  operation: 'Patient/$everything',
  parameters: [
    { name: 'category', value: 'http://terminology.hl7.org/x|vital-signs' },
    { name: 'date', value: 'ge2026-01-01' },
    { name: 'code', value: 'http://loinc.org|8480-6' },
    { name: '_count', value: '50' },
    { name: 'patient:Patient.name:exact', value: 'Smith' },
    { name: 'Smith', value: 'John' },
  ],
  requested: 'launch patient/Observation.rs?category=vital-signs',
  granted: 'launch patient/Observation.rs?category=vital-signs patient/Patient.r?name=Smith Smith',
  context: ['patient', 'Smith'],
  version: '3',
  status: 200,
  upstreamStatus: 200,
  count: 2,
  bytes: 100,
  ms: 1.6,
  reason: 'wrong_patient',
  actor: 'user',
}

t.test('what is remembered of a launch is never said of another, nor when it has changed', (t) => {
  const users = [
    full.user,
    { issuer: 'i', subject: 's', fhirUser: 'Patient/p1', kind: 'patient' },
    { issuer: 'i', subject: 't', fhirUser: undefined, kind: 'practitioner' },
    undefined,
  ] as const
  const events = fc.record({
    event: fc.constant('fhir.access' as const),
    outcome: fc.constant('success' as const),
    launch: fc.constantFrom('one', 'two', undefined),
    tenant: fc.constantFrom('north', 'south', undefined),
    mode: fc.constantFrom('chart', 'other', undefined),
    client: fc.constantFrom('10.1.2.3', '10.1.2.4', undefined),
    user: fc.constantFrom(...users),
    patient: fc.constantFrom('p1', 'p2', ['p1', 'p2'], undefined),
    request: fc.constantFrom('7K3M-9QXW-2B', '7K3M-9QXW-2C'),
  })
  const anew = (): typeof build =>
    createLineBuilder({ pseudonyms, vocabulary: createVocabulary(tenants), instance: 'one' })
  fc.assert(
    fc.property(fc.array(events, { minLength: 2, maxLength: 8 }), (some) => {
      const remembering = anew()
      return some.every((event) => remembering(event, 1) === anew()(event, 1))
    }),
    { numRuns: 500 },
  )
  t.end()
})

t.test('all members, in the order of DESIGN', async (t) => {
  const record = recordOf(full)
  t.equal(
    Object.keys(record).join(' '),
    'seq time event outcome state tenant mode launch request client user patient rule interaction resource operation ' +
      'parameters requested granted context version status upstreamStatus count bytes ms reason actor instance prev hash',
  )
  t.equal(record.user, 'Practitioner/7')
  t.same(record.patient, [pseudonyms.patient('north', 'p1'), pseudonyms.patient('north', 'p2')])
  t.match(record.launch, /^[0-9a-f]{16}$/)
  t.same(record.parameters, [
    'category=vital-signs',
    'date=ge',
    'code',
    '_count=50',
    'patient:Patient.name:exact',
    '?',
  ])
  t.equal(record.requested, 'launch patient/Observation.rs?category=vital-signs')
  t.equal(
    record.granted,
    'launch patient/Observation.rs?category=vital-signs patient/Patient.r?? ?',
  )
  t.same(record.context, ['patient', '?'])
  t.equal(record.ms, 2)
})

function userOf(
  fhirUser: string | undefined,
  kind: UserKind | undefined,
  subject?: string,
): string | undefined {
  const user = { issuer: 'i', subject, fhirUser, kind }
  return recordOf({ event: 'fhir.access', outcome: 'success', tenant: 'north', user }).user
}

t.test('the id of a written resource stands as a pseudonym behind its type', async (t) => {
  const write = { event: 'fhir.written', outcome: 'success', tenant: 'north' } as const
  t.match(
    recordOf({ ...write, resource: 'Observation', resourceId: 'o1', interaction: 'patch' })
      .resource,
    /^Observation\/p1\.[A-Za-z0-9_-]{22}$/,
  )
  t.equal(recordOf({ ...write, resource: 'Smith', resourceId: 'o1' }).resource, '?')
  const read = { ...write, event: 'fhir.access', interaction: 'read' } as const
  t.equal(recordOf({ ...read, resource: 'Observation', resourceId: 'o1' }).resource, 'Observation')
})

t.test('what narrowed a search is marked, and stands by the same rules', async (t) => {
  const parameters = [
    { name: 'code', value: 'http://loinc.org|1' },
    { name: '+category', value: 'http://x|vital-signs' },
    { name: '+patient', value: 'p1' },
    { name: '+Smith', value: 'John' },
  ]
  t.same(recordOf({ event: 'fhir.access', outcome: 'success', parameters }).parameters, [
    'code',
    '+category=vital-signs',
    '+patient',
    '+?',
  ])
})

t.test('only a workforce user in the form of an identifier stands by name', async (t) => {
  const absolute = 'https://ehr.example:8443/fhir/r4/Practitioner/a-7'
  t.equal(userOf(absolute, 'practitioner'), absolute)
  t.equal(userOf(undefined, 'practitioner', 'dr.a@hospital.example'), 'dr.a@hospital.example')
  t.match(userOf('Practitioner/John Smith', 'practitioner'), /^p1\./)
  t.match(userOf(undefined, 'practitioner', 'John Smith'), /^p1\./)
  t.match(userOf('Practitioner/7', undefined), /^p1\./)
  t.match(userOf('Device/7', 'other'), /^p1\./)
  t.equal(userOf('Patient/p1', 'patient'), pseudonyms.patient('north', 'p1'))
  t.not(userOf('RelatedPerson/p1', 'related_person'), pseudonyms.patient('north', 'p1'))
  t.equal(userOf(undefined, undefined), undefined)
})

t.test('too many patients for a record cannot be recorded', async (t) => {
  const patient = Array.from({ length: maxPatients + 1 }, (_, index) => String(index))
  t.throws(() => lineOf({ event: 'fhir.access', outcome: 'success', patient }), RangeError)
})

t.test('whatever comes in: one ASCII line, of the strict form, without a word of it', async () => {
  const marker = 'Zyxwvuts Rqponml'
  const hostile = fc
    .tuple(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.constantFrom('', '\n', '"', '\\', '\u2028', '\ud800'),
    )
    .map(([text, odd]) => `${text}${odd}${marker}`)
  const event = fc.record({
    event: fc.constantFrom('fhir.access' as const, 'launch.refused' as const),
    outcome: fc.constantFrom('success' as const, 'refused' as const),
    state: hostile,
    tenant: hostile,
    mode: hostile,
    launch: hostile,
    request: hostile,
    client: hostile,
    user: fc.record({
      issuer: hostile,
      subject: hostile,
      fhirUser: fc.option(hostile, { nil: undefined }),
      kind: fc.constantFrom('practitioner' as const, 'patient' as const, 'other' as const),
    }),
    patient: fc.oneof(hostile, fc.array(hostile, { maxLength: 5 })),
    rule: hostile,
    interaction: hostile,
    resource: hostile,
    resourceId: hostile,
    operation: hostile,
    parameters: fc.array(fc.record({ name: hostile, value: hostile }), { maxLength: 5 }),
    requested: hostile,
    granted: hostile,
    context: fc.array(hostile, { maxLength: 5 }),
    version: hostile,
    status: fc.double(),
    ms: fc.double(),
    reason: hostile,
    actor: hostile,
  })
  fc.assert(
    fc.property(event, (odd) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a wrong caller would pass
      const line = lineOf(odd as unknown as AuditEvent)
      auditRecord.parse(JSON.parse(line))
      return /^[\x20-\x7e]+$/.test(line) && !/Zyxwvuts|Rqponml/.test(line)
    }),
    { numRuns: 2000 },
  )
})

t.test('whatever can be asked on the staff site stands in the record of it', (t) => {
  for (const [name, values] of Object.entries({
    ask: asks,
    last: ['1', '7', '30', '90'],
    outcome: ['success', 'refused', 'failed'],
    denied: ['1'],
    event: ['fhir.access'],
    resource: ['Observation'],
    tenant: ['north'],
    around: ['2026-03-01T10:14'],
    zone: ['Europe/Berlin'],
  })) {
    for (const value of values) {
      const read = readFilter({ [name]: value }, 'UTC', 0)
      if (!read.ok) throw new TypeError(`${name} is not asked`)
      const parameters = parametersOf(read.filter)
      const { parameters: written } = recordOf({
        event: 'staff.searched',
        outcome: 'success',
        parameters,
      })
      t.ok(written?.includes(`${name}=${value}`), `${name}=${value}`)
    }
  }
  t.end()
})

t.test('an operation of an EHR stands by its name where a rule names it, and only there', (t) => {
  const [tenant] = tenants
  if (tenant === undefined) throw new TypeError('no tenant')
  const [mode] = tenant.modes
  if (mode === undefined) throw new TypeError('no mode')
  const rule = { feature: 'Close', operation: 'Encounter/$close', parameters: [] } as const
  const known = createLineBuilder({
    pseudonyms,
    vocabulary: createVocabulary([
      { ...tenant, modes: [{ ...mode, allow: [{ ...rule, parameters: [] }] }] },
    ]),
    instance: 'one',
  })
  const event = { event: 'fhir.written', outcome: 'success', operation: '$close' } as const
  t.match(known(event, 0), '"operation":"$close"', 'as a request has it: without its type')
  t.match(known({ ...event, operation: '$miller' }, 0), '"operation":"?"')
  t.match(build(event, 0), '"operation":"?"')
  t.end()
})
