import { drugs, problems, reactions, substances, vaccines } from './codes.ts'
import type { Hospital } from './organization.ts'
import type { Person } from './people.ts'
import type { Drawing } from './shape.ts'
import { concept, day, daysAgo, hl7, instant, syntheticMeta } from './shape.ts'

/** The lists of a chart: problems, medications, allergies, immunizations, encounters. */
export function drawChart(
  drawing: Drawing,
  hospital: Hospital,
  patient: string,
  person: Person,
): void {
  const of: Of = { drawing, hospital, patient, subject: { reference: `Patient/${patient}` } }
  drawEncounters(of, person)
  for (const row of person.problems ?? []) drawProblem(of, row)
  for (const row of person.drugs ?? []) drawPrescription(of, row)
  for (const row of person.allergies ?? []) drawAllergy(of, row)
  for (const row of person.vaccines ?? []) drawImmunization(of, row)
}

interface Of {
  readonly drawing: Drawing
  readonly hospital: Hospital
  readonly patient: string
  readonly subject: { reference: string }
}

type Row<Name extends 'problems' | 'drugs' | 'allergies' | 'vaccines'> = NonNullable<
  Person[Name]
>[number]

function drawProblem({ drawing, hospital, patient, subject }: Of, row: Row<'problems'>): void {
  const [name, yearsAgo, status = 'active'] = row
  const { random, now, keep } = drawing
  const onset = daysAgo(now, yearsAgo * 365 + random.integer(0, 200))
  const condition = {
    resourceType: 'Condition',
    id: random.id(),
    meta: syntheticMeta,
    clinicalStatus: hl7('condition-clinical', status, status),
    verificationStatus: hl7('condition-ver-status', 'confirmed', 'Confirmed'),
    category: [hl7('condition-category', 'problem-list-item', 'Problem List Item')],
    code: concept(problems[name]),
    subject,
    onsetDateTime: day(onset),
    recordedDate: instant(onset),
    recorder: clinician(hospital),
  } as const
  keep(
    status === 'resolved'
      ? {
          ...condition,
          category: [...condition.category],
          abatementDateTime: day(daysAgo(now, random.integer(60, 300))),
        }
      : { ...condition, category: [...condition.category] },
    patient,
  )
}

function drawPrescription({ drawing, hospital, patient, subject }: Of, row: Row<'drugs'>): void {
  const [name, dosage, monthsAgo, status = 'active'] = row
  const { random, now, keep } = drawing
  const common = {
    resourceType: 'MedicationRequest' as const,
    id: random.id(),
    meta: syntheticMeta,
    status,
    intent: 'order' as const,
    subject,
    authoredOn: instant(daysAgo(now, monthsAgo * 30 + random.integer(0, 12))),
    requester: clinician(hospital),
    dosageInstruction: [{ text: dosage }],
  }
  // FHIR allows three ways to name the medication; real servers use all of them.
  if (name === 'warfarin') {
    const reference = `Medication/${hospital.warfarin.id}`
    keep({ ...common, medicationReference: { reference, display: drugs.warfarin.text } }, patient)
  } else if (name === 'furosemide') {
    const inside = { resourceType: 'Medication' as const, id: 'med', code: concept(drugs[name]) }
    const medicationReference = { reference: '#med', display: drugs[name].text }
    keep({ ...common, contained: [inside], medicationReference }, patient)
  } else {
    keep({ ...common, medicationCodeableConcept: concept(drugs[name]) }, patient)
  }
}

function drawAllergy({ drawing, hospital, patient, subject }: Of, row: Row<'allergies'>): void {
  const [name, reaction, severity] = row
  const { random, now, keep } = drawing
  keep(
    {
      resourceType: 'AllergyIntolerance',
      id: random.id(),
      meta: syntheticMeta,
      clinicalStatus: hl7('allergyintolerance-clinical', 'active', 'Active'),
      verificationStatus: hl7('allergyintolerance-verification', 'confirmed', 'Confirmed'),
      code: concept(substances[name]),
      patient: subject,
      recordedDate: instant(daysAgo(now, random.integer(200, 3000))),
      recorder: clinician(hospital),
      ...(name === 'none' ? {} : { type: 'allergy' as const }),
      ...(severity === 'severe' ? { criticality: 'high' as const } : {}),
      ...(reaction === undefined
        ? {}
        : {
            reaction: [
              {
                manifestation: [concept(reactions[reaction])],
                ...(severity === undefined ? {} : { severity }),
              },
            ],
          }),
    },
    patient,
  )
}

function drawImmunization({ drawing, hospital, patient, subject }: Of, row: Row<'vaccines'>): void {
  const [name, monthsAgo] = row
  const { random, now, keep } = drawing
  keep(
    {
      resourceType: 'Immunization',
      id: random.id(),
      meta: syntheticMeta,
      status: 'completed',
      vaccineCode: concept(vaccines[name]),
      patient: subject,
      occurrenceDateTime: day(daysAgo(now, monthsAgo * 30 + random.integer(0, 20))),
      primarySource: true,
      location: { reference: `Location/${hospital.location.id}` },
    },
    patient,
  )
}

function drawEncounters({ drawing, hospital, patient, subject }: Of, person: Person): void {
  const { random, now, keep } = drawing
  for (let visit = 0; visit < (person.visits ?? 0); visit += 1) {
    const open = visit === 0 && person.here === true
    const start = daysAgo(now, open ? 0.04 : visit * 80 + random.integer(0, 40))
    keep(
      {
        resourceType: 'Encounter',
        id: random.id(),
        meta: syntheticMeta,
        status: open ? 'in-progress' : 'finished',
        class: {
          system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode',
          code: 'AMB',
          display: 'ambulatory',
        },
        type: [
          {
            text: 'Office visit',
            coding: [
              { system: 'http://snomed.info/sct', code: '185349003', display: 'Office visit' },
            ],
          },
        ],
        subject,
        participant: [{ individual: clinician(hospital) }],
        period: open
          ? { start: instant(start) }
          : { start: instant(start), end: instant(daysAgo(start, -0.02)) },
        location: [{ location: { reference: `Location/${hospital.location.id}` } }],
        serviceProvider: { reference: `Organization/${hospital.organization.id}` },
      },
      patient,
    )
  }
}

const clinician = (hospital: Hospital) => ({
  reference: `Practitioner/${hospital.clinicians[0].id}`,
  display: hospital.clinicians[0].name,
})
