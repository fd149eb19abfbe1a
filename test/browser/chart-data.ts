/** A made-up chart for tests of the demo app: conflicting codes, contradictions, two units, long results. */

type Resource = Record<string, unknown> & { resourceType: string }
type Chart = Record<string, Resource[]>

const synthetic = {
  tag: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code: 'HTEST' }],
}
const subject = { reference: 'Patient/p1' }
const loinc = (code: string, display: string) => ({
  coding: [{ system: 'http://loinc.org', code, display }],
})
const snomed = (code: string, display: string) => ({
  system: 'http://snomed.info/sct',
  code,
  display,
})
const coded = (code: string) => ({ coding: [{ code }] })

export const patient: Resource = {
  resourceType: 'Patient',
  id: 'p1',
  meta: synthetic,
  name: [
    { use: 'old', family: 'Byron' },
    { use: 'official', family: 'Lovelace', given: ['Ada', 'Augusta'] },
  ],
  birthDate: '1958-12-10',
  gender: 'female',
  identifier: [
    { type: { coding: [{ code: 'MR' }] }, value: 'MRN-0042' },
    { type: { text: 'Insurance' }, value: 'A 123 456 789' },
  ],
}

export const practitioner: Resource = {
  resourceType: 'Practitioner',
  id: '7',
  name: [{ prefix: ['Dr'], given: ['Maria'], family: 'Lopez' }],
}

export const relatedPerson: Resource = {
  resourceType: 'RelatedPerson',
  id: 'r1',
  patient: { reference: 'Patient/p1' },
  name: [{ given: ['Mary'], family: 'Shelley' }],
}

const conditions: Resource[] = [
  {
    resourceType: 'Condition',
    code: {
      text: 'Type 2 diabetes mellitus',
      coding: [
        snomed('44054006', 'Diabetes mellitus type 2 (disorder)'),
        {
          system: 'http://hl7.org/fhir/sid/icd-10-cm',
          code: 'E10.9',
          display: 'Type 1 diabetes mellitus without complications',
        },
      ],
    },
    clinicalStatus: coded('active'),
    onsetDateTime: '2009',
  },
  {
    resourceType: 'Condition',
    code: {
      text: 'Essential hypertension',
      coding: [snomed('59621000', 'Essential hypertension')],
    },
    clinicalStatus: coded('active'),
    onsetDateTime: '2014-03-02',
  },
  {
    resourceType: 'Condition',
    code: { text: 'Chronic kidney disease stage 3' },
    clinicalStatus: coded('active'),
    verificationStatus: coded('provisional'),
    recordedDate: '2025-11-20',
  },
  {
    resourceType: 'Condition',
    code: { text: 'Community-acquired pneumonia' },
    clinicalStatus: coded('resolved'),
    onsetDateTime: '2019-01',
    abatementDateTime: '2019-02',
  },
  {
    resourceType: 'Condition',
    code: { text: 'Essential hypertension' },
    clinicalStatus: coded('resolved'),
  },
  {
    resourceType: 'Condition',
    code: { text: 'Gout' },
    verificationStatus: coded('entered-in-error'),
  },
]

const medications: Resource[] = [
  {
    resourceType: 'MedicationRequest',
    status: 'active',
    intent: 'order',
    medicationCodeableConcept: { text: 'Metformin 850 mg tablet' },
    dosageInstruction: [{ text: '1 tablet twice a day with meals' }],
    authoredOn: '2025-06-03',
  },
  {
    resourceType: 'MedicationRequest',
    status: 'on-hold',
    intent: 'order',
    medicationReference: { reference: '#m' },
    contained: [{ resourceType: 'Medication', id: 'm', code: { text: 'Lisinopril 10 mg tablet' } }],
    authoredOn: '2026-01-15',
  },
  {
    resourceType: 'MedicationRequest',
    status: 'active',
    intent: 'order',
    doNotPerform: true,
    medicationCodeableConcept: { text: 'Ibuprofen' },
    authoredOn: '2025-11-20',
  },
  {
    resourceType: 'MedicationRequest',
    status: 'completed',
    intent: 'order',
    medicationCodeableConcept: { text: 'Amoxicillin 500 mg capsule' },
    authoredOn: '2019-01-20',
  },
]

const allergies: Resource[] = [
  {
    resourceType: 'AllergyIntolerance',
    code: { text: 'Penicillin' },
    criticality: 'high',
    clinicalStatus: coded('active'),
    reaction: [{ manifestation: [{ text: 'Anaphylaxis' }], severity: 'severe' }],
    recordedDate: '2001-05-11',
  },
  {
    resourceType: 'AllergyIntolerance',
    code: { coding: [snomed('716186003', 'No known allergy')] },
    clinicalStatus: coded('active'),
    recordedDate: '2024-02-01',
  },
]

const quantity = (value: number, unit: string) => ({ value, unit })

function vitals(): Resource[] {
  const observations: Resource[] = []
  for (let month = 0; month < 24; month++) {
    const effectiveDateTime = new Date(Date.UTC(2026, 2 - month, 3, 9, 30)).toISOString()
    const wave = Math.round(9 * Math.sin(month * 1.7))
    const base = { resourceType: 'Observation', status: 'final', subject, effectiveDateTime }
    observations.push(
      {
        ...base,
        code: loinc('85354-9', 'Blood pressure panel'),
        component: [
          { code: loinc('8480-6', 'Systolic'), valueQuantity: quantity(138 + wave, 'mmHg') },
          { code: loinc('8462-4', 'Diastolic'), valueQuantity: quantity(84 + (wave % 5), 'mmHg') },
        ],
      },
      { ...base, code: loinc('8867-4', 'Heart rate'), valueQuantity: quantity(74 + wave, '/min') },
      {
        ...base,
        code: loinc('29463-7', 'Body weight'),
        valueQuantity: month === 5 ? quantity(171, 'lb') : quantity(78.5 + month * 0.2, 'kg'),
      },
    )
  }
  const single = { resourceType: 'Observation', subject, effectiveDateTime: '2026-03-03T09:30:00Z' }
  observations.push(
    {
      ...single,
      status: 'preliminary',
      code: loinc('8310-5', 'Temperature'),
      valueQuantity: quantity(36.8, 'Cel'),
    },
    {
      ...single,
      status: 'final',
      effectiveDateTime: '2026-03-04T08:00:00Z',
      code: {
        coding: [
          { system: 'http://loinc.org', code: '8867-4', display: 'Heart rate' },
          snomed('271649006', 'Systolic blood pressure'),
        ],
      },
      valueQuantity: quantity(138, '/min'),
    },
    { ...single, status: 'final', code: { text: 'Pain score' }, valueQuantity: quantity(3, '') },
  )
  return observations
}

const tests = [
  ['Sodium', 'mmol/L', 135, 145, [139, 141, 132]],
  ['Potassium', 'mmol/L', 3.5, 5.1, [4.2, 6.4, 4.8]],
  ['Creatinine', 'µmol/L', 45, 90, [128, 124, 117]],
  ['Haemoglobin A1c', '%', 4, 6, [7.9, 8.3, 7.4]],
  ['Haemoglobin', 'g/L', 120, 155, [118, 124, 126]],
] as const

function labs(): Resource[] {
  const observations: Resource[] = []
  for (let round = 0; round < 9; round++) {
    for (const [name, unit, low, high, values] of tests) {
      const value = values[round % values.length] ?? low
      const code =
        name === 'Potassium' && value > 6 ? 'HH' : value > high ? 'H' : value < low ? 'L' : 'N'
      observations.push({
        resourceType: 'Observation',
        status: round === 0 && name === 'Haemoglobin' ? 'preliminary' : 'final',
        subject,
        effectiveDateTime: new Date(Date.UTC(2026, 2 - round * 2, 3, 7, 15)).toISOString(),
        code: { text: name },
        valueQuantity: quantity(value, unit),
        interpretation: [coded(code)],
        referenceRange: [{ low: quantity(low, unit), high: quantity(high, unit) }],
      })
    }
  }
  observations.splice(5, 0, {
    resourceType: 'Observation',
    status: 'final',
    subject,
    effectiveDateTime: '2026-01-20T11:00:00Z',
    code: { text: 'Urine culture' },
    valueString: 'No growth after 48 hours <b>final</b>',
  })
  return observations
}

/** By the section's search. */
export const fullChart = (): Chart => ({
  Condition: conditions,
  MedicationRequest: medications,
  AllergyIntolerance: allergies,
  'vital-signs': vitals(),
  laboratory: labs(),
})
