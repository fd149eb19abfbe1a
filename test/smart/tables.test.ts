import { readFileSync } from 'node:fs'
import t from 'tap'
import { subjects } from '../../src/smart/tables/subjects.ts'
import { patientCompartment } from '../../src/smart/tables/patient-compartment.ts'
import { extract, printDefinitions } from '../fhir/definitions/extract.ts'
import { generate, readDefinitions } from '../fhir/definitions/generate.ts'

t.test(
  'the extract is what the definitions package says, with its two edits put back',
  async (t) => {
    const stored = readFileSync(new URL('../fhir/definitions/r4.json', import.meta.url), 'utf8')
    t.ok((await printDefinitions(extract())) === stored, 'r4.json is current')
  },
)

t.test('every table in src/smart/tables is what the extract makes', async (t) => {
  for (const [name, source] of await generate(readDefinitions())) {
    const stored = readFileSync(new URL(`../../src/smart/tables/${name}`, import.meta.url), 'utf8')
    t.ok(stored === source, name)
  }
})

t.test('the compartment is HL7 R4, not the package', (t) => {
  t.equal(Object.keys(patientCompartment).length, 66)
  t.strictSame(patientCompartment['Encounter'], ['patient'])
  t.equal(patientCompartment['Task'], undefined)
  t.end()
})

t.test('subjects name the element a record is about, never a performer', (t) => {
  t.equal(subjects['Coverage']?.path, 'beneficiary')
  t.equal(subjects['SupplyRequest']?.path, 'deliverTo')
  t.equal(subjects['EnrollmentRequest']?.path, 'candidate')
  t.equal(subjects['ResearchSubject']?.path, 'individual')
  t.equal(subjects['Task']?.path, 'for')
  t.equal(subjects['Observation']?.path, 'subject')
  for (const type of ['AuditEvent', 'Group', 'Provenance', 'Schedule', 'Patient', 'Practitioner']) {
    t.equal(subjects[type], undefined, type)
  }
  t.end()
})
