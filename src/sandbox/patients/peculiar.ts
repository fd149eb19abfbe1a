import { concept, daysAgo, hl7, instant, syntheticMeta } from './shape.ts'
import type { Drawing } from './shape.ts'
import type { Coded } from './codes.ts'

/**
 * The records that make careless software fail: resources about one patient that point at another, duplicates that
 * were merged, and codes that contradict each other. `ids` finds a person's id by key.
 */
export function drawPeculiarities(drawing: Drawing, ids: (key: string) => string): void {
  drawFamily(drawing, ids)
  drawMerge(drawing, ids)
  drawConflicts(drawing, ids('ingrid'))
}

const patient = (id: string) => ({ reference: `Patient/${id}` })

/** Santiago is covered by Lucía's insurance; Noor is Mei-Ling's child, and a note on the mother focuses on the child. */
function drawFamily({ random, now, keep }: Drawing, ids: (key: string) => string): void {
  const [santiago, lucia, mei, noor] = [ids('santiago'), ids('lucia'), ids('mei'), ids('noor')]
  const meta = syntheticMeta
  keep(
    {
      resourceType: 'Coverage',
      id: random.id(),
      meta,
      status: 'active',
      subscriber: patient(lucia),
      policyHolder: patient(lucia),
      beneficiary: patient(santiago),
      relationship: hl7('subscriber-relationship', 'spouse', 'Spouse'),
      payor: [{ display: 'Prairie Mutual (synthetic)' }],
    },
    santiago,
  )
  keep(
    {
      resourceType: 'FamilyMemberHistory',
      id: random.id(),
      meta,
      extension: [
        {
          url: 'http://hl7.org/fhir/StructureDefinition/familymemberhistory-patient-record',
          valueReference: patient(lucia),
        },
      ],
      status: 'completed',
      patient: patient(santiago),
      relationship: hl7('v3-RoleCode', 'SPS', 'spouse'),
      condition: [{ code: { text: 'Hypothyroidism' } }],
    },
    santiago,
  )
  keep(
    {
      resourceType: 'Observation',
      id: random.id(),
      meta,
      status: 'final',
      category: [hl7('observation-category', 'social-history', 'Social History')],
      code: {
        text: 'Concern about a family member',
        coding: [
          { system: 'http://loinc.org', code: '8670-2', display: 'History of family member' },
        ],
      },
      subject: patient(mei),
      focus: [patient(noor)],
      effectiveDateTime: instant(daysAgo(now, 20)),
      valueString: 'Mother reports that the child coughs at night.',
    },
    mei,
  )
  keep(
    {
      resourceType: 'RelatedPerson',
      id: random.id(),
      meta,
      active: true,
      patient: patient(noor),
      relationship: [hl7('v3-RoleCode', 'MTH', 'mother')],
      name: [{ given: ['Mei-Ling'], family: 'Zhao' }],
    },
    noor,
  )
}

/** A duplicate record that was merged keeps its own observations; Patient.link says which one lives on. */
function drawMerge({ random, now, keep }: Drawing, ids: (key: string) => string): void {
  keep(
    {
      resourceType: 'Observation',
      id: random.id(),
      meta: syntheticMeta,
      status: 'final',
      category: [hl7('observation-category', 'exam', 'Exam')],
      code: { text: 'Identity check on arrival' },
      subject: patient(ids('daniel')),
      focus: [patient(ids('daniel-duplicate'))],
      effectiveDateTime: instant(daysAgo(now, 15)),
      valueString: 'Two records found for one person; merged by registration.',
    },
    ids('daniel'),
  )
}

const hypoOrHyper: Coded = {
  text: 'Thyroid disorder',
  coding: [
    ['snomed', '40930008', 'Hypothyroidism'],
    ['icd10', 'E05.90', 'Thyrotoxicosis, unspecified without thyrotoxic crisis or storm'],
  ],
}

/** Codings that disagree with each other, and one result in two units. */
function drawConflicts({ random, now, keep }: Drawing, ingrid: string): void {
  const subject = patient(ingrid)
  const meta = syntheticMeta
  for (const status of ['active', 'resolved'] as const) {
    keep(
      {
        resourceType: 'Condition',
        id: random.id(),
        meta,
        clinicalStatus: hl7('condition-clinical', status, status),
        verificationStatus: hl7('condition-ver-status', 'confirmed', 'Confirmed'),
        category: [hl7('condition-category', 'problem-list-item', 'Problem List Item')],
        code: concept(hypoOrHyper),
        subject,
        recordedDate: instant(daysAgo(now, 900)),
      },
      ingrid,
    )
  }
  keep(
    {
      resourceType: 'Observation',
      id: random.id(),
      meta,
      status: 'final',
      category: [hl7('observation-category', 'vital-signs', 'Vital Signs')],
      code: {
        coding: [
          { system: 'http://loinc.org', code: '8867-4', display: 'Heart rate' },
          { system: 'http://snomed.info/sct', code: '271649006', display: 'Systolic pressure' },
        ],
      },
      subject,
      effectiveDateTime: instant(daysAgo(now, 0.2)),
      valueQuantity: {
        value: 138,
        unit: 'mmHg',
        system: 'http://unitsofmeasure.org',
        code: '/min',
      },
    },
    ingrid,
  )
  for (const [value, unit] of [
    [126, 'mg/dL'],
    [7, 'mmol/L'],
  ] as const) {
    keep(
      {
        resourceType: 'Observation',
        id: random.id(),
        meta,
        status: 'final',
        category: [hl7('observation-category', 'laboratory', 'Laboratory')],
        code: {
          text: 'Glucose',
          coding: [{ system: 'http://loinc.org', code: '2345-7', display: 'Glucose' }],
        },
        subject,
        effectiveDateTime: instant(daysAgo(now, 30)),
        valueQuantity: { value, unit, system: 'http://unitsofmeasure.org', code: unit },
      },
      ingrid,
    )
  }
}
