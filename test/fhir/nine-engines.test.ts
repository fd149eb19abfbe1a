import t, { type Test } from 'tap'
import { decideLine } from './decide-line.ts'
import { createWorld, launchId, respondWith } from './helper.ts'
import type { Answer, AskOptions, World, WorldOptions } from './helper.ts'

/** The defects of nine other engines (fhir-access-and-audit.md 1.1 to 1.11), each as a test of its own. */

const types = [
  'Patient',
  'Observation',
  'DiagnosticReport',
  'Coverage',
  'Encounter',
  'Device',
  'List',
  'Condition',
]
const interactions = [
  'read',
  'vread',
  'history-instance',
  'create',
  'update',
  'patch',
  'delete',
  'search-type',
]
const allow = [
  ...types.map((resource) => ({
    feature: resource,
    resource,
    interactions,
    search: ['code', 'identifier', '_count', '_sort', '_elements', 'performer', 'focus', 'name'],
    include: [
      'Observation:focus',
      'Coverage:subscriber',
      'DiagnosticReport:result',
      'Observation:encounter',
    ],
  })),
  { feature: 'Record', operation: 'Patient/$everything', parameters: ['_count'] },
  { feature: 'Latest', operation: 'Observation/$lastn', parameters: ['code'] },
  { feature: 'Dashboard', bundle: ['batch', 'transaction'] },
]
const options = (granted?: string): WorldOptions => ({
  mode: { allow },
  ...(granted === undefined ? {} : { granted }),
})
const sent = (line: string, granted?: string): string => decideLine(line, options(granted))

const fhirJson = { 'content-type': 'application/fhir+json' }
const patchJson = { 'content-type': 'application/json-patch+json' }
const version = { 'if-match': 'W/"1"' }
const at = (path: string): string => `/fhir/${launchId}/${path}`
const about = (patient: string, extra: object = {}): object => ({
  resourceType: 'Observation',
  id: 'o1',
  meta: { versionId: '1' },
  subject: { reference: `Patient/${patient}` },
  ...extra,
})
const list = (...resources: object[]): object => ({
  resourceType: 'Bundle',
  type: 'searchset',
  entry: resources.map((resource) => ({ resource })),
})

type Ask = (method: string, path: string, ask?: AskOptions) => Promise<Answer>

function test(name: string, body: (t: Test, world: World, ask: Ask) => Promise<void>): void {
  t.test(name, async (t) => {
    const world = await createWorld(options())
    t.teardown(() => world.close())
    world.ehr.answer = respondWith(about('p1'), 200, { etag: 'W/"1"' })
    await body(t, world, (method, path, ask = {}) => world.fetch(at(path), { method, ...ask }))
  })
}

const written = (world: World): number =>
  world.ehr.seen.filter(({ method }) => method !== 'GET').length

// 1.1 google/fhir-gateway

test('fhir-gateway: joins with a modifier slip past a filter on equal names', async (t) => {
  for (const query of [
    '_has:Observation:patient:code=1',
    '_include:iterate=Observation:focus',
    '_revinclude:iterate=DiagnosticReport:result',
    '_include:recurse=Observation:focus',
    '_include=*',
  ]) {
    t.match(sent(`GET Observation?${query}`), /^FHIR_(PATH_INVALID|PARAMETER_NOT_ALLOWED)$/, query)
  }
})

test('fhir-gateway: Patient.r alone opens compartments and $everything', async (t, world, ask) => {
  const granted = 'patient/Patient.r'
  t.equal(sent('GET Patient/p1/Observation', granted), 'FHIR_SCOPE_INSUFFICIENT')
  t.equal(sent('GET Patient/p1/_history', granted), 'GET Patient/p1/_history')
  world.record = { ...world.record, scopes: { requested: '', granted } }
  world.ehr.answer = respondWith(list({ resourceType: 'Patient', id: 'p1' }, about('p1')))
  t.equal((await ask('GET', 'Patient/p1/$everything')).status, 502, 'types without a scope')
})

test('fhir-gateway: a body that merely contains the patient is accepted', async (t, world, ask) => {
  const body = JSON.stringify(about('p2', { performer: [{ reference: 'Patient/p1' }] }))
  t.equal((await ask('POST', 'Observation', { headers: fhirJson, body })).status, 403)
  const headers = { ...fhirJson, ...version }
  t.equal((await ask('PUT', 'Observation/o1', { headers, body })).status, 403)
  t.equal(written(world), 0)
})

test('fhir-gateway: a conditional patch is granted before its scope is looked at', async (t) => {
  t.equal(sent('PATCH Observation?code=1', ''), 'FHIR_NOT_ALLOWED')
  t.equal(sent('PATCH Observation/o1', 'patient/*.rs'), 'FHIR_SCOPE_INSUFFICIENT')
})

test('fhir-gateway: performer=Patient/P counts as bound to the patient', async (t, world, ask) => {
  t.equal(
    sent('GET Observation?performer=Patient/p1'),
    'GET Observation?patient=p1&performer=Patient/p1',
  )
  world.ehr.answer = respondWith(list(about('p2', { performer: [{ reference: 'Patient/p1' }] })))
  t.equal((await ask('GET', 'Observation?performer=Patient/p1')).status, 502)
})

test('fhir-gateway: whoever has a page link gets the page', async (t, world, ask) => {
  world.ehr.answer = respondWith({
    ...list(about('p1')),
    link: [{ relation: 'next', url: `${world.ehr.base}?_getpages=abc` }],
  })
  const next = (await ask('GET', 'Observation')).json().link[0].url as string
  const token = next.slice(next.lastIndexOf('/') + 1)
  t.equal((await ask('GET', '?_getpages=abc')).status, 403, 'the EHR’s own link is no request')
  const other = world.deps.links.open('page', 'another-launch', token)
  t.equal(other, undefined, 'the token opens in its launch alone')
  world.record = { ...world.record, context: { ...world.record.context, patient: 'p2' } }
  t.equal((await ask('GET', `_page/${token}`)).status, 502, 'judged for the patient of today')
})

test('fhir-gateway: an answer that cannot be worked on is sent all the same', async (t, world, ask) => {
  world.ehr.answer = respondWith('{"resourceType":"Bundle","type":"searchset","entry":[')
  t.equal((await ask('GET', 'Observation')).status, 502)
})

test('fhir-gateway: URLs are replaced as text, also where they must not be', async (t, world, ask) => {
  const { base } = world.ehr
  const body = {
    ...about('p1'),
    meta: { versionId: '1', profile: [`${base}/StructureDefinition/x`] },
    identifier: [{ system: `${base}/ids`, value: '1' }],
    note: [{ text: `see h${base}/Observation/o1` }],
    encounter: { reference: `${base}/Encounter/e1` },
  }
  world.ehr.answer = respondWith(body)
  const answer = (await ask('GET', 'Observation/o1')).json()
  t.strictSame({ ...answer, encounter: undefined }, { ...body, encounter: undefined })
  t.equal(answer.encounter.reference, `http://localhost:3000${at('Encounter/e1')}`)
})

test('fhir-gateway, smart-launcher: Location leaves as the EHR wrote it', async (t, world, ask) => {
  world.ehr.answer = respondWith(about('p1'), 201, {
    location: `${world.ehr.base}/Observation/o1/_history/1`,
    'content-location': `${world.ehr.base}/Observation/o1`,
  })
  const answer = await ask('POST', 'Observation', {
    headers: fhirJson,
    body: JSON.stringify(about('p1')),
  })
  t.equal(answer.headers.location, `http://localhost:3000${at('Observation/o1/_history/1')}`)
  t.equal(answer.headers['content-location'], `http://localhost:3000${at('Observation/o1')}`)
})

test('fhir-gateway: whole URLs with their queries are logged', async (t, world, ask) => {
  world.ehr.answer = respondWith(list())
  await ask('GET', 'Patient?name=Ng')
  const [event] = world.audited
  const [asked, narrowing] = event?.parameters ?? []
  t.strictSame(asked, { name: 'name', value: 'Ng' }, 'named, for the audit to drop')
  t.strictSame(narrowing, { name: '+_id', value: 'p1' }, 'and how it was narrowed')
  t.notOk(JSON.stringify({ ...event, parameters: [] }).includes('Ng'))
  t.equal(world.faults.length, 0)
})

test('fhir-gateway: ?patient= is refused where the compartment says subject', async (t) => {
  t.equal(sent('GET DiagnosticReport?patient=p1'), 'GET DiagnosticReport?patient=p1')
  t.equal(sent('GET DiagnosticReport?subject=Patient/p1'), 'GET DiagnosticReport?patient=p1')
})

test('fhir-gateway: POST _search is taken for a create', async (t) => {
  t.equal(sent('POST Observation/_search', 'patient/*.s'), 'POST Observation/_search patient=p1')
  t.equal(sent('POST Observation/_search', 'patient/*.c'), 'FHIR_SCOPE_INSUFFICIENT')
})

// 1.2 FHIR Works on AWS

test('FHIR Works: any reference to the patient makes a record his', async (t, world, ask) => {
  for (const element of ['performer', 'focus', 'hasMember']) {
    world.ehr.answer = respondWith(list(about('p2', { [element]: [{ reference: 'Patient/p1' }] })))
    t.equal((await ask('GET', 'Observation')).status, 502, element)
  }
})

test('FHIR Works: an update is judged by its body, the stored record never read', async (t, world, ask) => {
  world.ehr.answer = respondWith(about('p2'), 200, { etag: 'W/"1"' })
  const put = { headers: { ...fhirJson, ...version }, body: JSON.stringify(about('p1')) }
  t.equal((await ask('PUT', 'Observation/o1', put)).status, 404)
  const patch = {
    headers: { ...patchJson, ...version },
    body: '[{"op":"add","path":"/x","value":1}]',
  }
  t.equal((await ask('PATCH', 'Observation/o1', patch)).status, 404)
  t.equal(written(world), 0)
})

test('FHIR Works: there is no If-Match', async (t, world, ask) => {
  const put = { headers: fhirJson, body: JSON.stringify(about('p1')) }
  t.equal((await ask('PUT', 'Observation/o1', put)).status, 428)
  t.equal(written(world), 0)
})

test('FHIR Works, HAPI: reads inside a bundle are not looked at', async (t, world, ask) => {
  const batch = (url: string): AskOptions => ({
    headers: fhirJson,
    body: JSON.stringify({
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [{ request: { method: 'GET', url } }],
    }),
  })
  t.equal((await ask('POST', '', batch('Patient/p2'))).status, 404)
  t.equal((await ask('POST', '', batch('Observation?patient=p2'))).status, 403)
  t.equal(world.ehr.seen.length, 0)
})

test('FHIR Works: a search brings types without a scope', async (t, world, ask) => {
  const granted = 'patient/Observation.rs'
  world.record = { ...world.record, scopes: { requested: '', granted } }
  const encounter = { resourceType: 'Encounter', id: 'e1', subject: { reference: 'Patient/p1' } }
  world.ehr.answer = respondWith(list(about('p1'), encounter))
  t.equal((await ask('GET', 'Observation?_include=Observation:encounter')).status, 502)
})

// 1.3 LinuxForHealth

test('LinuxForHealth: 403 or 404 tells whether a record exists', async (t, world, ask) => {
  world.ehr.answer = respondWith(about('p2'))
  const foreign = await ask('GET', 'Observation/o1')
  world.ehr.answer = respondWith({}, 404)
  const missing = await ask('GET', 'Observation/o1')
  t.equal(foreign.status, missing.status)
  t.equal(foreign.text, missing.text)
})

test('LinuxForHealth: entries without a body count as harmless', async (t, world, ask) => {
  world.ehr.answer = respondWith({
    ...list(),
    entry: [{ fullUrl: `${world.ehr.base}/Observation/o9` }],
  })
  t.equal((await ask('GET', 'Observation')).status, 502)
})

test('LinuxForHealth: a List of a certain profile is exempt', async (t, world, ask) => {
  const meta = { profile: ['http://hl7.org/fhir/us/davinci-drug-formulary/x'] }
  world.ehr.answer = respondWith({ resourceType: 'List', id: 'l1', meta })
  t.equal((await ask('GET', 'List/l1')).status, 404)
})

test('LinuxForHealth: absolute, logical and conditional subjects', async (t, world, ask) => {
  for (const subject of [
    { reference: 'https://other.example/fhir/Patient/p1' },
    { reference: 'Patient?identifier=1' },
    { identifier: { value: 'p1' } },
    { reference: 'urn:uuid:p1' },
    { reference: '#p1' },
  ]) {
    world.ehr.answer = respondWith(list(about('p1', { subject })))
    t.equal((await ask('GET', 'Observation')).status, 502, JSON.stringify(subject))
  }
  world.ehr.answer = respondWith(
    list(about('p1', { subject: { reference: `${world.ehr.base}/Patient/p1` } })),
  )
  t.equal((await ask('GET', 'Observation')).status, 200, 'absolute, of this EHR')
})

test('LinuxForHealth: POST _search without a form', async (t, world, ask) => {
  world.ehr.answer = respondWith(list(about('p1')))
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  t.equal((await ask('POST', 'Observation/_search', { headers, body: '' })).status, 200)
  t.equal(world.ehr.seen[0]?.body, 'patient=p1')
})

test('LinuxForHealth: a conditional update overwrites the record its body names', async (t, world, ask) => {
  const put = { headers: { ...fhirJson, ...version }, body: JSON.stringify(about('p1')) }
  t.equal((await ask('PUT', 'Observation?code=none', put)).status, 403)
  t.equal(world.ehr.seen.length, 0)
})

test('LinuxForHealth: a bar in a search makes links fall back to the EHR’s', async (t, world, ask) => {
  world.ehr.answer = respondWith({
    ...list(about('p1')),
    link: [{ relation: 'next', url: `${world.ehr.base}/Observation?code=http://x|1&_page=2` }],
  })
  const answer = await ask('GET', 'Observation?code=http://x|1')
  t.equal(answer.status, 200)
  t.notMatch(answer.text, world.ehr.base)
  const [{ url }] = answer.json().link
  t.equal((await world.fetch(url.slice('http://localhost:3000'.length))).status, 200)
  t.equal(world.ehr.seen.at(-1)?.url, '/fhir/r4/Observation?code=http://x|1&_page=2')
})

// 1.4 HAPI

test('HAPI: a list that holds the patient among others is let through', async (t) => {
  for (const query of ['patient=p1,p2', 'patient=p2,p1', 'subject=Patient/p1,Patient/p2']) {
    t.equal(sent(`GET Observation?${query}`), 'FHIR_PATIENT_FOREIGN', query)
  }
  t.equal(sent('GET Patient?_id=p1,p2'), 'FHIR_PATIENT_FOREIGN')
})

test('HAPI: a patch is judged by the id it is sent to', async (t, world, ask) => {
  const body = '[{"op":"replace","path":"/subject/reference","value":"Patient/p2"}]'
  t.equal(
    (await ask('PATCH', 'Observation/o1', { headers: { ...patchJson, ...version }, body })).status,
    422,
  )
  t.equal(written(world), 0)
})

test('HAPI: later pages are not judged, or wrongly refused', async (t, world, ask) => {
  const page = (patient: string): object => ({
    ...list(about(patient)),
    link: [{ relation: 'next', url: `${world.ehr.base}?_getpages=abc&_getpagesoffset=1` }],
  })
  world.ehr.answer = respondWith(page('p1'))
  const next = (await ask('GET', 'Observation')).json().link[0].url as string
  const path = next.slice('http://localhost:3000'.length)
  t.equal((await world.fetch(path)).status, 200)
  world.ehr.answer = respondWith(page('p2'))
  t.equal((await world.fetch(path)).status, 502)
})

test('HAPI: $lastn is not narrowed', async (t) => {
  t.equal(sent('GET Observation/$lastn?code=1'), 'GET Observation/$lastn?patient=p1&code=1')
})

test('HAPI: a create is narrowed as if it were a search', async (t, world, ask) => {
  world.ehr.answer = respondWith(about('p1'), 201)
  await ask('POST', 'Observation', { headers: fhirJson, body: JSON.stringify(about('p1')) })
  t.equal(world.ehr.seen[0]?.url, '/fhir/r4/Observation')
})

test('HAPI: a Device is in no compartment', async (t, world, ask) => {
  t.equal(sent('GET Device'), 'GET Device?patient=p1')
  const device = (patient: string): object => ({
    resourceType: 'Device',
    id: 'd1',
    patient: { reference: `Patient/${patient}` },
  })
  world.ehr.answer = respondWith(device('p1'))
  t.equal((await ask('GET', 'Device/d1')).status, 200)
  world.ehr.answer = respondWith(device('p2'))
  t.equal((await ask('GET', 'Device/d1')).status, 404)
})

test('HAPI: linked patients are not followed, and the user is not told', async (t, world, ask) => {
  const link = [{ type: 'replaces', other: { reference: 'Patient/p0' } }]
  world.ehr.answer = (incoming, outgoing) => {
    const patient = incoming.url?.endsWith('/Patient/p1') === true
    respondWith(patient ? { resourceType: 'Patient', id: 'p1', link } : list(about('p0')))(
      incoming,
      outgoing,
      '',
    )
  }
  t.match((await ask('GET', 'Observation')).text, 'earlier number of this patient')
})

test('HAPI: _has finds a hidden value by halves', async (t) => {
  t.equal(
    sent('GET Patient?_has:Observation:patient:code-value-quantity=X$gt3'),
    'FHIR_PATH_INVALID',
  )
  t.equal(sent('GET Observation?subject:Patient.birthdate=gt1970'), 'FHIR_PATH_INVALID')
})

test('HAPI: an update moves a record to another patient', async (t, world, ask) => {
  const put = { headers: { ...fhirJson, ...version }, body: JSON.stringify(about('p2')) }
  t.equal((await ask('PUT', 'Observation/o1', put)).status, 403)
  t.equal(written(world), 0)
})

test('HAPI: If-None-Exist is not narrowed', async (t, world, ask) => {
  world.ehr.answer = respondWith(about('p1'), 201)
  const headers = { ...fhirJson, 'if-none-exist': 'identifier=1' }
  await ask('POST', 'Observation', { headers, body: JSON.stringify(about('p1')) })
  t.equal(world.ehr.seen[0]?.headers['if-none-exist'], 'patient=p1&identifier=1')
})

// 1.5 Medplum

test('Medplum: only the first scope of a type counts', async (t) => {
  t.equal(
    sent('GET Observation/o1', 'patient/Observation.s patient/Observation.r'),
    'GET Observation/o1',
  )
})

test('Medplum: a letter outside r and s grants every change', async (t) => {
  const granted = 'patient/Observation.cr'
  t.equal(sent('DELETE Observation/o1', granted), 'FHIR_SCOPE_INSUFFICIENT')
  t.equal(sent('PUT Observation/o1', granted), 'FHIR_SCOPE_INSUFFICIENT')
  t.equal(sent('GET Observation', granted), 'FHIR_SCOPE_INSUFFICIENT')
  t.equal(sent('POST Observation', granted), 'POST Observation')
})

test('Medplum: what a granular scope asks is dropped', async (t, world, ask) => {
  const granted = 'patient/Observation.rs?category=vital-signs'
  t.equal(sent('GET Observation', granted), 'GET Observation?patient=p1&category=vital-signs')
  world.record = { ...world.record, scopes: { requested: '', granted } }
  world.ehr.answer = respondWith(about('p1', { category: [{ coding: [{ code: 'laboratory' }] }] }))
  t.equal((await ask('GET', 'Observation/o1')).status, 403)
})

test('Medplum: an unquoted If-Match is ignored, and the update succeeds', async (t, world, ask) => {
  for (const value of ['1', '*', 'W/"1", W/"2"', '""', 'W/1']) {
    const put = { headers: { ...fhirJson, 'if-match': value }, body: JSON.stringify(about('p1')) }
    t.equal((await ask('PUT', 'Observation/o1', put)).status, 428, value)
  }
  t.equal(written(world), 0)
})

// 1.6 microsoft/fhir-server

test('Microsoft: a scope that is only partly understood', async (t) => {
  for (const granted of [
    'patient/Observation.read-only',
    'patient/Observation.rs?active',
    'patient/Observation.rs?patient.name=x',
    'patient/Observation.rs?_has:x=y',
    'patient/Observation.rs?code:in=x',
    'patient/Observation.dus',
    'patient/Nonsense.rs',
  ]) {
    t.equal(sent('GET Observation', granted), 'FHIR_SCOPE_INSUFFICIENT', granted)
  }
})

test('Microsoft: the version of a vread is not looked at', async (t, _, ask) => {
  t.equal((await ask('GET', 'Observation/o1/_history/1')).status, 200)
  t.equal((await ask('GET', 'Observation/o1/_history/7')).status, 502, 'version 1 came back')
})

test('Microsoft: includes bring records of others (ADR-2607)', async (t, world, ask) => {
  const coverage = {
    resourceType: 'Coverage',
    id: 'c1',
    beneficiary: { reference: 'Patient/p1' },
    subscriber: { reference: 'Patient/p2' },
  }
  const report = (patient: string): object => ({
    resourceType: 'DiagnosticReport',
    id: 'r1',
    subject: { reference: `Patient/${patient}` },
  })
  const focused = about('p2', { focus: [{ reference: 'Patient/p1' }] })
  const rows: readonly (readonly [string, object])[] = [
    [
      'Coverage?_include=Coverage:subscriber',
      list(coverage, { resourceType: 'Patient', id: 'p2' }),
    ],
    ['Observation?_revinclude=DiagnosticReport:result', list(about('p1'), report('p2'))],
    ['DiagnosticReport?_include=DiagnosticReport:result', list(report('p1'), focused)],
  ]
  for (const [path, answer] of rows) {
    world.ehr.answer = respondWith(answer)
    const got = await ask('GET', path)
    t.equal(world.ehr.seen.length > 0, true, `${path} is asked for`)
    t.notMatch(got.text, 'p2', path)
    t.ok(got.status >= 400, path)
    world.ehr.seen.length = 0
  }
})

test('Microsoft: $export for a patient', async (t) => {
  for (const path of ['$export', 'Patient/$export', 'Patient/p1/$export']) {
    t.equal(sent(`GET ${path}`), 'FHIR_NOT_ALLOWED', path)
  }
})

test('Microsoft: a next link of 4 kB is cut on its way', async (t, world, ask) => {
  const target = `/Observation?ct=${'x'.repeat(4000)}`
  world.ehr.answer = respondWith({
    ...list(about('p1')),
    link: [{ relation: 'next', url: world.ehr.base + target }],
  })
  const next = (await ask('GET', 'Observation')).json().link[0].url as string
  t.equal((await world.fetch(next.slice('http://localhost:3000'.length))).status, 200)
  t.equal(world.ehr.seen.at(-1)?.url, `/fhir/r4${target}`)
})

// 1.7 Firely

test('Firely: old versions are judged by the current one alone, or not at all', async (t, world, ask) => {
  world.ehr.answer = (incoming, outgoing) => {
    const old = incoming.url?.includes('_history') === true
    respondWith(about(old ? 'p2' : 'p1'))(incoming, outgoing, '')
  }
  t.equal((await ask('GET', 'Observation/o1/_history/1')).status, 404)
})

// 1.8 Aidbox, 1.9 Zus

test('Aidbox: confinement hangs on a base path of the patient’s', async (t) => {
  for (const path of [
    'patient/fhir/Observation',
    '../Observation',
    'Patient/p1/../Observation/o1',
  ]) {
    t.equal(sent(`GET ${path}`), 'FHIR_PATH_INVALID', path)
  }
})

test('Zus: links without a scheme lead nowhere', async (t, world, ask) => {
  const { host } = new URL(world.ehr.base)
  world.ehr.answer = respondWith({
    ...list(about('p1')),
    link: [{ relation: 'next', url: `${host}/fhir/r4/Observation?_after=1` }],
  })
  const next = (await ask('GET', 'Observation')).json().link[0].url as string
  t.equal((await world.fetch(next.slice('http://localhost:3000'.length))).status, 200)
  t.equal(world.ehr.seen.at(-1)?.url, '/fhir/r4/Observation?_after=1')
})

// 1.10 icanbwell/fhir-server, InterSystems

test('icanbwell: a made-up id stands for another person', async (t, world, ask) => {
  for (const id of ['person.p1', 'P1', 'p1.']) {
    t.equal((await ask('GET', `Patient/${id}`)).status, 404, id)
    t.equal(sent(`GET Observation?patient=${id}`), 'FHIR_PATIENT_FOREIGN', id)
  }
  t.equal(world.ehr.seen.length, 0)
})

test('icanbwell: a malformed _sort and parameters named like prototypes are 500', async (t, world, ask) => {
  for (const query of [
    '_sort=,',
    '_sort=-',
    '_sort=a;b',
    '__proto__=1',
    'constructor=1',
    'toString=1',
    'hasOwnProperty=1',
  ]) {
    const { status } = await ask('GET', `Observation?${query}`)
    t.ok(status === 400 || status === 403, `${query}: ${status}`)
  }
  t.equal(world.ehr.seen.length, 0)
  t.equal(world.faults.length, 0)
})

test('icanbwell: a chain with a modifier breaks the filter', async (t) => {
  t.equal(sent('GET Observation?patient.identifier:text=x'), 'FHIR_PATH_INVALID')
})

test('InterSystems: an empty list of what is permitted means no filter', async (t) => {
  t.equal(decideLine('GET Observation', { mode: { allow: [] } }), 'FHIR_NOT_ALLOWED')
  t.equal(sent('GET Observation', ''), 'FHIR_SCOPE_INSUFFICIENT')
})

// 1.11 smart-launcher-v2

test('smart-launcher: neither scope nor patient is asked', async (t, world, ask) => {
  t.equal(sent('GET Observation', 'openid'), 'FHIR_SCOPE_INSUFFICIENT')
  t.equal((await ask('GET', 'Patient/p2')).status, 404)
  t.equal(world.ehr.seen.length, 0)
})

test('smart-launcher: the browser’s headers go on to the EHR', async (t, world, ask) => {
  const headers = {
    'x-consent': 'all',
    'x-forwarded-host': 'evil.example',
    authorization: 'Bearer x',
  }
  await ask('GET', 'Observation/o1', { headers })
  const seen = world.ehr.seen[0]?.headers ?? {}
  t.equal(seen['x-consent'], undefined)
  t.equal(seen['x-forwarded-host'], undefined)
  t.equal(seen.authorization, 'Bearer access-token-1')
})
