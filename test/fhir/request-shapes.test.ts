import t from 'tap'
import { decideLine } from './decide-line.ts'
import { createWorld, launchId, respondWith } from './helper.ts'
import type { AskOptions, World } from './helper.ts'

/**
 * Every row of the request-shape table (fhir-access-and-audit.md 1.12): where it is allowed and what then goes to the
 * EHR, and where it is refused. Rows that need an answer or a body to be judged are asked over sockets below.
 */
const anything = ['read', 'vread', 'history-instance', 'history-type', 'search-type'] as const
const writing = ['create', 'update', 'patch', 'delete'] as const
const allow = [
  { feature: 'Banner', resource: 'Patient', interactions: anything },
  {
    feature: 'Vitals',
    resource: 'Observation',
    interactions: [...anything, ...writing],
    search: ['code', 'identifier', '_count', '_type', '_method'],
  },
  { feature: 'Staff', resource: 'Practitioner', interactions: anything, search: ['name'] },
  { feature: 'Files', resource: 'Binary', interactions: ['read'] },
  { feature: 'Documents', resource: 'DocumentReference', interactions: ['read', 'search-type'] },
  { feature: 'Record', operation: 'Patient/$everything', parameters: ['_type', '_count', 'start'] },
  { feature: 'Latest', operation: 'Observation/$lastn', parameters: ['code', 'max'] },
  { feature: 'Dashboard', bundle: ['batch', 'transaction'] },
]
const options = { mode: { allow } }
const refused =
  /^FHIR_(NOT_ALLOWED|PATH_INVALID|PARAMETER_NOT_ALLOWED|PATIENT_FOREIGN|RESOURCE_UNKNOWN|SCOPE_INSUFFICIENT)$/

interface Row {
  readonly row: number
  /** A request and what the EHR gets of it; 'own' is answered by us. */
  readonly allowed: readonly (readonly [string, string])[]
  readonly refused: readonly string[]
  /** Granted scopes with which everything in `allowed` is refused. */
  readonly without?: string
}

const rows: readonly Row[] = [
  {
    row: 1,
    allowed: [['GET metadata', 'own']],
    refused: ['GET .well-known/smart-configuration', 'POST metadata', 'GET metadata/x'],
  },
  {
    row: 2,
    allowed: [
      ['GET Patient/p1', 'GET Patient/p1'],
      ['HEAD Patient/p1', 'GET Patient/p1'],
      ['GET Observation/o1', 'GET Observation/o1'],
      ['GET Practitioner/7', 'GET Practitioner/7'],
    ],
    refused: ['GET Patient/p2', 'HEAD Patient/p2', 'GET Condition/c1', 'GET Observation/o1?code=1'],
    without: 'patient/*.s user/*.s',
  },
  {
    row: 3,
    allowed: [['GET Observation/o1/_history/2', 'GET Observation/o1/_history/2']],
    refused: [
      'GET Patient/p2/_history/2',
      'GET Observation/o1/_history/2/3',
      'PUT Observation/o1/_history/2',
    ],
    without: 'patient/*.s',
  },
  {
    row: 4,
    allowed: [
      ['GET Observation/o1/_history', 'GET Observation/o1/_history'],
      ['GET Observation/o1/_history?_count=5', 'GET Observation/o1/_history?_count=5'],
    ],
    refused: [
      'GET Patient/p2/_history',
      'GET Observation/o1/_history?code=1',
      'POST Observation/o1/_history',
    ],
    without: 'patient/*.s',
  },
  {
    row: 5,
    allowed: [['GET Practitioner/_history', 'GET Practitioner/_history']],
    refused: ['GET Observation/_history', 'GET Patient/_history', 'GET Condition/_history'],
    without: 'patient/*.r',
  },
  { row: 6, allowed: [], refused: ['GET _history', 'GET _history?_count=1'] },
  {
    row: 7,
    allowed: [
      ['GET Observation?code=1', 'GET Observation?patient=p1&code=1'],
      ['GET Observation?patient=p1', 'GET Observation?patient=p1'],
      ['GET Practitioner?name=Ng', 'GET Practitioner?name=Ng'],
    ],
    refused: [
      'GET Observation?patient=p1,p2',
      'GET Observation?patient=p1&subject=Patient/p1',
      'GET Observation?patient:not=p2',
      'GET Observation?patient=https://ehr.example/fhir/r4/Patient/p1',
      'GET Observation?patient=p2',
      'GET Condition',
    ],
    without: 'patient/*.r user/*.r',
  },
  {
    row: 8,
    allowed: [
      ['POST Observation/_search?code=1', 'POST Observation/_search patient=p1&code=1'],
      ['POST Observation/_search', 'POST Observation/_search patient=p1'],
    ],
    refused: [
      'GET Observation/_search',
      'POST Observation/_search?patient=p2',
      'PUT Observation/_search',
    ],
    without: 'patient/*.r',
  },
  {
    row: 9,
    allowed: [],
    refused: ['GET ?_type=Observation', 'GET ', 'POST _search', 'GET Observation?_type=Patient'],
  },
  {
    row: 10,
    allowed: [
      ['GET Patient/p1/Observation?code=1', 'GET Observation?patient=p1&code=1'],
      ['POST Patient/p1/Observation/_search', 'POST Observation/_search patient=p1'],
    ],
    refused: [
      'GET Patient/p2/Observation',
      'GET Patient/p1/Practitioner',
      'GET Patient/p1/Observation?patient=p1',
      'GET Patient/p1/Condition',
      'DELETE Patient/p1/Observation',
    ],
    without: 'patient/Patient.rs',
  },
  { row: 11, allowed: [], refused: ['GET Patient/p1/*', 'GET Patient/p1/%2A'] },
  {
    row: 12,
    allowed: [],
    refused: [
      'GET Encounter/e1/Observation',
      'GET Practitioner/7/Observation',
      'GET Device/d1/Observation',
    ],
  },
  {
    row: 13,
    allowed: [['POST Observation', 'POST Observation']],
    refused: ['POST Practitioner', 'POST Patient', 'POST Condition', 'POST Observation/o1'],
    without: 'patient/*.ruds',
  },
  {
    row: 14,
    allowed: [['POST Observation', 'POST Observation']],
    refused: [],
    without: 'patient/*.ruds',
  },
  {
    row: 15,
    allowed: [['PUT Observation/o1', 'PUT Observation/o1']],
    refused: ['PUT Patient/p1', 'PUT Condition/c1', 'PUT Observation/o1/x'],
    without: 'patient/*.crds',
  },
  { row: 16, allowed: [], refused: ['PUT Observation?code=1', 'PUT Observation', 'PUT '] },
  {
    row: 17,
    allowed: [['PATCH Observation/o1', 'PATCH Observation/o1']],
    refused: ['PATCH Patient/p1', 'PATCH Condition/c1'],
    without: 'patient/*.crds',
  },
  { row: 18, allowed: [], refused: [] },
  { row: 19, allowed: [], refused: ['PATCH Observation?code=1', 'PATCH Observation'] },
  {
    row: 20,
    allowed: [['DELETE Observation/o1', 'DELETE Observation/o1']],
    refused: [
      'DELETE Patient/p1',
      'DELETE Observation/o1/_history',
      'DELETE Observation/o1/_history/1',
    ],
    without: 'patient/*.crus',
  },
  { row: 21, allowed: [], refused: ['DELETE Observation?code=1', 'DELETE Observation', 'DELETE '] },
  // Allowed: batch-writes.test.ts, more-interactions.test.ts.
  { row: 22, allowed: [], refused: ['PUT ', 'PATCH '] },
  {
    row: 23,
    allowed: [
      ['GET Patient/p1/$everything', 'GET Patient/p1/$everything'],
      ['GET Patient/p1/%24everything?start=2026', 'GET Patient/p1/$everything?start=2026'],
      [
        'POST Patient/p1/$everything',
        'POST Patient/p1/$everything {"resourceType":"Parameters","parameter":[]}',
      ],
    ],
    refused: [
      'GET Patient/p2/$everything',
      'GET Patient/$everything',
      'GET $everything',
      'GET Patient/p1/$everything?end=2026',
      'GET Encounter/e1/$everything',
      'POST Patient/p2/$everything',
      'POST Patient/$everything',
      'PUT Patient/p1/$everything',
      'DELETE Patient/p1/$everything',
    ],
  },
  {
    row: 24,
    allowed: [
      ['GET Observation/$lastn?max=1', 'GET Observation/$lastn?patient=p1&max=1'],
      [
        'POST Observation/$lastn',
        'POST Observation/$lastn {"resourceType":"Parameters","parameter":[{"name":"patient","valueString":"p1"}]}',
      ],
    ],
    refused: [
      'GET Observation/$lastn?patient=p2',
      'GET DocumentReference/$docref',
      'GET Patient/p1/$summary',
    ],
  },
  {
    row: 25,
    allowed: [],
    refused: [
      ...['$validate', '$meta', '$expunge', '$export', '$process-message'].map(
        (one) => `GET ${one}`,
      ),
      ...['$member-match', '$match', '$purge'].map((one) => `GET Patient/p1/${one}`),
      'POST Observation/$validate',
      'GET Observation/o1/$meta-delete',
    ],
  },
  { row: 26, allowed: [], refused: ['GET $graphql', 'POST $graphql', 'GET Patient/p1/$graphql'] },
  {
    row: 27,
    allowed: [],
    refused: ['GET Binary/b1', 'HEAD Binary/b1', 'GET Binary', 'POST Binary'],
  },
  {
    row: 28,
    allowed: [],
    refused: ['GET ?_getpages=1', 'GET _page', 'GET _page/short', 'POST _page/0123456789abcdef'],
  },
  {
    row: 29,
    allowed: [],
    refused: ['POST Observation/o1?_method=DELETE', 'GET Observation?_method=DELETE'],
  },
  {
    row: 30,
    allowed: [['GET Observation?_format=json', 'GET Observation?patient=p1']],
    refused: [
      'GET Observation?_format=xml',
      'GET Observation?_format=application/fhir%2Bxml',
      'GET Observation?_format=ndjson',
    ],
  },
]

t.strictSame(
  rows.map(({ row }) => row),
  Array.from({ length: 30 }, (_, index) => index + 1),
)

for (const { row, allowed, refused: lines, without } of rows) {
  t.test(`row ${row}`, (t) => {
    for (const [line, sent] of allowed) {
      t.equal(decideLine(line, options), sent, line)
      if (without !== undefined) {
        const answer = decideLine(line, { ...options, granted: without })
        t.equal(answer, 'FHIR_SCOPE_INSUFFICIENT', `${line} with ${without}`)
      }
      if (sent === 'own') continue
      t.match(decideLine(line, { mode: { allow: [] } }), refused, `${line} without a rule`)
    }
    for (const line of lines) t.match(decideLine(line, options), refused, line)
    t.end()
  })
}

const at = (path: string): string => `/fhir/${launchId}/${path}`
const json = { 'content-type': 'application/fhir+json' }
const about = (id: string, extra: object = {}): object => ({
  resourceType: 'Observation',
  id: 'o1',
  subject: { reference: `Patient/${id}` },
  ...extra,
})
const bundle = (type: string, ...resources: object[]): object => ({
  resourceType: 'Bundle',
  type,
  entry: resources.map((resource) => ({ resource })),
})

async function open(t: { teardown(end: () => Promise<void>): void }): Promise<World> {
  const world = await createWorld(options)
  t.teardown(() => world.close())
  return world
}

t.test('the response-side checks', async (t) => {
  const world = await open(t)
  const body = (value: unknown): string => JSON.stringify(value)
  const cases: readonly (readonly [number, string, object, number])[] = [
    [2, 'Observation/o1', about('p1'), 200],
    [2, 'Observation/o1', about('p2'), 404],
    [2, 'Observation/o1', about('p1', { id: 'o2' }), 502],
    [2, 'Observation/o1', about('p1', { contained: [about('p2')] }), 404],
    [3, 'Observation/o1/_history/2', about('p2'), 404],
    [4, 'Observation/o1/_history', bundle('history', about('p1')), 200],
    [4, 'Observation/o1/_history', bundle('history', about('p1'), about('p2')), 502],
    [5, 'Practitioner/_history', bundle('history', about('p2')), 502],
    [7, 'Observation', bundle('searchset', about('p1')), 200],
    [7, 'Observation', bundle('searchset', about('p1'), about('p2')), 502],
    [7, 'Observation', bundle('searchset', { resourceType: 'Condition', id: 'c' }), 502],
    [10, 'Patient/p1/Observation', bundle('searchset', about('p2')), 502],
    [23, 'Patient/p1/$everything', bundle('searchset', about('p1')), 200],
    [23, 'Patient/p1/$everything', bundle('searchset', about('p2')), 502],
    [24, 'Observation/$lastn', bundle('searchset', about('p2')), 502],
  ]
  for (const [row, path, value, status] of cases) {
    world.ehr.answer = (incoming, outgoing, asked) => {
      // Row 4: today's version is looked at first.
      const today = row === 4 && incoming.url?.endsWith('/o1') === true
      respondWith(today ? about('p1') : value)(incoming, outgoing, asked)
    }
    const answer = await world.fetch(at(path))
    t.equal(answer.status, status, `row ${row}: ${path} ${body(value)}`)
    if (status !== 200) t.notMatch(answer.text, 'p2', `row ${row}`)
  }
})

t.test('rows whose body decides, and headers that change nothing', async (t) => {
  const world = await open(t)
  const stored = about('p1', { meta: { versionId: '3' } })
  world.ehr.answer = respondWith(stored, 200, { etag: 'W/"3"' })
  const version = { 'if-match': 'W/"3"' }
  const ask = async (method: string, path: string, ask: AskOptions): Promise<number> =>
    (await world.fetch(at(path), { method, ...ask })).status
  const text = JSON.stringify
  const batch = (entry: unknown, type = 'batch'): AskOptions => ({
    headers: json,
    body: text({ resourceType: 'Bundle', type, entry: [entry] }),
  })
  const refusals: readonly (readonly [number, string, string, AskOptions, number])[] = [
    [8, 'POST', 'Observation/_search', { headers: json, body: '{}' }, 400],
    [13, 'POST', 'Observation', { headers: json, body: text(about('p2')) }, 403],
    [
      14,
      'POST',
      'Observation',
      { headers: { ...json, 'if-none-exist': 'patient=p2' }, body: text(about('p1')) },
      403,
    ],
    [15, 'PUT', 'Observation/o1', { headers: json, body: text(about('p1')) }, 428],
    [
      15,
      'PUT',
      'Observation/o1',
      { headers: { ...json, ...version }, body: text(about('p2')) },
      403,
    ],
    [
      17,
      'PATCH',
      'Observation/o1',
      {
        headers: { 'content-type': 'application/json-patch+json', ...version },
        body: '[{"op":"replace","path":"","value":{}}]',
      },
      400,
    ],
    [
      18,
      'PATCH',
      'Observation/o1',
      { headers: { ...json, ...version }, body: '{"resourceType":"Parameters"}' },
      400,
    ],
    [
      18,
      'PATCH',
      'Observation/o1',
      { headers: { 'content-type': 'application/xml-patch+xml', ...version }, body: '<diff/>' },
      400,
    ],
    [20, 'DELETE', 'Observation/o1?_cascade=delete', { headers: version }, 403],
    [22, 'POST', '', batch({ request: { method: 'GET', url: 'Patient/p2' } }), 404],
    [
      22,
      'POST',
      '',
      batch({ request: { method: 'GET', url: 'https://ehr.example/Patient/p1' } }),
      400,
    ],
    [22, 'POST', '', batch({ request: { method: 'BREW', url: 'Patient/p1' } }), 403],
    [22, 'POST', '', batch({ request: { method: 'GET', url: 'Patient/p1' } }, 'collection'), 400],
    [
      22,
      'POST',
      '',
      batch({ resource: about('p2'), request: { method: 'POST', url: 'Observation' } }),
      403,
    ],
    [
      22,
      'POST',
      '',
      batch({ resource: about('p1'), request: { method: 'PUT', url: 'Observation/o1' } }),
      428,
    ],
    [22, 'POST', '', batch({ request: { method: 'DELETE', url: 'Observation?code=1' } }), 403],
    [
      29,
      'POST',
      'Observation/o1',
      { headers: { ...json, 'x-http-method-override': 'DELETE' }, body: '{}' },
      403,
    ],
  ]
  for (const [row, method, path, options, status] of refusals) {
    t.equal(await ask(method, path, options), status, `row ${row}: ${method} ${path}`)
  }
  const writes = world.ehr.seen.filter(({ method }) => method !== 'GET')
  t.strictSame(writes, [], 'nothing was written')

  await ask('GET', 'Observation/o1', {
    headers: {
      accept: 'application/fhir+xml',
      prefer: 'respond-async',
      'x-http-method-override': 'DELETE',
      'if-none-match': '*',
    },
  })
  const seen = world.ehr.seen.at(-1)
  t.match(seen, { method: 'GET', headers: { accept: 'application/fhir+json' } }, 'row 30')
  for (const name of ['prefer', 'x-http-method-override', 'if-none-match']) {
    t.notOk(seen?.headers[name], `row 29 and 30: ${name} is not passed on`)
  }
  world.ehr.answer = respondWith({}, 202, { 'content-location': `${world.ehr.base}/async/1` })
  t.equal(await ask('GET', 'Observation/o1', {}), 502, 'row 30: an asynchronous answer')
})
