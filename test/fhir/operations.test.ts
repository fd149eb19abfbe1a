import fc from 'fast-check'
import t from 'tap'
import { isRefusal } from '../../src/fhir/decision.ts'
import { parseExact } from '../../src/fhir/exact-json.ts'
import { printParameters, readParameters } from '../../src/fhir/write/operation-parameters.ts'
import { createWorld, launchId, respondWith } from './helper.ts'
import type { Answer, World, WorldOptions } from './helper.ts'

/** Operations by POST: what a Parameters body may say, and what becomes of it (fhir-access-and-audit.md 1.12, rows 23 to 26). */

const at = (path: string): string => `/fhir/${launchId}/${path}`
const ours = `http://localhost:3000/fhir/${launchId}`
const allow = [
  { feature: 'Record', operation: 'Patient/$everything', parameters: ['start', '_type', 'code'] },
  { feature: 'Latest', operation: 'Observation/$lastn', parameters: ['code', 'max', '_elements'] },
  { feature: 'Form', operation: 'Questionnaire/$populate', parameters: ['subject', 'local'] },
  { feature: 'Close', operation: 'Encounter/$close', parameters: ['reason', 'performer'] },
  { feature: 'Plan', operation: '$plan', parameters: ['patient', 'note', 'limit', 'identifier'] },
  { feature: 'Query', operation: '$graphql', parameters: ['query'] },
]
const outcome = {
  resourceType: 'OperationOutcome',
  issue: [{ severity: 'information', code: 'informational', diagnostics: 'secret' }],
}

async function open(
  t: { teardown(end: () => Promise<void>): void },
  options: WorldOptions = {},
): Promise<World> {
  const world = await createWorld({ mode: { allow }, ...options })
  world.ehr.answer = respondWith(outcome)
  t.teardown(() => world.close())
  return world
}

function post(
  world: World,
  path: string,
  parameter: readonly object[] | string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const body =
    typeof parameter === 'string'
      ? parameter
      : JSON.stringify({ resourceType: 'Parameters', parameter })
  const type = { 'content-type': 'application/fhir+json' }
  return world.fetch(at(path), { method: 'POST', headers: { ...type, ...headers }, body })
}

const sentBody = (world: World): unknown => {
  const body: unknown = JSON.parse(world.ehr.seen.at(-1)?.body ?? '')
  return typeof body === 'object' && body !== null && 'parameter' in body
    ? body.parameter
    : undefined
}
const events = (world: World): string[] => world.audited.map(({ event }) => event)

t.test('what was judged goes on, built anew, with the records of a write', async (t) => {
  const world = await open(t)
  const answer = await post(world, 'Patient/p1/%24everything', [
    { name: 'start', valueDate: '2026-01-01' },
    { name: 'code', valueCoding: { system: 'http://loinc.org', code: '8867-4' } },
    { name: '_type', valueString: 'Observation' },
  ])
  t.equal(answer.status, 200)
  t.equal(answer.json().issue[0].code, 'informational')
  t.notMatch(answer.text, 'secret')
  const sent = world.ehr.seen.at(-1)
  t.equal(`${sent?.method} ${sent?.url}`, 'POST /fhir/r4/Patient/p1/$everything')
  t.equal(sent?.headers['content-type'], 'application/fhir+json')
  t.strictSame(sentBody(world), [
    { name: 'start', valueDate: '2026-01-01' },
    { name: 'code', valueCoding: { system: 'http://loinc.org', code: '8867-4' } },
    { name: '_type', valueString: 'Observation' },
  ])
  t.strictSame(events(world), ['fhir.intended', 'fhir.written'])
  t.match(world.audited[1], { rule: 'Record', interaction: 'operation', operation: '$everything' })
})

t.test('on a type it is bound to the patient, in the form the app chose or as text', async (t) => {
  const world = await open(t)
  t.equal((await post(world, 'Observation/$lastn', [{ name: 'max', valueInteger: 3 }])).status, 200)
  t.strictSame(sentBody(world), [
    { name: 'patient', valueString: 'p1' },
    { name: 'max', valueInteger: 3 },
  ])
  t.match(world.audited[1]?.parameters, [{ name: 'max' }, { name: '+patient' }])
  const ours = { reference: `http://localhost:3000/fhir/${launchId}/Patient/p1`, display: 'Ann' }
  const named = [{ name: 'patient', valueReference: ours }]
  t.equal((await post(world, 'Observation/$lastn', named)).status, 200)
  t.strictSame(sentBody(world), [{ name: 'patient', valueReference: { reference: 'Patient/p1' } }])
  const elements = [{ name: '_elements', valueString: 'code' }]
  t.equal((await post(world, 'Observation/$lastn', elements)).status, 200)
  t.strictSame(sentBody(world), [
    { name: 'patient', valueString: 'p1' },
    { name: '_elements', valueString: 'code,subject' },
  ])
  const form = [{ name: 'subject', valueReference: { reference: 'Patient/p1' } }]
  t.equal((await post(world, 'Questionnaire/q1/$populate', form)).status, 200)
  t.equal((await post(world, '$plan', [{ name: 'limit', valueDecimal: 1.5 }])).status, 200)
  t.equal(world.ehr.seen.at(-1)?.url, '/fhir/r4/$plan')
})

t.test('nobody else, nothing unknown, nothing that cannot be judged', async (t) => {
  const world = await open(t)
  const base = world.ehr.base
  const refused: [string, readonly object[] | string, number][] = [
    ['Patient/p2/$everything', [], 404],
    ['Patient/$everything', [], 403],
    ['Encounter/$everything', [], 403],
    ['Patient/p1/$purge', [], 403],
    ['$graphql', [{ name: 'query', valueString: '{Patient{id}}' }], 403],
    ['Patient/p1/$everything', [{ name: 'end', valueDate: '2026' }], 403],
    ['Patient/p1/$everything?start=2026', [], 403],
    ['Observation/$lastn', [{ name: 'patient', valueString: 'p2' }], 403],
    ['Observation/$lastn', [{ name: 'patient', valueString: 'p1,p2' }], 403],
    [
      'Observation/$lastn',
      [
        { name: 'patient', valueString: 'p1' },
        { name: 'subject', valueReference: { reference: 'Patient/p1' } },
      ],
      403,
    ],
    ...[
      { valueReference: { reference: 'Patient/p2' } },
      { valueReference: { reference: `${base}/Patient/p2` } },
      { valueReference: { reference: 'https://other.example/Patient/p1' } },
      { valueReference: { reference: 'Group/g1' } },
      { valueReference: { reference: '#p' } },
      { valueReference: { identifier: { system: 'urn:mrn', value: '2' } } },
      { valueIdentifier: { system: 'urn:mrn', value: '2' } },
      { valueId: 'p2' },
      { valueString: 'Patient/p2' },
      { valueString: 'see patient/p2' },
      { valueUri: `${base}/Patient/p2` },
      { valueUri: `${base}/%50atient%2Fp2` },
      { valueUri: `${base}/%2550atient%252Fp2` },
      { valueString: 'Observation?code=1' },
      { valueString: 'x?subject=p2' },
      { valueCoding: { system: 'urn:x', code: 'Patient/p2' } },
      { valueCodeableConcept: { text: 'Patient/p2' } },
    ].map((value): [string, object[], number] => ['$plan', [{ name: 'note', ...value }], 403]),
    ['$plan', [{ name: 'patient', valueString: 'p2' }], 403],
    ['$plan', [{ name: 'patient', valueCode: 'p2' }], 403],
    ['$plan', [{ name: 'patient', valueReference: { reference: 'Practitioner/7' } }], 403],
    ['$plan', [{ name: 'identifier', valueString: 'urn:mrn|2' }], 403],
    ...[
      { resource: { resourceType: 'Nothing', id: 'p1' } },
      { resource: 'Patient/p1' },
      { part: [{ name: 'patient', valueString: 'p1' }] },
      { valueString: 'a', valueCode: 'b' },
      { valueString: 'a', extension: [] },
      { _valueString: { extension: [] } },
      { valueString: '' },
      { valueString: 'a\u0000' },
      { valueString: 7 },
      { valueDecimal: '7' },
      { valueDecimal: { rawJSON: '7' } },
      { valueAttachment: { url: 'https://x.example' } },
      { valueBase64Binary: 'UGF0aWVudC9wMg==' },
      { valueUuid: 'urn:uuid:c757873d-ec9a-4326-a141-556f43239520' },
      { valueReference: { reference: 'Patient/p1', type: 'Group' } },
      { valueReference: { reference: 'Patient/p1', extension: [] } },
      { valueCoding: { code: 'a', extension: [] } },
      { valueCoding: {} },
      { valueDate: 'yesterday' },
      { constructor: 'x' },
      {},
    ].map((value): [string, object[], number] => ['$plan', [{ name: 'note', ...value }], 400]),
    ['$plan', [{ name: 'note:exact', valueString: 'a' }], 400],
    ['$plan', [{ name: '__proto__', valueString: 'a' }], 400],
    ['$plan', Array.from({ length: 101 }, () => ({ name: 'note', valueString: 'a' })), 400],
    ['$plan', '{"resourceType":"Parameters","meta":{},"parameter":[]}', 400],
    ['$plan', '{"resourceType":"Parameters","parameter":{}}', 400],
    ['$plan', '{"resourceType":"Bundle","type":"message"}', 400],
    ['$plan', '[]', 400],
    ['$plan', '{', 400],
    ['$plan', `{"resourceType":"Parameters","parameter":${'['.repeat(30_000)}`, 400],
    ['$plan', `{"resourceType":"Parameters","x":"${'x'.repeat(1_048_576)}"}`, 413],
  ]
  for (const [path, body, status] of refused) {
    const answer = await post(world, path, body)
    t.equal(answer.status, status, `${path} ${JSON.stringify(body).slice(0, 120)}`)
  }
  const typed = { 'content-type': 'text/plain' }
  t.equal((await post(world, '$plan', [], typed)).status, 400)
  t.equal((await post(world, '$plan', [], { 'idempotency-key': 'a'.repeat(20) })).status, 403)
  t.equal((await world.fetch(at('$plan'), { method: 'POST' })).status, 400)
  t.equal(world.ehr.seen.length, 0)
  t.notOk(events(world).includes('fhir.intended'))
  t.strictSame(world.faults, [])
})

t.test('the record it is called on is read and judged before anything is sent', async (t) => {
  const world = await open(t)
  const encounter = (patient: string): object => ({
    resourceType: 'Encounter',
    id: 'e1',
    subject: { reference: `Patient/${patient}` },
  })
  const reason = [{ name: 'reason', valueCode: 'done' }]
  world.ehr.answer = respondWith(encounter('p2'))
  t.equal((await post(world, 'Encounter/e1/$close', reason)).status, 404)
  t.notOk(world.ehr.seen.some(({ method }) => method === 'POST'))
  t.notOk(events(world).includes('fhir.intended'))
  world.ehr.answer = (incoming, outgoing, body) =>
    respondWith(incoming.method === 'GET' ? encounter('p1') : outcome)(incoming, outgoing, body)
  t.equal((await post(world, 'Encounter/e1/$close', reason)).status, 200)
  t.strictSame(
    world.ehr.seen.slice(-2).map(({ method, url }) => `${method} ${url}`),
    ['GET /fhir/r4/Encounter/e1', 'POST /fhir/r4/Encounter/e1/$close'],
  )
  const less = await open(t, { granted: 'patient/Patient.rs' })
  t.equal((await post(less, 'Encounter/e1/$close', reason)).status, 403)
  t.equal(less.ehr.seen.length, 0)
})

t.test('by GET and in a batch too: its answer need not say whose record it was', async (t) => {
  const world = await open(t, {
    mode: {
      allow: [
        { feature: 'Meta', operation: 'Observation/$meta', parameters: [] },
        { feature: 'Batch', bundle: ['batch'] },
      ],
    },
  })
  const meta = {
    resourceType: 'Parameters',
    parameter: [{ name: 'return', valueMeta: { tag: [{ code: 'secret' }] } }],
  }
  let patient = 'p2'
  world.ehr.answer = (incoming, outgoing, body) => {
    const observation = { resourceType: 'Observation', id: 'o1' }
    const about = { ...observation, subject: { reference: `Patient/${patient}` } }
    const entry = [{ resource: meta, response: { status: '200' } }]
    const batched = { resourceType: 'Bundle', type: 'batch-response', entry }
    const read = incoming.url?.endsWith('$meta') === true ? meta : about
    respondWith(incoming.method === 'POST' ? batched : read)(incoming, outgoing, body)
  }
  const entry = [{ request: { method: 'GET', url: 'Observation/o1/$meta' } }]
  const batch = {
    method: 'POST',
    headers: { 'content-type': 'application/fhir+json' },
    body: JSON.stringify({ resourceType: 'Bundle', type: 'batch', entry }),
  }
  for (const ask of [
    () => world.fetch(at('Observation/o1/$meta')),
    () => world.fetch(at(''), batch),
  ]) {
    patient = 'p2'
    const before = world.ehr.seen.length
    const answer = await ask()
    t.equal(answer.status, 404)
    t.notMatch(answer.text, 'secret')
    t.equal(world.ehr.seen.length, before + 1, 'the record was read, and nothing else')
    patient = 'p1'
    t.match((await ask()).text, 'secret')
  }
  const less = await open(t, {
    granted: 'patient/Patient.rs',
    mode: { allow: [{ feature: 'Meta', operation: 'Observation/$meta', parameters: [] }] },
  })
  t.equal((await less.fetch(at('Observation/o1/$meta'))).status, 403)
  t.equal(less.ehr.seen.length, 0)
})

t.test('its answer is guarded; what is lost after sending is uncertain', async (t) => {
  const world = await open(t)
  const ask = async (): Promise<Answer> => post(world, 'Observation/$lastn', [])
  const bundle = (patient: string): object => ({
    resourceType: 'Bundle',
    type: 'searchset',
    link: [{ relation: 'next', url: `${world.ehr.base}/Observation/$lastn?page=2` }],
    entry: [
      {
        resource: {
          resourceType: 'Observation',
          id: 'o1',
          subject: { reference: `Patient/${patient}` },
        },
      },
    ],
  })
  world.ehr.answer = respondWith(bundle('p1'))
  const page = (await ask()).json().link[0].url.replace('http://localhost:3000', '')
  t.match(page, /_page/)
  const next = await world.fetch(page)
  t.equal(next.status, 200)
  t.match(world.ehr.seen.at(-1), { method: 'GET', url: '/fhir/r4/Observation/$lastn?page=2' })

  world.ehr.answer = respondWith(bundle('p2'))
  const foreign = await ask()
  t.equal(foreign.status, 502)
  t.equal(foreign.headers['smart-bff-state'], 'write_uncertain')
  t.notMatch(foreign.text, 'p2')
  t.match(world.audited.at(-1), { event: 'fhir.uncertain', reason: 'wrong_patient' })
  t.match(world.findings.at(-1), { reason: 'wrong_patient' })

  const told: [number, string][] = [
    [500, 'write_uncertain'],
    [302, 'write_uncertain'],
    [504, 'write_uncertain'],
    [404, 'not_permitted'],
    [409, 'write_conflict'],
    [422, 'not_permitted'],
  ]
  for (const [status, state] of told) {
    world.ehr.answer = respondWith(outcome, status)
    const answer = await ask()
    t.equal(answer.headers['smart-bff-state'], state, String(status))
  }
  world.ehr.answer = (incoming) => incoming.socket.destroy()
  const before = world.ehr.seen.length
  t.equal((await ask()).headers['smart-bff-state'], 'write_uncertain')
  t.equal(world.ehr.seen.length - before, 1, 'sent once')
  world.ehr.answer = (_, outgoing) => outgoing.writeHead(204).end()
  t.equal((await ask()).status, 204)
  const asked = world.ehr.seen.length
  world.auditFails = true
  t.equal((await ask()).status, 503)
  t.equal(world.ehr.seen.length, asked, 'no record of the intent, nothing sent')
})

t.test('without a patient in context the audit says whom the answer was about', async (t) => {
  const options = { patient: undefined, mode: { allow, patient: 'none' }, granted: 'user/*.rs' }
  const world = await open(t, options)
  world.ehr.answer = respondWith({ resourceType: 'Patient', id: 'p9' })
  const whose = [{ name: 'identifier', valueIdentifier: { system: 'urn:mrn', value: '9' } }]
  t.equal((await post(world, '$plan', whose)).status, 200)
  t.match(world.audited.at(-1), { event: 'fhir.written', patient: ['p9'] })
})

t.test('10,000 generated bodies: what is accepted names nobody else and holds nothing new', (t) => {
  const base = 'https://ehr.example/fhir/r4'
  const id = fc.constantFrom('p1', 'p2', 'p1,p2', 'p10')
  const mention = id.chain((who) =>
    fc.constantFrom(
      who,
      `Patient/${who}`,
      `${base}/Patient/${who}`,
      `patient/${who}`,
      `Patient%2f${who}`,
      `%2550atient/${who}`,
      `Observation?patient=${who}`,
      `Patient/p1 Patient/${who}`,
    ),
  )
  const text = fc.oneof(mention, fc.string(), fc.constant('http://loinc.org'))
  const scalar = fc.oneof(text, fc.double(), fc.boolean(), fc.constant(null))
  const value = fc.oneof(
    scalar,
    fc.record({ reference: text }),
    fc.record({ reference: text, type: fc.constantFrom('Patient', 'Group') }),
    fc.record({ system: text, code: text }),
    fc.record({ coding: fc.array(fc.record({ system: text, code: text, extra: scalar })) }),
    fc.record({ coding: fc.array(fc.record({ system: text, code: text })) }),
    fc.record({ start: text, end: text }),
    fc.jsonValue(),
  )
  const member = fc.constantFrom(
    'valueString',
    'valueUri',
    'valueCode',
    'valueId',
    'valueReference',
    'valueCoding',
    'valueCodeableConcept',
    'valuePeriod',
    'valueDecimal',
    'valueIdentifier',
    'resource',
    'part',
    'extension',
    '_valueString',
    'constructor',
    'toString',
  )
  const name = fc.constantFrom('patient', 'subject', 'note', 'code', 'patientId', 'identifier')
  const entry = fc.tuple(name, member, value).map(([called, which, what]) => ({
    name: called,
    [which]: what,
  }))
  let accepted = 0
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 2 }), (parameter) => {
      const body = Buffer.from(JSON.stringify({ resourceType: 'Parameters', parameter }))
      const read = readParameters(parseExact(body), { patient: 'p1', base })
      if (isRefusal(read)) return
      accepted += 1
      const sent = printParameters(read).toString()
      const plain = decodeURIComponent(decodeURIComponent(sent.replaceAll(/%(?!25|50|2f)/g, '_')))
      t.notMatch(plain, /patient\/(?!p1(?![A-Za-z0-9.,-]))/i)
      t.notMatch(plain, /"resource"|"part"|extension|identifier|[A-Za-z]\?patient/)
      t.notMatch(
        plain,
        /"name":"(?:patient|subject|patientId)","value[A-Za-z]+":"(?!(?:Patient\/)?p1")/,
      )
      const again = readParameters(parseExact(printParameters(read)), { patient: 'p1', base })
      t.strictSame(again, read)
    }),
    { numRuns: 10_000, seed: 4 },
  )
  t.ok(accepted > 500, String(accepted))
  t.end()
})

t.test('on the whole system, by GET as by POST: the patient in context, or nobody', async (t) => {
  const rules = [
    ...allow,
    { feature: 'Due', operation: '$due', parameters: ['subject', 'member', 'id'] },
    { feature: 'Rota', operation: '$rota', parameters: ['date', 'site', 'ids', 'mrn'] },
  ]
  const world = await open(t, { mode: { allow: rules } })
  const foreign = [
    '$plan?patient=p2',
    '$plan?patient=Patient/p2',
    '$plan?patient=p1,p2',
    '$plan?patient=p1&patient=p2',
    '$plan?pat%69ent=p2',
    '$plan?patient=P1',
    '$plan?patient=Patient%252Fp1',
    '$plan?patient=',
    '$plan?note=Patient/p2',
    '$plan?note=%2550atient/p2',
    '$plan?note=Group/g1',
    '$plan?note=Observation%3Fsubject%3DPatient/p1',
    '$plan?identifier=urn:mrn|9',
    '$due?subject=p2',
    '$due?member=p2',
    '$due?id=o1',
    '$rota?ids=p2',
    '$rota?mrn=9',
    'Observation/$lastn?code=Patient/p2',
  ]
  for (const path of foreign) {
    t.equal((await world.fetch(at(path))).status, 403, path)
    t.match(world.audited.at(-1), { event: 'fhir.refused', reason: 'wrong_patient' }, path)
  }
  t.equal(
    (await world.fetch(at('$plan?patient:Patient=p1'))).status,
    403,
    'a modifier is another parameter, which no rule lists',
  )
  t.strictSame(world.ehr.seen, [])

  const told = respondWith({ resourceType: 'Parameters', parameter: [] })
  world.ehr.answer = told
  const sent: [string, string][] = [
    ['$plan', '$plan?patient=p1'],
    ['$plan?limit=5', '$plan?patient=p1&limit=5'],
    ['$plan?patient=Patient/p1', '$plan?patient=Patient/p1'],
    ['$due?id=p1', '$due?subject=Patient/p1&id=p1'],
    ['$rota?date=2026-01-01', '$rota?date=2026-01-01'],
  ]
  for (const [path, url] of sent) {
    t.equal((await world.fetch(at(path))).status, 200, path)
    t.equal(world.ehr.seen.at(-1)?.url, `/fhir/r4/${url}`)
  }
  t.equal((await post(world, '$plan', [{ name: 'note', valueString: 'x' }])).status, 200)
  t.strictSame(sentBody(world), [
    { name: 'patient', valueString: 'p1' },
    { name: 'note', valueString: 'x' },
  ])
  const none = await open(t, { patient: undefined, mode: { allow: rules, patient: 'none' } })
  none.ehr.answer = told
  t.equal((await none.fetch(at('$plan?patient=p2'))).status, 200, 'nobody is in context')
})

t.test('a record in the parameters is judged like the body of a write', async (t) => {
  const rules = [
    ...allow,
    { feature: 'Check', operation: 'Observation/$validate', parameters: ['resource', 'mode'] },
    { feature: 'Score', operation: '$score', parameters: ['resource', 'subject'] },
    { feature: 'Find', operation: 'Patient/$match', parameters: ['resource'] },
  ]
  const world = await open(t, { mode: { allow: rules } })
  const about = (patient: string, more: object = {}): object => ({
    resourceType: 'Observation',
    subject: { reference: `Patient/${patient}` },
    ...more,
  })
  const given = (resource: unknown, name = 'resource'): object[] => [{ name, resource }]
  const mode = { name: 'mode', valueCode: 'create' }
  const precise = about('p1', { hasMember: [{ reference: `${ours}/Observation/o2` }] })
  const answer = await post(world, 'Observation/$validate', [...given(precise), mode])
  t.equal(answer.status, 200)
  t.equal(answer.json().issue[0].code, 'informational')
  t.strictSame(sentBody(world), [
    {
      name: 'resource',
      resource: about('p1', { hasMember: [{ reference: `${world.ehr.base}/Observation/o2` }] }),
    },
    mode,
  ])
  t.match(world.audited[0], {
    event: 'fhir.intended',
    parameters: [{ name: 'resource', value: '' }, {}],
  })
  t.equal((await post(world, '$score', given(about('p1')))).status, 200)
  t.strictSame(sentBody(world), [
    { name: 'subject', valueString: 'Patient/p1' },
    ...given(about('p1')),
  ])
  t.equal((await post(world, '$score', given({ resourceType: 'Patient', id: 'p1' }))).status, 200)
  const sent = world.ehr.seen.length

  const refused: [string, object[], number][] = [
    ['Observation/$validate', given(about('p2')), 403],
    [
      'Observation/$validate',
      given(about('p1', { performer: [{ reference: 'Patient/p2' }] })),
      403,
    ],
    [
      'Observation/$validate',
      given(about('p1', { focus: [{ type: 'Patient', identifier: { value: '2' } }] })),
      403,
    ],
    [
      'Observation/$validate',
      given(about('p1', { contained: [{ resourceType: 'Patient', id: 'x' }] })),
      403,
    ],
    ['Observation/$validate', given({ resourceType: 'Observation' }), 403],
    ['Observation/$validate', given({ ...about('p1'), resourceType: 'Condition' }), 400],
    ['Observation/$validate', given(about('p1'), 'profile'), 403],
    ['Observation/$validate', given(about('p1', { id: '../x' })), 400],
    ['$score', given({ resourceType: 'Patient', id: 'p2' }), 403],
    ['$score', given({ resourceType: 'Patient' }), 403],
    ['$score', given(about('p1'), 'subject'), 403],
    ['$score', given({ resourceType: 'Bundle', id: 'b', entry: [{ resource: about('p2') }] }), 403],
    ['$score', given({ resourceType: 'Parameters', parameter: [] }), 403],
    ['$score', given(about('p1', { url: 'Binary/b9' })), 403],
    ['$score', [{ name: 'resource', resource: about('p1'), valueString: 'x' }], 400],
    ['$score', [{ name: 'resource', part: given(about('p1')) }], 400],
    ['Patient/$match', given({ resourceType: 'Patient', id: 'p1' }), 403],
  ]
  for (const [path, parameter, status] of refused) {
    t.equal(
      (await post(world, path, parameter)).status,
      status,
      `${path} ${JSON.stringify(parameter)}`,
    )
  }
  t.equal(world.ehr.seen.length, sent, 'nothing was sent')
  const reader = await open(t, { mode: { allow: rules }, granted: 'patient/Condition.rs' })
  t.equal(
    (await post(reader, 'Observation/$validate', given(about('p1')))).status,
    400,
    'no scope for it',
  )

  const nobody = await open(t, { patient: undefined, mode: { allow: rules, patient: 'none' } })
  const found = {
    resourceType: 'Bundle',
    type: 'searchset',
    entry: [{ resource: { resourceType: 'Patient', id: 'p2' } }],
  }
  nobody.ehr.answer = respondWith(found)
  const match = await post(
    nobody,
    'Patient/$match',
    given({ resourceType: 'Patient', name: [{ family: 'X' }] }),
  )
  t.equal(match.status, 200, 'where no patient is in context it may look for one')
  t.equal(match.json().entry[0].resource.id, 'p2')
})
