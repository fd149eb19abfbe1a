import t from 'tap'
import { readFhirUser } from '../../src/smart/fhir-user.ts'

const base = 'https://ehr.example/fhir/r4'

t.test('absolute under the FHIR base and relative are the same user', async (t) => {
  const wanted = { reference: 'Practitioner/7', kind: 'practitioner' }
  t.same(readFhirUser('Practitioner/7', base), wanted)
  t.same(readFhirUser(`${base}/Practitioner/7`, base), wanted)
  t.same(readFhirUser(`${base}/Practitioner/7`, `${base}/`), wanted)
})

t.test('a user of another base keeps the whole URL', async (t) => {
  t.same(readFhirUser('https://other.example/r4/PractitionerRole/9', base), {
    reference: 'https://other.example/r4/PractitionerRole/9',
    kind: 'practitioner',
  })
})

t.test('kinds', async (t) => {
  t.equal(readFhirUser('Patient/1', base)?.kind, 'patient')
  t.equal(readFhirUser('RelatedPerson/1', base)?.kind, 'related_person')
  t.equal(readFhirUser('Person/1', base)?.kind, 'other')
})

t.test('what names no user we understand is nobody', async (t) => {
  for (const claim of [
    '',
    'Device/1',
    'Practitioner/',
    'Practitioner/1/_history/2',
    'urn:uuid:1',
    'javascript:Practitioner/1',
    `${base}/Practitioner/1?x=1`,
    'https://user:pass@ehr.example/Practitioner/1',
  ]) {
    t.equal(readFhirUser(claim, base), undefined, claim)
  }
})
