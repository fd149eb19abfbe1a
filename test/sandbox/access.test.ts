import t from 'tap'
import { readScopes } from '../../src/sandbox/fhir/scopes.ts'
import { startSandbox } from '../../src/sandbox/sandbox.ts'
import { fhir, launchApp } from './app.ts'

const sandbox = await startSandbox()
t.teardown(() => sandbox.close())
const amara = sandbox.patient('amara')
const bart = sandbox.patient('bart')
const vitals = 'category=vital-signs'

t.test('without a valid token there is nothing but metadata', async (t) => {
  for (const headers of [
    {},
    { authorization: 'Bearer nonsense' },
    { authorization: 'Basic eDp5' },
  ]) {
    const response = await fetch(`${sandbox.iss}/Patient/${amara.id}`, { headers })
    t.equal(response.status, 401)
    t.match(response.headers.get('www-authenticate'), /^Bearer error="invalid_token"/)
    t.match(await response.json(), { resourceType: 'OperationOutcome' })
  }
  const metadata = await fetch(`${sandbox.iss}/metadata`)
  t.match(await metadata.json(), { resourceType: 'CapabilityStatement', fhirVersion: '4.0.1' })
})

t.test('patient scopes reach the patient in context and nobody else', async (t) => {
  const token = await launchApp(sandbox, 'patient/*.rs')
  t.equal((await fhir(sandbox, token, `/Patient/${amara.id}`)).status, 200)
  t.equal((await fhir(sandbox, token, `/Patient/${bart.id}`)).status, 404)
  const missing = await fhir(sandbox, token, '/Patient/does-not-exist')
  t.equal((await fhir(sandbox, token, `/Patient/${bart.id}`)).text, missing.text)
  for (const path of [
    `/Observation?patient=${bart.id}`,
    `/Observation?patient=Patient/${bart.id}`,
    `/Observation?subject=${sandbox.iss}/Patient/${bart.id}`,
    `/Observation?patient=${amara.id},${bart.id}`,
    `/Patient/${bart.id}/Observation`,
    `/Patient?_id=${bart.id}`,
  ]) {
    t.equal((await fhir(sandbox, token, path)).status, 403, path)
  }
  const unbound = await fhir(sandbox, token, '/Condition')
  t.equal(unbound.status, 200)
  t.ok(unbound.body.total > 0)
  t.ok(
    unbound.body.entry.every(
      (one: { resource: { subject: { reference: string } } }) =>
        one.resource.subject.reference === `Patient/${amara.id}`,
    ),
  )
  t.equal((await fhir(sandbox, token, `/Patient/${bart.id}/$everything`)).status, 404)
})

t.test('a type and an action that no scope names are refused as insufficient', async (t) => {
  const token = await launchApp(sandbox, 'patient/Patient.r patient/Observation.s')
  const cases: [string, number][] = [
    [`/Patient/${amara.id}`, 200],
    ['/Patient', 403],
    [`/Condition?patient=${amara.id}`, 403],
    [`/Observation?patient=${amara.id}&_count=1`, 200],
  ]
  for (const [path, status] of cases) {
    t.equal((await fhir(sandbox, token, path)).status, status, path)
  }
  const list = await fhir(sandbox, token, `/Observation?patient=${amara.id}&_count=1`)
  const read = await fhir(sandbox, token, `/Observation/${list.body.entry[0].resource.id}`)
  t.equal(read.status, 403)
  t.match(read.headers.get('www-authenticate'), /insufficient_scope/)
})

t.test('a granular scope shows only what its query finds', async (t) => {
  const token = await launchApp(sandbox, `patient/Observation.rs?${vitals}`)
  const all = await fhir(sandbox, token, `/Observation?patient=${amara.id}&_count=200`)
  const everything = await launchApp(sandbox, 'patient/Observation.rs')
  const more = await fhir(sandbox, everything, `/Observation?patient=${amara.id}`)
  t.ok(all.body.total > 200)
  t.ok(more.body.total > all.body.total)
  const laboratory = `/Observation?patient=${amara.id}&category=laboratory`
  t.equal((await fhir(sandbox, token, laboratory)).body.total, 0)
  const found = await fhir(sandbox, everything, laboratory)
  const id: string = found.body.entry[0].resource.id
  t.equal((await fhir(sandbox, token, `/Observation/${id}`)).status, 404)
  t.equal((await fhir(sandbox, everything, `/Observation/${id}`)).status, 200)
})

t.test('user scopes look at every patient', async (t) => {
  const token = await launchApp(sandbox, 'user/Patient.rs user/Observation.read')
  t.equal((await fhir(sandbox, token, `/Patient/${bart.id}`)).status, 200)
  t.equal((await fhir(sandbox, token, '/Patient')).body.total, sandbox.patients.length)
  const folded = await fhir(sandbox, token, '/Patient?name=wisniewski')
  t.equal(folded.body.entry[0].resource.id, sandbox.patient('tomasz').id)
  const both = await fhir(sandbox, token, `/Observation?patient=${bart.id},${amara.id}&_count=0`)
  t.ok(both.body.total > 1_000)
  t.equal((await fhir(sandbox, token, '/Condition')).status, 403)
})

t.test('patient scopes without a patient in context cover nothing', async (t) => {
  const token = await launchApp(sandbox, 'patient/*.cruds', {})
  t.equal((await fhir(sandbox, token, `/Patient/${amara.id}`)).status, 403)
})

t.test('includes never bring another patient along', async (t) => {
  const mei = sandbox.patient('mei')
  const token = await launchApp(sandbox, 'patient/*.rs', { patient: mei.id })
  const path = `/Observation?patient=${mei.id}&category=social-history&_include=Observation:focus`
  const answer = await fhir(sandbox, token, path)
  t.equal(answer.body.total, 1)
  t.equal(answer.body.entry.length, 1)
  const clinician = await launchApp(sandbox, 'user/*.rs', { patient: mei.id })
  t.equal((await fhir(sandbox, clinician, path)).body.entry.length, 2)
})

t.test('writes need their letters and stay with the patient', async (t) => {
  const token = await launchApp(sandbox, 'patient/Observation.c patient/Condition.rs')
  const observation = (id: string) => ({
    resourceType: 'Observation',
    status: 'preliminary',
    code: { text: 'Note' },
    subject: { reference: `Patient/${id}` },
  })
  const post = (body: unknown) => fhir(sandbox, token, '/Observation', { method: 'POST', body })
  t.equal((await post(observation(amara.id))).status, 201)
  t.equal((await post(observation(bart.id))).status, 403)
  t.equal((await post({ ...observation(''), subject: undefined })).status, 403)
  const body = { resourceType: 'Condition', subject: { reference: `Patient/${amara.id}` } }
  t.equal((await fhir(sandbox, token, '/Condition', { method: 'POST', body })).status, 403)
})

t.test('scopes are read by the letter of the specification', async (t) => {
  const read = (scope: string) =>
    readScopes(scope).map(({ level, type, actions, query }) =>
      [level, type, [...actions].join(''), query ?? ''].join(' ').trim(),
    )
  t.same(read('patient/Patient.read user/*.write patient/Observation.*'), [
    'patient Patient rs',
    'user * cud',
    'patient Observation cruds',
  ])
  t.same(read('patient/Observation.rs?category=a|b&code=c'), [
    'patient Observation rs category=a|b&code=c',
  ])
  t.same(
    read('patient/Patient.sr patient/Patient. patient/patient.r Patient.r other/Patient.r launch'),
    [],
  )
})
