import type { Resource, ResourceOf, Stored } from '../fhir/types.ts'
import { drawChart } from './chart.ts'
import { drawDocuments } from './documents.ts'
import type { Clinician, Hospital } from './organization.ts'
import { drawHospital } from './organization.ts'
import { drawPeculiarities } from './peculiar.ts'
import type { Person, Trait } from './people.ts'
import { people } from './people.ts'
import { createRandom } from './random.ts'
import { drawSeries } from './series.ts'
import type { Drawing } from './shape.ts'
import { syntheticMeta } from './shape.ts'

/** One synthetic patient as tests and EHR pages see it. */
export interface SyntheticPatient {
  readonly id: string
  /** A stable name for tests ('amara', 'bart', …); it appears in no record. */
  readonly key: string
  readonly name: string
  readonly family: string
  readonly birthDate?: string
  readonly gender?: string
  readonly mrn: string
  readonly traits: readonly Trait[]
  /** The encounter that is open now, if there is one. */
  readonly encounter?: string
}

export interface Record {
  readonly resource: Stored
  /** The patient the resource is about; absent for patient-free types. */
  readonly owner?: string
}

export interface Generated {
  readonly patients: readonly SyntheticPatient[]
  readonly clinicians: readonly [Clinician, ...Clinician[]]
  readonly hospital: Hospital
  readonly records: readonly Record[]
}

/** The whole synthetic hospital, deterministic in (seed, now). */
export function generate({ seed, now }: { seed: number; now: Date }): Generated {
  const records: Record[] = []
  const drawing: Drawing = {
    random: createRandom(seed),
    now,
    keep: <T extends Resource>(resource: T, owner?: string) => {
      const stored = resource as T & { id: string }
      records.push(owner === undefined ? { resource: stored } : { resource: stored, owner })
      return stored
    },
  }
  const hospital = drawHospital(drawing)
  const ids = new Map(people.map((person) => [person.key, drawing.random.id()]))
  const idOf = (key: string): string => ids.get(key) ?? ''
  const drawnPeople = people.map((person) => drawPerson(drawing, hospital, person, idOf))
  drawPeculiarities(drawing, idOf)
  const patients = drawnPeople.map((patient) => withOpenEncounter(patient, records))
  return { patients, clinicians: hospital.clinicians, hospital, records: dated(records, now) }
}

function drawPerson(
  drawing: Drawing,
  hospital: Hospital,
  person: Person,
  ids: (key: string) => string,
): SyntheticPatient {
  const id = ids(person.key)
  const mrn = String(drawing.random.integer(100_000, 999_999)).padStart(8, '0')
  const resource = patientResource(person, id, mrn, hospital, ids)
  drawing.keep(resource, id)
  drawChart(drawing, hospital, id, person)
  drawSeries(drawing, hospital, id, person)
  if (person.traits.includes('documents')) drawDocuments(drawing, hospital, id)
  return {
    id,
    key: person.key,
    name: [...person.given, person.family].join(' '),
    family: person.family,
    mrn,
    traits: person.traits,
    ...(person.born === undefined ? {} : { birthDate: person.born }),
    ...(person.gender === undefined ? {} : { gender: person.gender }),
  }
}

function withOpenEncounter(
  patient: SyntheticPatient,
  records: readonly Record[],
): SyntheticPatient {
  const open = records.find(
    ({ owner, resource }) =>
      owner === patient.id &&
      resource.resourceType === 'Encounter' &&
      resource.status === 'in-progress',
  )
  return open === undefined ? patient : { ...patient, encounter: open.resource.id }
}

function patientResource(
  person: Person,
  id: string,
  mrn: string,
  hospital: Hospital,
  ids: (key: string) => string,
): ResourceOf<'Patient'> {
  const { home, phone, language, married, born, gender } = person
  return {
    resourceType: 'Patient',
    id,
    meta: syntheticMeta,
    identifier: [
      {
        use: 'usual',
        type: {
          coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: 'MR' }],
        },
        system: 'urn:oid:1.2.36.146.595.217.0.1',
        value: mrn,
      },
    ],
    active: person.active ?? true,
    name: [
      {
        use: 'official',
        family: person.family,
        ...(person.given.length > 0 ? { given: [...person.given] } : {}),
      },
    ],
    ...(gender === undefined ? {} : { gender }),
    ...(born === undefined ? {} : { birthDate: born }),
    ...(phone === undefined ? {} : { telecom: [{ system: 'phone', value: phone, use: 'home' }] }),
    ...(home === undefined
      ? {}
      : { address: [{ line: [home[0]], city: home[1], state: home[2], postalCode: home[3] }] }),
    ...(married === undefined
      ? {}
      : {
          maritalStatus: {
            coding: [
              {
                system: 'http://terminology.hl7.org/CodeSystem/v3-MaritalStatus',
                code: married,
              },
            ],
          },
        }),
    ...(language === undefined
      ? {}
      : {
          communication: [
            {
              language: {
                coding: [{ system: 'urn:ietf:bcp:47', code: language[0], display: language[1] }],
              },
              preferred: true,
            },
          ],
        }),
    managingOrganization: { reference: `Organization/${hospital.organization.id}` },
    ...link(person.key, ids),
  }
}

function link(key: string, ids: (key: string) => string): Pick<ResourceOf<'Patient'>, 'link'> {
  const to = (other: string, type: 'replaces' | 'replaced-by') => ({
    link: [{ other: { reference: `Patient/${ids(other)}` }, type }],
  })
  if (key === 'daniel') return to('daniel-duplicate', 'replaces')
  if (key === 'daniel-duplicate') return to('daniel', 'replaced-by')
  return {}
}

/** Version and time of the last change, as a server's own storage would give them. */
function dated(records: readonly Record[], now: Date): Record[] {
  return records.map((record) => {
    const { resource } = record
    const last = changed(resource) ?? new Date(now.getTime() - 86_400_000 * 30).toISOString()
    const meta = { ...resource.meta, versionId: '1', lastUpdated: new Date(last).toISOString() }
    return { ...record, resource: { ...resource, meta } }
  })
}

function changed(resource: Stored): string | undefined {
  const dates = resource as { issued?: string; recordedDate?: string; authoredOn?: string }
  return dates.issued ?? dates.recordedDate ?? dates.authoredOn
}
