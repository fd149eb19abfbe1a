import t from 'tap'
import { decideLine as decide } from './decide-line.ts'
import type { WorldOptions } from './helper.ts'

/** parse → allow → scope → bind as one table: what goes to the EHR, or which code refuses. */

function table(
  t: { equal(a: unknown, b: unknown, m: string): void },
  rows: [string, string][],
  options: WorldOptions = {},
): void {
  for (const [line, expected] of rows) t.equal(decide(line, options), expected, line)
}

t.test('rows of the request-shape table', (t) => {
  table(t, [
    ['GET metadata', 'own'],
    ['GET metadata?_format=application/fhir%2Bjson', 'own'],
    ['GET metadata?_format=xml', 'FHIR_PATH_INVALID'],
    ['GET metadata?mode=terminology', 'FHIR_PARAMETER_NOT_ALLOWED'],
    ['GET metadata?_method=DELETE', 'FHIR_PARAMETER_NOT_ALLOWED'],
    ['POST metadata', 'FHIR_PATH_INVALID'],
    ['GET Patient/p1', 'GET Patient/p1'],
    ['HEAD Patient/p1', 'GET Patient/p1'],
    ['GET Patient/p2', 'FHIR_RESOURCE_UNKNOWN'],
    ['GET Observation/o1', 'GET Observation/o1'],
    ['GET Observation/o1?_format=json&_pretty=true', 'GET Observation/o1'],
    ['GET Observation/o1?status=final', 'FHIR_PARAMETER_NOT_ALLOWED'],
    ['GET Observation/o1/_history/2', 'GET Observation/o1/_history/2'],
    ['GET Patient/p1/_history/2', 'FHIR_NOT_ALLOWED'],
    ['GET Patient', 'GET Patient?_id=p1'],
    ['GET Patient?_id=p1', 'GET Patient?_id=p1'],
    ['GET Patient?_id=p2', 'FHIR_PATIENT_FOREIGN'],
    ['GET Patient?_id=p1,p2', 'FHIR_PATIENT_FOREIGN'],
    ['GET Observation', 'GET Observation?patient=p1'],
    ['GET Patient/p1/Observation?code=1', 'GET Observation?patient=p1&code=1'],
    ['GET Patient/p2/Observation', 'FHIR_PATIENT_FOREIGN'],
    ['GET Patient/p1/Practitioner', 'FHIR_PATIENT_FOREIGN'],
    ['GET Patient/p1/*', 'FHIR_PATH_INVALID'],
    ['GET Encounter/e1/Observation', 'FHIR_NOT_ALLOWED'],
    ['GET Practitioner/7/Observation', 'FHIR_NOT_ALLOWED'],
    ['GET Practitioner', 'GET Practitioner'],
    ['GET Binary/b1', 'FHIR_NOT_ALLOWED'],
    ['GET Foo/1', 'FHIR_PATH_INVALID'],
    ['GET ', 'FHIR_NOT_ALLOWED'],
    ['GET ?_type=Observation', 'FHIR_NOT_ALLOWED'],
    ['PUT Patient/p1', 'FHIR_NOT_ALLOWED'],
    ['BREW Patient/p1', 'FHIR_NOT_ALLOWED'],
  ])
  t.end()
})

t.test('a search is bound once; every other way to name a patient is refused', (t) => {
  table(t, [
    ['GET Observation?patient=p1', 'GET Observation?patient=p1'],
    ['GET Observation?patient=Patient/p1', 'GET Observation?patient=p1'],
    ['GET Observation?subject=Patient/p1', 'GET Observation?patient=p1'],
    ['GET Observation?subject:Patient=p1', 'GET Observation?patient=p1'],
    ['GET Observation?pat%69ent=p1', 'GET Observation?patient=p1'],
    // A bare id of a parameter that points at several types may be any type's.
    ['GET Observation?subject=p1', 'FHIR_PATIENT_FOREIGN'],
    ['GET Observation?patient=p2', 'FHIR_PATIENT_FOREIGN'],
    ['GET Observation?patient=p1&patient=p1', 'FHIR_PATIENT_FOREIGN'],
    ['GET Observation?patient=p1&subject=Patient/p1', 'FHIR_PATIENT_FOREIGN'],
    ['GET Patient/p1/Observation?patient=p1', 'FHIR_PATIENT_FOREIGN'],
    ['GET Observation?patient=p1,p2', 'FHIR_PATIENT_FOREIGN'],
    ['GET Observation?patient=https://ehr.example/fhir/r4/Patient/p1', 'FHIR_PATIENT_FOREIGN'],
    ['GET Observation?patient=Patient/p1/_history/1', 'FHIR_PATIENT_FOREIGN'],
    ['GET Observation?patient=urn:uuid:1', 'FHIR_PATIENT_FOREIGN'],
    ['GET Observation?patient:missing=true', 'FHIR_PATIENT_FOREIGN'],
    ['GET Observation?patient:not=p1', 'FHIR_PATIENT_FOREIGN'],
    ['GET Observation?patient:identifier=x', 'FHIR_PATIENT_FOREIGN'],
    ['GET Observation?patient.name=Ng', 'FHIR_PATH_INVALID'],
    [
      'GET Observation?performer=Practitioner/7',
      'GET Observation?patient=p1&performer=Practitioner/7',
    ],
    ['GET Observation?performer=Patient/p1', 'GET Observation?patient=p1&performer=Patient/p1'],
    ['GET Observation?performer=Patient/p2', 'FHIR_PATIENT_FOREIGN'],
    ['GET Observation?performer=Practitioner/7,Patient/p2', 'FHIR_PATIENT_FOREIGN'],
    ['GET Observation?performer=p2', 'FHIR_PATIENT_FOREIGN'],
    ['GET Observation?performer=https://x.example/Patient/p2', 'FHIR_PATIENT_FOREIGN'],
  ])
  const everything = {
    mode: {
      allow: [
        {
          feature: 'All',
          resource: 'Observation',
          interactions: ['search-type'],
          search: [
            'patient',
            'subject',
            'patient:not',
            'patient:identifier',
            'patient:missing',
            '_has',
            '_filter',
            '_list',
            'focus',
          ],
        },
      ],
    },
  }
  // A rule that lists them changes nothing about patients.
  table(
    t,
    [
      ['GET Observation?patient=p2', 'FHIR_PATIENT_FOREIGN'],
      ['GET Observation?patient=p1,p2', 'FHIR_PATIENT_FOREIGN'],
      ['GET Observation?patient:not=p1', 'FHIR_PATIENT_FOREIGN'],
      ['GET Observation?patient:missing=true', 'FHIR_PATIENT_FOREIGN'],
      ['GET Observation?patient:identifier=x', 'FHIR_PATIENT_FOREIGN'],
      ['GET Observation?focus=Patient/p2', 'FHIR_PATIENT_FOREIGN'],
      ['GET Observation?_has=x', 'FHIR_PARAMETER_NOT_ALLOWED'],
      ['GET Observation?_has:Observation:patient:code=x', 'FHIR_PATH_INVALID'],
      ['GET Observation?_filter=x', 'FHIR_PARAMETER_NOT_ALLOWED'],
      ['GET Observation?_list=l1', 'GET Observation?patient=p1&_list=l1'],
    ],
    everything,
  )
  t.end()
})

t.test(
  'parameters and modifiers need to be listed; shapes that hide the subject are refused',
  (t) => {
    table(t, [
      [
        'GET Observation?code=a,b&_count=10&_sort=-date',
        'GET Observation?patient=p1&code=a,b&_count=10&_sort=-date',
      ],
      ['GET Observation?code:in=http://x', 'GET Observation?patient=p1&code:in=http://x'],
      ['GET Observation?code:not=x', 'FHIR_PARAMETER_NOT_ALLOWED'],
      ['GET Observation?status=final', 'FHIR_PARAMETER_NOT_ALLOWED'],
      ['GET Observation?_count=-1', 'FHIR_PARAMETER_NOT_ALLOWED'],
      ['GET Observation?_sort=patient.name', 'FHIR_PARAMETER_NOT_ALLOWED'],
      ['GET Observation?_summary=text', 'FHIR_PARAMETER_NOT_ALLOWED'],
      ['GET Observation?_elements=code', 'GET Observation?patient=p1&_elements=code,subject'],
      [
        'GET Observation?_elements=subject,code',
        'GET Observation?patient=p1&_elements=subject,code',
      ],
      [
        'GET Observation?_include=Observation:encounter',
        'GET Observation?patient=p1&_include=Observation:encounter',
      ],
      [
        'GET Observation?_include=Observation:performer:Practitioner',
        'GET Observation?patient=p1&_include=Observation:performer:Practitioner',
      ],
      ['GET Observation?_include=Observation:performer', 'FHIR_PARAMETER_NOT_ALLOWED'],
      ['GET Observation?_include=Observation:performer:Patient', 'FHIR_PARAMETER_NOT_ALLOWED'],
      ['GET Observation?_include=*', 'FHIR_PARAMETER_NOT_ALLOWED'],
      ...['constructor', '__proto__', 'toString'].map((type): [string, string] => [
        `GET Observation?_revinclude=${type}:target`,
        'FHIR_PARAMETER_NOT_ALLOWED',
      ]),
      ['GET Observation?_include:iterate=Observation:encounter', 'FHIR_PARAMETER_NOT_ALLOWED'],
      [
        'GET Observation?_revinclude=Provenance:target',
        'GET Observation?patient=p1&_revinclude=Provenance:target',
      ],
      ['GET Observation?_revinclude=Observation:encounter', 'FHIR_PARAMETER_NOT_ALLOWED'],
      ['GET Observation?_method=DELETE', 'FHIR_PARAMETER_NOT_ALLOWED'],
      ['GET Observation?_format=xml', 'FHIR_PATH_INVALID'],
      ['GET Observation?__proto__=x', 'FHIR_PATH_INVALID'],
      ['GET Observation?constructor=x', 'FHIR_PARAMETER_NOT_ALLOWED'],
      ['GET Observation?code', 'FHIR_PATH_INVALID'],
      ['GET Observation?code=1&', 'FHIR_PATH_INVALID'],
      ['GET Observation?code=%zz', 'FHIR_PATH_INVALID'],
      ['GET Observation?code=%ff', 'FHIR_PATH_INVALID'],
      ['GET Observation?code=%00', 'FHIR_PATH_INVALID'],
      ['GET Observation?code=%0d%0aX:y', 'FHIR_PATH_INVALID'],
      ["GET Observation?code=O'Brien", 'GET Observation?patient=p1&code=O%27Brien'],
      ['GET Observation?code=a+b', 'GET Observation?patient=p1&code=a%20b'],
      ['GET Observation?code=a%26patient%3Dp2', 'GET Observation?patient=p1&code=a%26patient%3Dp2'],
      [`GET Observation?${'code=1&'.repeat(100)}code=1`, 'FHIR_PATH_INVALID'],
    ])
    t.end()
  },
)

t.test('scopes: without one nothing, granular ones narrow', (t) => {
  const granted = (text: string): WorldOptions => ({ granted: text })
  const search = 'GET Observation?code=1'
  t.equal(decide(search, granted('')), 'FHIR_SCOPE_INSUFFICIENT')
  t.equal(decide(search, granted('patient/Patient.rs')), 'FHIR_SCOPE_INSUFFICIENT')
  t.equal(decide(search, granted('patient/Observation.r')), 'FHIR_SCOPE_INSUFFICIENT')
  t.equal(decide('GET Observation/o1', granted('patient/Observation.s')), 'FHIR_SCOPE_INSUFFICIENT')
  t.equal(
    decide('GET Patient/p1/Observation', granted('patient/Patient.rs')),
    'FHIR_SCOPE_INSUFFICIENT',
  )
  const vitals = 'patient/Observation.rs?category=vital-signs'
  t.equal(decide(search, granted(vitals)), 'GET Observation?patient=p1&code=1&category=vital-signs')
  t.equal(
    decide('GET Observation?category=vital-signs', granted(vitals)),
    'GET Observation?patient=p1&category=vital-signs',
  )
  t.equal(
    decide('GET Observation?_elements=code', granted(vitals)),
    'GET Observation?patient=p1&_elements=code,subject,category&category=vital-signs',
  )
  const both = `${vitals} patient/Observation.rs?category=laboratory`
  t.equal(
    decide(search, granted(both)),
    'GET Observation?patient=p1&code=1&category=vital-signs,laboratory',
  )
  const mixed = `${vitals} patient/Observation.rs?code=8867-4`
  t.equal(decide(search, granted(mixed)), 'FHIR_SCOPE_INSUFFICIENT')
  t.equal(
    decide('GET Observation?code=8867-4', granted(mixed)),
    'GET Observation?patient=p1&code=8867-4',
  )
  t.end()
})

t.test('without a patient: patient scopes cover nothing, and rules must say so', (t) => {
  const optional = {
    patient: undefined,
    mode: {
      patient: 'optional',
      allow: [
        {
          feature: 'A',
          resource: 'Observation',
          interactions: ['read', 'search-type'],
          search: ['patient'],
        },
        {
          feature: 'B',
          resource: 'Patient',
          interactions: ['read', 'search-type'],
          search: ['name', '_id'],
          withoutPatient: true,
        },
      ],
    },
  }
  table(
    t,
    [
      ['GET Observation', 'FHIR_PATIENT_MISSING'],
      ['GET Observation?patient=p1', 'FHIR_PATIENT_MISSING'],
      ['GET Patient?name=Ng', 'GET Patient?name=Ng'],
      ['GET Patient/p2', 'GET Patient/p2'],
      ['GET Patient?_id=p1,p2', 'GET Patient?_id=p1,p2'],
    ],
    optional,
  )
  t.equal(
    decide('GET Patient/p2', { ...optional, granted: 'patient/*.rs' }),
    'FHIR_SCOPE_INSUFFICIENT',
  )
  const none = { ...optional, mode: { ...optional.mode, patient: 'none' } }
  t.equal(decide('GET Observation?patient=p1', none), 'GET Observation?patient=p1')
  t.equal(decide('GET Patient/p1/Observation', none), 'FHIR_PATIENT_MISSING')
  t.end()
})

t.test('an empty allowlist allows nothing but capabilities', (t) => {
  const empty = { mode: { allow: [] } }
  table(
    t,
    [
      ['GET Patient/p1', 'FHIR_NOT_ALLOWED'],
      ['GET Observation', 'FHIR_NOT_ALLOWED'],
      ['GET metadata', 'own'],
    ],
    empty,
  )
  t.end()
})

t.test('types that cannot be tied to one patient are refused with a patient in context', (t) => {
  const rules = [
    'Group',
    'AuditEvent',
    'Provenance',
    'Schedule',
    'Basic',
    'Bundle',
    'Parameters',
  ].map((resource) => ({ feature: resource, resource, interactions: ['read', 'search-type'] }))
  const options = { mode: { allow: rules } }
  for (const type of ['Group', 'AuditEvent', 'Provenance', 'Schedule', 'Bundle', 'Parameters']) {
    t.equal(decide(`GET ${type}`, options), 'FHIR_NOT_ALLOWED', type)
    t.equal(decide(`GET ${type}/1`, options), 'FHIR_NOT_ALLOWED', type)
  }
  t.equal(decide('GET Basic', options), 'GET Basic?patient=p1')
  t.end()
})
