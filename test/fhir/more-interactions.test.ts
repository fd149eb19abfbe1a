import t from 'tap'
import { maxPatients } from '../../src/audit/event.ts'
import { createWorld, launchId, respondWith } from './helper.ts'
import type { World, WorldOptions } from './helper.ts'

/** History, operations, batches, Provenance and merged patients: each judged as strictly as a read. */

const at = (path: string): string => `/fhir/${launchId}${path === '' ? '' : `/${path}`}`
const observation = (id: string, about = 'p1', more: object = {}): object => ({
  resourceType: 'Observation',
  id,
  subject: { reference: `Patient/${about}` },
  ...more,
})
const bundle = (type: string, ...entry: object[]): object => ({
  resourceType: 'Bundle',
  type,
  entry,
})
const rules = [
  {
    feature: 'All',
    resource: 'Observation',
    interactions: ['read', 'vread', 'history-instance', 'history-type', 'search-type'],
    search: ['_count', 'code'],
    include: ['Provenance:target'],
  },
  {
    feature: 'Me',
    resource: 'Patient',
    interactions: ['read', 'history-instance', 'history-type'],
  },
  { feature: 'Staff', resource: 'Practitioner', interactions: ['history-type'] },
  { feature: 'Record', operation: 'Patient/$everything', parameters: ['_count', 'start'] },
  { feature: 'Last', operation: 'Observation/$lastn', parameters: ['category', 'max'] },
  { feature: 'Codes', operation: 'ValueSet/$expand', parameters: ['url'] },
  { feature: 'Dashboard', bundle: ['batch'] },
]

async function open(
  t: { teardown(end: () => Promise<void>): void },
  options: WorldOptions = {},
): Promise<World> {
  const world = await createWorld({ mode: { allow: rules }, ...options })
  t.teardown(() => world.close())
  return world
}

t.test(
  'vread shows an old version only when the current one is about this patient too',
  async (t) => {
    const world = await open(t)
    let current = 'p1'
    world.ehr.answer = (incoming, outgoing) => {
      const old = incoming.url?.endsWith('/_history/1') === true
      respondWith(
        observation('o1', old ? 'p1' : current, { meta: { versionId: old ? '1' : '2' } }),
      )(incoming, outgoing, '')
    }
    t.equal((await world.fetch(at('Observation/o1/_history/1'))).status, 200)
    current = 'p2'
    const moved = await world.fetch(at('Observation/o1/_history/1'))
    t.equal(moved.status, 404)
    t.equal(
      world.ehr.seen.at(-1)?.url,
      '/fhir/r4/Observation/o1',
      'the old version was not even asked for',
    )
    world.ehr.answer = respondWith(observation('o1', 'p1', { meta: { versionId: '3' } }))
    t.equal(
      (await world.fetch(at('Observation/o1/_history/1'))).status,
      502,
      'another version than asked for',
    )
  },
)

t.test('old versions of a record that became another patient’s are shown in no way', async (t) => {
  const world = await open(t)
  let current = 'p1'
  const old = { resource: observation('o1', 'p1', { meta: { versionId: '1' } }) }
  world.ehr.answer = (incoming, outgoing, body) => {
    const { method, url = '' } = incoming
    const answered = { ...old, response: { status: '200' } }
    if (method === 'POST')
      return respondWith(bundle('batch-response', answered))(incoming, outgoing, body)
    const history = url.includes('/_history')
    respondWith(history ? bundle('history', old) : observation('o1', current))(
      incoming,
      outgoing,
      body,
    )
  }
  const batch = {
    method: 'POST',
    headers: { 'content-type': 'application/fhir+json' },
    body: JSON.stringify(
      bundle('batch', { request: { method: 'GET', url: 'Observation/o1/_history/1' } }),
    ),
  }
  t.equal((await world.fetch(at('Observation/o1/_history?_count=1'))).status, 200)
  t.equal((await world.fetch(at(''), batch)).status, 200)
  current = 'p2'
  t.equal((await world.fetch(at('Observation/o1/_history?_count=1'))).status, 404)
  t.equal((await world.fetch(at(''), batch)).status, 404)
  t.match(world.findings, [{ reason: 'wrong_patient' }, { reason: 'wrong_patient' }])
})

t.test('instance history: every version is judged, deletions carry no proof', async (t) => {
  const world = await open(t)
  const answerHistory =
    (history: object): World['ehr']['answer'] =>
    (incoming, outgoing, body) => {
      const asked = incoming.url?.includes('/_history') === true
      respondWith(asked ? history : observation('o1'))(incoming, outgoing, body)
    }
  world.ehr.answer = answerHistory(
    bundle(
      'history',
      { resource: observation('o1') },
      { request: { method: 'DELETE', url: 'Observation/o1' } },
    ),
  )
  const answer = await world.fetch(at('Observation/o1/_history?_count=5'))
  t.equal(answer.status, 200)
  t.equal(answer.json().entry.length, 1)
  const located = (location: string): object => ({
    resource: observation('o1'),
    response: { status: '201', location },
  })
  world.ehr.answer = answerHistory(
    bundle(
      'history',
      located(`${world.ehr.base}/Observation/o1/_history/1`),
      located('Observation/o1/_history/2'),
      located('https://evil.example/Observation/o1'),
    ),
  )
  const ours = `http://localhost:3000/fhir/${launchId}/Observation/o1/_history`
  const entries: { response: { location?: string } }[] = (
    await world.fetch(at('Observation/o1/_history'))
  ).json().entry
  t.strictSame(
    entries.map(({ response }) => response.location),
    [`${ours}/1`, `${ours}/2`, undefined],
    'entry.response.location is ours, or left out',
  )
  world.ehr.answer = answerHistory(
    bundle('history', { resource: observation('o1') }, { resource: observation('o1', 'p2') }),
  )
  t.equal((await world.fetch(at('Observation/o1/_history'))).status, 502)
  world.ehr.answer = answerHistory(bundle('history', { resource: observation('o2') }))
  t.equal((await world.fetch(at('Observation/o1/_history'))).status, 502, 'another record')
  t.equal((await world.fetch(at('Patient/p2/_history'))).status, 404)
  const asked = world.ehr.seen.length
  t.equal(
    (await world.fetch(at('Observation/_history'))).status,
    403,
    'type history binds to nobody',
  )
  t.equal((await world.fetch(at('Patient/_history'))).status, 403)
  t.equal((await world.fetch(at('_history'))).status, 403)
  t.equal(world.ehr.seen.length, asked)
  world.ehr.answer = answerHistory(
    bundle('history', { resource: { resourceType: 'Practitioner', id: '7' } }),
  )
  t.equal((await world.fetch(at('Practitioner/_history'))).status, 200)
})

t.test(
  'operations: named by a rule, bound like a search, every type of the answer needs read and search',
  async (t) => {
    const world = await open(t, {
      granted: 'patient/Patient.rs patient/Observation.rs patient/Condition.r',
    })
    const patient = { resourceType: 'Patient', id: 'p1' }
    world.ehr.answer = respondWith(
      bundle('searchset', { resource: patient }, { resource: observation('o1') }),
    )
    const all = await world.fetch(at('Patient/p1/%24everything?_count=50'))
    t.equal(all.status, 200)
    t.equal(world.ehr.seen.at(-1)?.url, '/fhir/r4/Patient/p1/$everything?_count=50')
    t.match(world.audited.at(-1), {
      interaction: 'operation',
      operation: '$everything',
      rule: 'Record',
      count: 2,
    })
    const condition = { resourceType: 'Condition', id: 'c1', subject: { reference: 'Patient/p1' } }
    world.ehr.answer = respondWith(bundle('searchset', { resource: condition }))
    t.equal((await world.fetch(at('Patient/p1/$everything'))).status, 502, 'a type without search')
    world.ehr.answer = respondWith(bundle('searchset', { resource: observation('o1') }))
    t.equal((await world.fetch(at('Observation/$lastn?category=vital-signs&max=1'))).status, 200)
    t.equal(
      world.ehr.seen.at(-1)?.url,
      '/fhir/r4/Observation/$lastn?patient=p1&category=vital-signs&max=1',
    )
    const asked = world.ehr.seen.length
    const refused: [string, number][] = [
      ['Patient/p2/$everything', 404],
      ['Patient/$everything', 403],
      ['Patient/p1/$everything?_type=Condition', 403],
      ['Observation/o1/$lastn?max=1&performer=Patient/p2', 403],
      ['Observation/$lastn?patient=p2', 403],
      ['Observation/$stats', 403],
      ['Observation/o1/$lastn', 200],
      ['$export', 403],
      ['$graphql', 403],
    ]
    for (const [path, status] of refused.filter(([, status]) => status !== 200)) {
      t.equal((await world.fetch(at(path))).status, status, path)
    }
    t.equal((await world.fetch(at('Patient/p1/$everything'), { method: 'PUT' })).status, 403)
    t.equal(world.ehr.seen.length, asked)
  },
)

t.test('a batch of reads: each entry decided, bound, judged and recorded', async (t) => {
  const world = await open(t)
  const post = (entries: unknown[], type = 'batch'): ReturnType<World['fetch']> =>
    world.fetch(at(''), {
      method: 'POST',
      headers: { 'content-type': 'application/fhir+json' },
      body: JSON.stringify({ resourceType: 'Bundle', type, entry: entries }),
    })
  const get = (url: string): object => ({ request: { method: 'GET', url } })
  world.ehr.answer = respondWith(
    bundle(
      'batch-response',
      {
        response: { status: '200 OK' },
        resource: bundle('searchset', { resource: observation('o1') }),
      },
      { response: { status: '404', outcome: { text: 'secret' } } },
      { response: { status: '200' }, resource: observation('o9', 'p2') },
    ),
  )
  const answer = await post([
    get('Observation?code=1'),
    get('Observation/o8'),
    get('Observation/o9'),
  ])
  t.equal(answer.status, 200)
  t.notMatch(answer.text, /secret|p2/)
  const [first, second, third] = answer.json().entry
  t.equal(first.resource.entry.length, 1)
  t.equal(second.response.status, '404')
  t.strictSame(third, second, "somebody else's record reads like a missing one")
  t.strictSame(
    JSON.parse(world.ehr.seen[0]?.body ?? '').entry.map(
      (one: { request: { url: string } }) => one.request.url,
    ),
    ['Observation?patient=p1&code=1', 'Observation/o8', 'Observation/o9'],
  )
  t.equal(world.audited.length, 4, 'one for each entry and one for the whole')
  t.strictSame(
    world.audited[0]?.parameters,
    [
      { name: 'code', value: '1' },
      { name: '+patient', value: 'p1' },
    ],
    'what narrowed it is told apart, as in a request of its own',
  )

  const asked = world.ehr.seen.length
  const refused: [string, unknown[], number][] = [
    ['a foreign patient', [get('Observation'), get('Patient/p2')], 404],
    ['a write', [{ request: { method: 'DELETE', url: 'Observation/o1' } }], 403],
    ['an absolute URL', [get('https://evil.example/Patient/p1')], 400],
    ['a rooted URL', [get('/Patient/p1')], 400],
    ['dots', [get('Observation/../Patient/p2')], 400],
    ['a handle', [get('_page/0123456789abcdef')], 403],
    ['a type without a rule', [get('Condition')], 403],
    ['no entries', [], 400],
    ['nothing', [null], 400],
    ['too many', Array.from({ length: 101 }, () => get('Observation')), 400],
  ]
  for (const [name, entries, status] of refused) t.equal((await post(entries)).status, status, name)
  t.equal((await post([get('Observation')], 'transaction')).status, 403)
  t.equal((await post([get('Observation')], 'document')).status, 400)
  t.equal(world.ehr.seen.length, asked)

  world.ehr.answer = respondWith(
    bundle('batch-response', {
      response: { status: '200' },
      resource: bundle('searchset', { resource: observation('o1', 'p2') }),
    }),
  )
  t.equal((await post([get('Observation')])).status, 502, 'one foreign record in a search')
  t.equal(
    (await post([get('Observation'), get('Observation/o1')])).status,
    502,
    'fewer answers than entries',
  )
})

t.test('a Provenance is about its targets', async (t) => {
  const world = await open(t)
  const provenance = (...targets: string[]): object => ({
    search: { mode: 'include' },
    resource: {
      resourceType: 'Provenance',
      id: 'v1',
      target: targets.map((reference) => ({ reference })),
    },
  })
  const path = at('Observation?_revinclude=Provenance:target')
  const rows: [object, number][] = [
    [provenance('Observation/o1'), 200],
    [provenance('Observation/o1', 'Observation/o7'), 200],
    [provenance('Patient/p1'), 200],
    [provenance('Observation/o7'), 502],
    [provenance('Observation/o1', 'Patient/p2'), 502],
    [provenance(), 502],
    [provenance('urn:uuid:1', 'Observation/o1'), 502],
  ]
  for (const [entry, status] of rows) {
    world.ehr.answer = respondWith(bundle('searchset', entry, { resource: observation('o1') }))
    t.equal((await world.fetch(path)).status, status, JSON.stringify(entry))
  }
})

t.test('a record under an earlier id of this patient is told apart', async (t) => {
  const world = await open(t)
  const patient = {
    resourceType: 'Patient',
    id: 'p1',
    link: [{ type: 'replaces', other: { reference: 'Patient/p0' } }],
  }
  world.ehr.answer = (incoming, outgoing) => {
    const body =
      incoming.url?.endsWith('/Patient/p1') === true
        ? patient
        : bundle('searchset', { resource: observation('o1', 'p0') })
    respondWith(body)(incoming, outgoing, '')
  }
  const answer = await world.fetch(at('Observation'))
  t.equal(answer.status, 502)
  t.match(answer.text, 'earlier number')
  t.match(world.audited[0], { event: 'fhir.failed', reason: 'patient_merged' })
})

t.test(
  'without a patient in context an answer is about as many as its record can name',
  async (t) => {
    const allow = [
      { feature: 'List', resource: 'Patient', interactions: ['search-type'], withoutPatient: true },
    ]
    const world = await open(t, {
      patient: undefined,
      granted: 'user/*.rs',
      mode: { allow, patient: 'optional' },
    })
    const list = (count: number): object =>
      bundle(
        'searchset',
        ...Array.from({ length: count }, (_, index) => ({
          resource: { resourceType: 'Patient', id: `p${index}` },
        })),
      )
    world.ehr.answer = respondWith(list(maxPatients))
    t.equal((await world.fetch(at('Patient'))).status, 200)
    t.equal(world.audited.at(-1)?.patient?.length, maxPatients, 'all of them')
    world.ehr.answer = respondWith(list(maxPatients + 1))
    const more = await world.fetch(at('Patient'))
    t.equal(more.status, 502)
    t.notMatch(more.text, 'p1')
    t.match(world.audited.at(-1), { event: 'fhir.failed', reason: 'FHIR_ANSWER_TOO_LARGE' })
  },
)
