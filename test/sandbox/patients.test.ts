import t from 'tap'
import { generate } from '../../src/sandbox/patients/generate.ts'

const now = new Date('2026-05-04T12:00:00Z')
const hospital = generate({ seed: 7, now })

t.test('the same seed gives the same hospital, another seed another', async (t) => {
  t.same(generate({ seed: 7, now }), hospital)
  t.not(generate({ seed: 8, now }).patients[0]?.id, hospital.patients[0]?.id)
})

t.test('every trait that tests rely on is there', async (t) => {
  const having = (trait: string) =>
    hospital.patients.filter(({ traits }) => traits.some((one) => one === trait))
  const count = (owner: string | undefined, type: string) =>
    hospital.records.filter(
      (record) => record.owner === owner && record.resource.resourceType === type,
    ).length
  t.ok(hospital.patients.length >= 12)
  for (const { id } of having('long')) t.ok(count(id, 'Observation') > 400)
  for (const { id } of having('empty'))
    t.equal(count(id, 'Condition') + count(id, 'Observation'), 0)
  for (const { id } of having('documents')) t.equal(count(id, 'Binary'), 2)
  for (const trait of ['sparse', 'conflicting', 'foreign', 'linked', 'inactive', 'child']) {
    t.ok(having(trait).length > 0, trait)
  }
  const trauma = hospital.patients.find(({ key }) => key === 'trauma')
  t.notOk(trauma?.birthDate)
  t.equal(new Set(hospital.patients.map(({ mrn }) => mrn)).size, hospital.patients.length)
})

t.test(
  'every record is marked synthetic, has an id of its own, and refers to records that exist',
  async (t) => {
    const ids = new Set(
      hospital.records.map(({ resource }) => `${resource.resourceType}/${resource.id}`),
    )
    t.equal(ids.size, hospital.records.length)
    for (const { resource } of hospital.records) {
      const text = JSON.stringify(resource)
      if (!text.includes('Synthetic data'))
        t.fail(`${resource.resourceType} is not marked synthetic`)
      for (const [, reference = ''] of text.matchAll(/"reference":"([A-Z][^"]+)"/g)) {
        if (!ids.has(reference)) t.fail(`${reference} does not exist`)
      }
    }
  },
)

t.test('records that point at other patients exist', async (t) => {
  const others = hospital.records.filter(({ resource, owner }) =>
    [...JSON.stringify(resource).matchAll(/"Patient\/([^"]+)"/g)].some(
      ([, id]) => owner !== undefined && id !== owner,
    ),
  )
  const types = new Set(others.map(({ resource }) => resource.resourceType))
  t.same([...types].toSorted(), ['Coverage', 'FamilyMemberHistory', 'Observation', 'Patient'])
})

t.test('values are plausible and current', async (t) => {
  let newest = ''
  for (const { resource } of hospital.records) {
    if (resource.resourceType !== 'Observation') continue
    newest = [newest, resource.effectiveDateTime ?? ''].toSorted().at(-1) ?? ''
    const [systolic, diastolic] = resource.component ?? []
    const high = systolic?.valueQuantity?.value ?? 120
    const low = diastolic?.valueQuantity?.value ?? 80
    if (high <= low || high > 220 || low < 30) t.fail(`implausible blood pressure ${high}/${low}`)
    if (resource.valueQuantity && (resource.valueQuantity.value ?? 0) <= 0) t.fail('not positive')
  }
  t.ok(newest < now.toISOString(), 'nothing lies in the future')
  t.ok(now.getTime() - Date.parse(newest) < 86_400_000)
})
