import t from 'tap'
import type { JsonObject } from '../../src/smart/json.ts'
import { readLaunchContext } from '../../src/smart/launch-context.ts'

const base = 'https://ehr.example/fhir/r4'
const read = (members: JsonObject, fhirBase = base) => readLaunchContext(members, fhirBase)

t.test('the context of a token response is read and the rest is dropped', async (t) => {
  const { context, received } = read({
    access_token: 'secret',
    patient: 'p1',
    encounter: 'e-1.2',
    need_patient_banner: false,
    intent: 'reconcile-medications',
    smart_style_url: 'https://ehr.example/style.json',
    tenant: 'north',
    loginDepartment: '17',
    fhirContext: [{ reference: 'ImagingStudy/7', role: 'https://roles.example/x' }],
  })
  t.same(context, {
    patient: 'p1',
    encounter: 'e-1.2',
    needPatientBanner: false,
    intent: 'reconcile-medications',
    styleUrl: 'https://ehr.example/style.json',
    tenant: 'north',
    fhirContext: [{ reference: 'ImagingStudy/7', role: 'https://roles.example/x' }],
  })
  t.notOk(received.includes('loginDepartment'))
  t.notOk(JSON.stringify(received).includes('p1'), 'names, never values')
})

t.test('what is not a FHIR id names no patient', async (t) => {
  for (const patient of [
    null,
    7,
    '',
    'Patient/p1',
    'p1,p2',
    ['p1'],
    'a b',
    'x'.repeat(65),
    {},
    '.',
    '..',
  ]) {
    t.equal(read({ patient }).context.patient, undefined, JSON.stringify(patient))
  }
})

t.test('several patients are told from none and from one', async (t) => {
  const mother = { reference: 'Patient/b', role: 'https://roles.example/mother' }
  const several: JsonObject[] = [
    { patient: ['a', 'b'] },
    { patient: 'a,b' },
    {
      fhirContext: [{ reference: 'Patient/a' }, { reference: `${base}/Patient/b`, role: 'launch' }],
    },
  ]
  const not: JsonObject[] = [
    {},
    { patient: 'a', fhirContext: [{ reference: 'Patient/a' }, { reference: 'Patient/b' }] },
    { patient: ['a'] },
    { patient: 'a,a' },
    { fhirContext: [{ reference: 'Patient/a' }, { reference: `${base}/Patient/a` }, mother, null] },
    { fhirContext: [{ reference: 'Group/a' }, { reference: 'Encounter/b' }] },
  ]
  for (const members of several)
    t.equal(read(members).severalPatients, true, JSON.stringify(members))
  for (const members of not) t.equal(read(members).severalPatients, false, JSON.stringify(members))
  for (const members of several) t.equal(read(members).context.patient, undefined)
})

t.test('need_patient_banner in all its spellings; absent means a banner', async (t) => {
  const spellings: [unknown, boolean][] = [
    [true, true],
    [false, false],
    ['true', true],
    ['false', false],
    ['False', false],
    [undefined, true],
    [null, true],
    [0, true],
    ['no', true],
  ]
  for (const [value, banner] of spellings) {
    const { context } = read({ need_patient_banner: value })
    t.equal(context.needPatientBanner, banner, String(value))
  }
})

t.test('fhirContext: reference, canonical or identifier; everything else is dropped', async (t) => {
  const { context } = read({
    fhirContext: [
      { reference: 'Observation/1' },
      { canonical: 'https://forms.example/Questionnaire/1|2' },
      { identifier: { system: 'urn:oid:1.2', value: '17' }, type: 'Patient' },
      { reference: 'https://elsewhere.example/Patient/2' },
      { role: 'launch' },
      'Patient/1',
      null,
      { reference: 'Observation/2', role: '' },
      { reference: 'Observation/3', role: null },
      { reference: `${base}/ImagingStudy/4`, role: 'launch' },
      { canonical: 'urn:uuid:0d8ff2b2-9c13-4c4a-9a3a-5e0a6a1f7c11' },
      { reference: 'Patient/p2' },
      { reference: 'Observation/..' },
      { reference: 'Encounter/e2', role: 'launch' },
      { reference: 'Patient/p2', role: 'https://roles.example/mother' },
    ],
  })
  t.same(context.fhirContext, [
    { reference: 'Observation/1' },
    { canonical: 'https://forms.example/Questionnaire/1|2' },
    { identifier: { system: 'urn:oid:1.2', value: '17' }, type: 'Patient' },
    { reference: 'Observation/3' },
    { reference: 'ImagingStudy/4', role: 'launch' },
    { canonical: 'urn:uuid:0d8ff2b2-9c13-4c4a-9a3a-5e0a6a1f7c11' },
    { reference: 'Patient/p2', role: 'https://roles.example/mother' },
  ])
})

t.test('fhirContext that is not a list is no context', async (t) => {
  t.same(read({ fhirContext: { reference: 'Patient/1' } }).context.fhirContext, [])
})

t.test('text for people holds no markup and no control characters', async (t) => {
  t.equal(read({ intent: '<img src=x>' }).context.intent, undefined)
  t.equal(read({ intent: 'a\nb' }).context.intent, undefined)
  t.equal(read({ tenant: 'a\u202eb' }).context.tenant, undefined, 'nor a turn of direction')
  t.equal(read({ intent: 'Überprüfung – 見直し' }).context.intent, 'Überprüfung – 見直し')
  t.equal(read({ smart_style_url: 'javascript:1' }).context.styleUrl, undefined)
})

t.test('a style stands on https; on http only beside an EHR on http', async (t) => {
  const style = (url: string, fhirBase = base) =>
    read({ smart_style_url: url }, fhirBase).context.styleUrl
  t.equal(style('https://ehr.example/s.json'), 'https://ehr.example/s.json')
  t.equal(style('http://ehr.example/s.json'), undefined)
  t.equal(
    style('http://127.0.0.1:9/s.json', 'http://127.0.0.1:9/fhir'),
    'http://127.0.0.1:9/s.json',
  )
  t.equal(style('https://user:word@ehr.example/s.json'), undefined)
})
