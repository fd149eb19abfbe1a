import type { ResourceOf, Stored } from '../fhir/types.ts'
import type { Drawing } from './shape.ts'
import { concept, syntheticMeta } from './shape.ts'
import { drugs } from './codes.ts'

export interface Clinician {
  readonly id: string
  readonly name: string
  readonly role: string
}

/** The hospital and its people, shared by all patients. */
export interface Hospital {
  readonly organization: Stored<ResourceOf<'Organization'>>
  readonly location: Stored<ResourceOf<'Location'>>
  readonly ward: Stored<ResourceOf<'Location'>>
  readonly clinicians: readonly [Clinician, ...Clinician[]]
  /** A medication that prescriptions refer to instead of carrying its code. */
  readonly warfarin: Stored<ResourceOf<'Medication'>>
}

const staff = [
  ['Grace', 'Halvorsen', 'MD', '207Q00000X', 'Family medicine physician'],
  ['Kwame', 'Mensah', 'MD', '207RC0000X', 'Cardiologist'],
  ['Elena', 'Petrova', 'RN', '163W00000X', 'Registered nurse'],
] as const

export function drawHospital(drawing: Drawing): Hospital {
  const { random, keep } = drawing
  const meta = syntheticMeta
  const organization = keep({
    resourceType: 'Organization',
    id: random.id(),
    meta,
    active: true,
    name: 'Sandbox General Hospital (synthetic)',
    telecom: [{ system: 'phone', value: '507-555-0100' }],
  })
  const place = (name: string) =>
    keep({
      resourceType: 'Location',
      id: random.id(),
      meta,
      status: 'active',
      name,
      managingOrganization: { reference: `Organization/${organization.id}` },
    } satisfies ResourceOf<'Location'>)
  const location = place('Primary Care Clinic')
  const ward = place('Ward 4 East')
  const clinicians = staff.map((row) => drawClinician(drawing, organization.id, row))
  const warfarin = keep({
    resourceType: 'Medication',
    id: random.id(),
    meta,
    status: 'active',
    code: concept(drugs.warfarin),
  })
  const [first, ...others] = clinicians
  if (first === undefined) throw new Error('a hospital needs a clinician')
  return { organization, location, ward, clinicians: [first, ...others], warfarin }
}

function drawClinician(
  { random, keep }: Drawing,
  organization: string,
  [given, family, suffix, taxonomy, role]: (typeof staff)[number],
): Clinician {
  const practitioner = keep({
    resourceType: 'Practitioner',
    id: random.id(),
    meta: syntheticMeta,
    active: true,
    identifier: [
      {
        system: 'http://hl7.org/fhir/sid/us-npi',
        value: `99${random.integer(10000000, 99999999)}`,
      },
    ],
    name: [{ use: 'official', given: [given], family, suffix: [suffix] }],
  })
  keep({
    resourceType: 'PractitionerRole',
    id: random.id(),
    meta: syntheticMeta,
    active: true,
    practitioner: { reference: `Practitioner/${practitioner.id}` },
    organization: { reference: `Organization/${organization}` },
    code: [
      { coding: [{ system: 'http://nucc.org/provider-taxonomy', code: taxonomy, display: role }] },
    ],
  })
  return { id: practitioner.id, name: `${given} ${family}, ${suffix}`, role }
}
