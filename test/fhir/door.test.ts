import t from 'tap'
import type { AuditEvent } from '../../src/audit/event.ts'
import { createWorld, launchId, respondWith } from './helper.ts'
import type { World } from './helper.ts'

const patient = { resourceType: 'Patient', id: 'p1', name: [{ family: 'Ng' }] }
const observation = (id: string, about = 'Patient/p1'): object => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  subject: { reference: about },
})
const searchset = (...resources: object[]): object => ({
  resourceType: 'Bundle',
  type: 'searchset',
  entry: resources.map((resource) => ({ resource })),
})
const at = (path: string): string => `/fhir/${launchId}/${path}`

async function open(t: { teardown(end: () => Promise<void>): void }, options = {}): Promise<World> {
  const world = await createWorld(options)
  t.teardown(() => world.close())
  return world
}

t.test('a read comes back with the headers every /fhir answer carries', async (t) => {
  const world = await open(t)
  world.ehr.answer = respondWith(patient, 200, {
    etag: 'W/"3"',
    'set-cookie': 'ehr=1',
    'x-powered-by': 'EHR',
  })
  const answer = await world.fetch(at('Patient/p1'))
  t.equal(answer.status, 200)
  t.strictSame(answer.json(), patient)
  t.equal(answer.headers['content-type'], 'application/fhir+json; charset=utf-8')
  t.equal(answer.headers['content-security-policy'], "sandbox; default-src 'none'")
  t.equal(answer.headers['x-content-type-options'], 'nosniff')
  t.equal(answer.headers['cache-control'], 'no-store')
  t.equal(answer.headers['cross-origin-resource-policy'], 'same-origin')
  t.equal(answer.headers['etag'], 'W/"3"')
  t.match(answer.headers['smart-bff-request'], /^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}$/)
  t.notOk(answer.headers['set-cookie'])
  t.notOk(answer.headers['x-powered-by'])

  const [seen] = world.ehr.seen
  t.equal(seen?.url, '/fhir/r4/Patient/p1')
  t.equal(seen?.headers.authorization, 'Bearer access-token-1')
  t.equal(seen?.headers.accept, 'application/fhir+json')
  t.notOk(seen?.headers.cookie, 'no cookie reaches the EHR')
  t.notOk(seen?.headers['smart-bff'])

  t.equal(world.audited.length, 1)
  t.match(world.audited[0], {
    event: 'fhir.access',
    outcome: 'success',
    interaction: 'read',
    resource: 'Patient',
    rule: 'Banner',
    patient: 'p1',
    status: 200,
    upstreamStatus: 200,
    count: 1,
    request: answer.headers['smart-bff-request'],
  })
})

t.test('Patient.link is no paging link', async (t) => {
  const world = await open(t)
  const { base } = world.ehr
  const link = (other: string): object[] => [{ type: 'replaces', other: { reference: other } }]
  for (const reference of ['Patient/p0', `${base}/Patient/p0`]) {
    world.ehr.answer = respondWith({ ...patient, link: link(reference) })
    const answer = await world.fetch(at('Patient/p1'))
    const ours = reference.replace(base, `http://localhost:3000/fhir/${launchId}`)
    t.strictSame(answer.json().link, link(ours))
  }
})

t.test('HEAD is judged like GET and has no body', async (t) => {
  const world = await open(t)
  world.ehr.answer = respondWith(patient)
  const answer = await world.fetch(at('Patient/p1'), { method: 'HEAD' })
  t.equal(answer.status, 200)
  t.equal(answer.body.length, 0)
  t.equal(world.ehr.seen[0]?.method, 'GET')
  t.equal(world.audited[0]?.event, 'fhir.access')
})

t.test('a search is bound to the patient in context, once, by us', async (t) => {
  const world = await open(t)
  world.ehr.answer = respondWith(searchset(observation('o1'), observation('o2')))
  for (const query of ['', '?patient=p1', '?subject=Patient/p1', '?pat%69ent=Patient%2Fp1']) {
    world.ehr.seen.length = 0
    const answer = await world.fetch(at(`Observation${query}`))
    t.equal(answer.status, 200, query)
    t.equal(world.ehr.seen[0]?.url, '/fhir/r4/Observation?patient=p1', query)
    t.equal(world.ehr.seen[0]?.headers['prefer'], 'handling=strict')
  }
  const form = await world.fetch(at('Observation/_search?category=vital-signs'), {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'code=8867-4',
  })
  t.equal(form.status, 200)
  const last = world.ehr.seen.at(-1)
  t.equal(last?.url, '/fhir/r4/Observation/_search')
  t.equal(last?.body, 'patient=p1&category=vital-signs&code=8867-4')
  const compartment = await world.fetch(at('Patient/p1/Observation?code=1'))
  t.equal(compartment.status, 200)
  t.equal(world.ehr.seen.at(-1)?.url, '/fhir/r4/Observation?patient=p1&code=1')
})

t.test('an apostrophe in a search reaches the EHR', async (t) => {
  const mode = {
    allow: [
      {
        feature: 'Staff',
        resource: 'Practitioner',
        interactions: ['search-type'],
        search: ['name'],
      },
    ],
  }
  const world = await open(t, { mode })
  world.ehr.answer = respondWith(searchset())
  t.equal((await world.fetch(at("Practitioner?name=O'Brien"))).status, 200)
  t.equal(world.ehr.seen[0]?.url, '/fhir/r4/Practitioner?name=O%27Brien')
})

t.test('a record of another patient reads exactly like one that does not exist', async (t) => {
  const world = await open(t)
  world.ehr.answer = respondWith(observation('o9', 'Patient/p2'))
  const foreign = await world.fetch(at('Observation/o9'))
  world.ehr.answer = respondWith({ resourceType: 'OperationOutcome' }, 404)
  const missing = await world.fetch(at('Observation/o9'))
  const other = await world.fetch(at('Patient/p2'))
  t.equal(foreign.status, 404)
  for (const answer of [missing, other]) {
    t.equal(answer.status, 404)
    t.equal(answer.text, foreign.text)
    t.strictSame(Object.keys(answer.headers), Object.keys(foreign.headers))
  }
  t.equal(world.audited[0]?.reason, 'wrong_patient')
  t.equal(world.audited[2]?.reason, 'wrong_patient')
  t.match(world.findings, [{ event: 'guard.finding', outcome: 'refused', reason: 'wrong_patient' }])
  t.equal(world.ehr.seen.length, 2, 'Patient/p2 was never asked for')
})

t.test('one foreign resource refuses the whole answer, or is dropped and counted', async (t) => {
  const world = await open(t)
  world.ehr.answer = respondWith(searchset(observation('o1'), observation('o2', 'Patient/p2')))
  const refused = await world.fetch(at('Observation'))
  t.equal(refused.status, 502)
  t.equal(refused.headers['smart-bff-state'], 'data_unavailable')
  t.notMatch(refused.text, /p2|o2/)
  t.match(world.audited[0], { event: 'fhir.failed', reason: 'wrong_patient' })

  const dropping = await open(t, { tenant: { guard: 'drop' } })
  dropping.ehr.answer = world.ehr.answer
  const dropped = await dropping.fetch(at('Observation'))
  t.equal(dropped.status, 200)
  t.notMatch(dropped.text, /Patient\/p2|"o2"/)
  t.equal(dropped.json().entry.length, 2, 'the rest, and a word about what is missing')
  t.match(dropping.audited[0], { event: 'fhir.access', count: 1, reason: 'dropped' })
})

t.test('what stands beside the entries and is none of a Bundle is not passed on', async (t) => {
  const world = await open(t)
  const stray = { subject: { reference: 'Patient/p2' }, note: 'Ng' }
  for (const resource of [observation('o1'), { ...observation('o1'), contained: [] }]) {
    world.ehr.answer = respondWith({ ...searchset(resource), ...stray, total: 1 })
    const answer = await world.fetch(at('Observation'))
    t.equal(answer.status, 200)
    t.strictSame(Object.keys(answer.json()).toSorted(), ['entry', 'resourceType', 'total', 'type'])
  }
})

t.test('nothing leaves and nothing is told when the record cannot be written', async (t) => {
  const world = await open(t)
  world.ehr.answer = respondWith(patient)
  world.auditFails = true
  const answer = await world.fetch(at('Patient/p1'))
  t.equal(answer.status, 503)
  t.notMatch(answer.text, /Ng/)
})

t.test('the record is written before the first byte leaves', async (t) => {
  const world = await open(t)
  world.ehr.answer = respondWith(patient)
  let written = false
  const { audit } = world.deps
  const inner = { ...audit }
  Object.assign(audit, {
    record: async (event: AuditEvent) => {
      await new Promise((resolve) => setTimeout(resolve, 50))
      written = true
      return inner.record(event)
    },
  })
  await world.fetch(at('Patient/p1'))
  t.ok(written)
})

t.test('who may not ask learns nothing and the EHR is not asked', async (t) => {
  const world = await open(t)
  const rows: [string, Record<string, string>, number, string][] = [
    ['no cookie', { cookie: '' }, 401, 'session_ended'],
    ['a forged cookie', { cookie: `__Host-smart-bff=${'x'.repeat(43)}.y` }, 401, 'session_ended'],
    [
      'another site',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'empty' },
      403,
      'not_permitted',
    ],
    [
      'a navigation',
      {
        'sec-fetch-site': 'same-origin',
        'sec-fetch-dest': 'document',
        'sec-fetch-mode': 'navigate',
      },
      403,
      'not_permitted',
    ],
    ['a service worker', { 'service-worker': 'script' }, 403, 'not_permitted'],
    ['no header of ours', { 'smart-bff': '' }, 403, 'not_permitted'],
  ]
  for (const [name, headers, status, state] of rows) {
    const answer = await world.fetch(at('Patient/p1'), { headers })
    t.equal(answer.status, status, name)
    t.equal(answer.headers['smart-bff-state'], state, name)
  }
  const missing = await world.fetch('/fhir/another-launch-of-somebody/Patient/p1')
  t.equal(missing.status, 401)
  world.opening = { kind: 'ended', state: 'superseded' }
  t.equal((await world.fetch(at('Patient/p1'))).headers['smart-bff-state'], 'context_changed')
  world.opening = { kind: 'ended', state: 'expired' }
  const ended = await world.fetch(at('Patient/p1'))
  t.equal(ended.text, missing.text)
  t.equal(world.ehr.seen.length, 0)
})

t.test("the EHR's errors are told in our words", async (t) => {
  const world = await open(t)
  const issue = {
    severity: 'error',
    code: 'invalid',
    expression: ['Observation.code'],
    diagnostics: 'Patient Ng, MRN 12345',
    details: { text: 'secret' },
  }
  const rows: [number, number, string][] = [
    [400, 400, 'not_permitted'],
    [422, 422, 'not_permitted'],
    [404, 404, 'not_permitted'],
    [410, 410, 'not_permitted'],
    [403, 403, 'not_permitted'],
    [429, 429, 'data_unavailable'],
    [503, 503, 'data_unavailable'],
    [500, 502, 'data_unavailable'],
    [302, 502, 'data_unavailable'],
    [304, 502, 'data_unavailable'],
    [206, 502, 'data_unavailable'],
  ]
  for (const [upstream, status, state] of rows) {
    // Each of its own: who was told to wait is not sent again.
    const world = await open(t)
    world.ehr.answer = respondWith({ resourceType: 'OperationOutcome', issue: [issue] }, upstream, {
      'retry-after': '7',
      location: 'https://evil.example/',
    })
    const answer = await world.fetch(at('Observation/o1'))
    t.equal(answer.status, status, `${upstream}`)
    t.equal(answer.headers['smart-bff-state'], state, `${upstream}`)
    t.equal(answer.json().resourceType, 'OperationOutcome')
    t.notMatch(answer.text, /Ng|12345|secret/)
    t.notOk(answer.headers.location)
    const later = upstream === 429 || upstream === 503
    t.equal(answer.headers['retry-after'], later ? '7' : undefined, `${upstream} retry-after`)
  }
  world.ehr.answer = respondWith({ issue: [issue] }, 422)
  const answer = await world.fetch(at('Observation/o1'))
  t.strictSame(answer.json().issue[1], {
    severity: 'error',
    code: 'invalid',
    expression: ['Observation.code'],
  })
})

t.test('a 401 asks once for a newer token and tries once more', async (t) => {
  const world = await open(t)
  world.ehr.answer = (incoming, outgoing) => {
    const fresh = incoming.headers.authorization === 'Bearer access-token-2'
    respondWith(patient, fresh ? 200 : 401)(incoming, outgoing, '')
  }
  t.equal((await world.fetch(at('Patient/p1'))).status, 200)
  t.strictSame([world.refusals, world.refusedAgain], [1, 0])
  world.ehr.answer = respondWith({}, 401)
  const refused = await world.fetch(at('Patient/p1'))
  t.equal(refused.status, 401)
  t.equal(refused.headers['smart-bff-state'], 'authorization_expired')
  t.strictSame([world.refusals, world.refusedAgain], [2, 1])
  t.equal(world.ehr.seen.length, 4)
})

t.test('answers that cannot be judged are refused', async (t) => {
  const world = await open(t)
  const bodies: [string, unknown, Record<string, string>][] = [
    ['XML', '<Patient/>', { 'content-type': 'application/fhir+xml' }],
    ['HTML', '<p>login</p>', { 'content-type': 'text/html' }],
    ['no type', JSON.stringify(patient), { 'content-type': '' }],
    ['truncated', '{"resourceType":"Patient","id":"p1"', {}],
    ['an array', '[]', {}],
    ['null', 'null', {}],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), {}],
    ['another type', { resourceType: 'Observation', id: 'p1' }, {}],
    ['another id', { resourceType: 'Patient', id: 'p3' }, {}],
    ['no id', { resourceType: 'Patient' }, {}],
    [
      'a resource in an extension',
      { ...patient, extension: [{ value: { resourceType: 'Nonsense' } }] },
      {},
    ],
    ['brotli', JSON.stringify(patient), { 'content-encoding': 'br' }],
    ['not gzip', JSON.stringify(patient), { 'content-encoding': 'gzip' }],
  ]
  for (const [name, body, headers] of bodies) {
    world.ehr.answer = respondWith(body, 200, headers)
    const answer = await world.fetch(at('Patient/p1'))
    t.equal(answer.status, 502, name)
    t.equal(answer.headers['smart-bff-state'], 'data_unavailable', name)
  }
})

t.test('paging links become ours, and lead back only through today’s decisions', async (t) => {
  const world = await open(t)
  const { base } = world.ehr
  const origin = new URL(base).origin
  const page = (next: string): object => ({
    ...searchset(observation('o1')),
    link: [
      { relation: 'self', url: `${base}/Observation?patient=p1` },
      { relation: 'next', url: next },
      { relation: 'alternate', url: `${base}/x` },
    ],
  })
  const shapes: [string, string][] = [
    [`${base}?_getpages=abc&_getpagesoffset=20`, '/fhir/r4?_getpages=abc&_getpagesoffset=20'],
    [
      `${base}/Observation?-pageContext=1&-pageDirection=NEXT`,
      '/fhir/r4/Observation?-pageContext=1&-pageDirection=NEXT',
    ],
    [`${base}/Observation?ct=${'x'.repeat(3000)}`, `/fhir/r4/Observation?ct=${'x'.repeat(3000)}`],
    ['/Observation?_count=10&_offset=10', '/fhir/r4/Observation?_count=10&_offset=10'],
    ['Observation?_offset=10', '/fhir/r4/Observation?_offset=10'],
    [`${origin.slice(7)}/fhir/r4/Encounter?_after=1`, '/fhir/r4/Encounter?_after=1'],
    [`${base}/Observation/_search?_page=2`, '/fhir/r4/Observation/_search?_page=2'],
    [`${base}/Observation?__t=12&__page-id=a`, '/fhir/r4/Observation?__t=12&__page-id=a'],
    [`${base}/Observation?_page_token=CAE`, '/fhir/r4/Observation?_page_token=CAE'],
    [`${base}/Observation?_cursor=1&_after=2`, '/fhir/r4/Observation?_cursor=1&_after=2'],
  ]
  for (const [link, target] of shapes) {
    world.ehr.answer = respondWith(page(link))
    const first = await world.fetch(at('Observation?category=vital-signs'))
    const [self, next, ...rest] = first.json().link
    t.equal(self.url, `http://localhost:3000/fhir/${launchId}/Observation?category=vital-signs`)
    t.equal(rest.length, 0)
    t.match(next.url, `http://localhost:3000/fhir/${launchId}/_page/`)
    t.notMatch(first.text, '_getpages')
    const second = await world.fetch(next.url.slice('http://localhost:3000'.length))
    t.equal(second.status, 200, link)
    t.equal(world.ehr.seen.at(-1)?.url, target)
    // A link to _search cannot be had by GET: it is asked as it was.
    const posted = target.includes('/_search?')
    t.equal(world.ehr.seen.at(-1)?.method, posted ? 'POST' : 'GET')
    t.equal(world.ehr.seen.at(-1)?.body, posted ? 'patient=p1&category=vital-signs' : '')
  }

  const traps = [
    'https://evil.example/fhir/r4/Observation?p=1',
    `${origin}.evil/fhir/r4?x=1`,
    `${origin}/fhir/r4evil/Observation`,
    `${origin}/admin`,
    `${base}/../admin`,
    `${base}/%2e%2e/admin`,
    `${base}/..;/admin`,
    `${base}/..;x=1/admin`,
    `//evil.example/fhir/r4/Observation`,
    `http://user@${origin.slice(7)}/fhir/r4/x`,
    'javascript:alert(1)',
    '',
  ]
  for (const link of traps) {
    world.ehr.answer = respondWith(page(link))
    const short = await world.fetch(at('Observation'))
    t.equal(short.status, 502, `${link}: a list without its next page would look like all there is`)
    t.equal(world.audited.at(-1)?.reason, 'link_outside', link)
    world.ehr.answer = respondWith({
      ...searchset(observation('o1')),
      link: [{ relation: 'previous', url: link }],
    })
    const whole = await world.fetch(at('Observation'))
    t.equal(whole.status, 200)
    t.strictSame(whole.json().link, [], link)
    t.equal(world.audited.at(-1)?.reason, 'link_outside', link)
  }

  world.ehr.answer = respondWith(page(`${base}?_getpages=abc`))
  const next = (await world.fetch(at('Observation'))).json().link[1].url as string
  const path = next.slice('http://localhost:3000'.length)
  world.ehr.answer = respondWith(searchset(observation('o1', 'Patient/p2')))
  t.equal((await world.fetch(path)).status, 502, 'every page is judged')
  world.ehr.answer = respondWith({}, 404)
  const gone = await world.fetch(path)
  t.equal(gone.status, 410)
  t.equal((await world.fetch(`${path.slice(0, -2)}AA`)).status, 410, 'a token that does not open')
  world.record = { ...world.record, scopes: { requested: '', granted: 'patient/Patient.rs' } }
  const asked = world.ehr.seen.length
  t.equal((await world.fetch(path)).status, 403, 'today’s scopes decide')
  t.equal(world.ehr.seen.length, asked)
})

t.test('URLs of records under the base become ours, others stay', async (t) => {
  const world = await open(t)
  const { base } = world.ehr
  const system = `${base}/CodeSystem/local`
  world.ehr.answer = respondWith({
    resourceType: 'Bundle',
    type: 'searchset',
    total: 1,
    entry: [
      {
        fullUrl: `${base}/Observation/o1`,
        resource: {
          ...observation('o1', `${base}/Patient/p1`),
          code: { coding: [{ system, code: 'x' }] },
          performer: [
            { reference: `${base}/Practitioner/7` },
            { reference: 'https://x.example/Practitioner/8' },
          ],
          valueQuantity: { value: 0 },
        },
      },
    ],
  })
  const answer = await world.fetch(at('Observation'))
  const [entry] = answer.json().entry
  const ours = `http://localhost:3000/fhir/${launchId}`
  t.equal(entry.fullUrl, `${ours}/Observation/o1`)
  t.equal(entry.resource.subject.reference, `${ours}/Patient/p1`)
  t.equal(entry.resource.performer[0].reference, `${ours}/Practitioner/7`)
  t.equal(entry.resource.performer[1].reference, 'https://x.example/Practitioner/8')
  t.equal(entry.resource.code.coding[0].system, system)
})

t.test('capabilities say what this launch may do, cut down from the EHR’s', async (t) => {
  const mode = {
    allow: [
      {
        feature: 'Vitals',
        resource: 'Observation',
        interactions: ['read', 'search-type', 'update'],
        search: ['_id', 'code', 'date', 'category', '_count'],
        include: ['Observation:encounter', 'Observation:device'],
      },
      { feature: 'Banner', resource: 'Patient', interactions: ['read'] },
      { feature: 'Visits', resource: 'Encounter', interactions: ['read'] },
      { feature: 'Record', operation: 'Patient/$everything' },
      { feature: 'Latest', operation: 'Observation/$lastn' },
      { feature: 'Dashboard', bundle: ['batch', 'transaction'] },
    ],
  }
  const world = await open(t, { granted: 'patient/Observation.rs patient/Encounter.rs', mode })
  const code = (...list: string[]): object[] => list.map((one) => ({ code: one }))
  world.ehr.answer = respondWith({
    resourceType: 'CapabilityStatement',
    implementation: { url: world.ehr.base },
    rest: [
      {
        mode: 'server',
        security: { extension: [{ url: 'oauth-uris' }] },
        interaction: code('batch', 'search-system'),
        resource: [
          {
            type: 'Observation',
            interaction: code('read', 'search-type', 'update', 'delete'),
            versioning: 'versioned-update',
            searchInclude: ['Observation:encounter', 'Observation:subject'],
            searchParam: [
              { name: 'code', type: 'token', definition: `${world.ehr.base}/SearchParameter/1` },
              { name: 'date', type: 'date' },
              { name: 'patient', type: 'reference' },
            ],
            operation: [{ name: 'lastn', definition: `${world.ehr.base}/OperationDefinition/1` }],
          },
          { type: 'Patient', interaction: code('read') },
          { type: 'Encounter', interaction: code('search-type') },
          { type: 'Condition', interaction: code('read') },
        ],
      },
    ],
  })
  const answer = await world.fetch(at('metadata?_format=json'))
  t.equal(answer.status, 200)
  t.equal(world.ehr.seen[0]?.url, '/fhir/r4/metadata')
  const statement = answer.json()
  t.equal(statement.resourceType, 'CapabilityStatement')
  t.strictSame(
    statement.rest,
    [
      {
        mode: 'server',
        resource: [
          {
            type: 'Observation',
            interaction: code('read', 'search-type'),
            versioning: 'versioned-update',
            searchInclude: ['Observation:encounter'],
            searchParam: [
              { name: '_id', type: 'token' },
              { name: 'code', type: 'token' },
              { name: 'date', type: 'date' },
            ],
            operation: [
              {
                name: 'lastn',
                definition: 'http://hl7.org/fhir/OperationDefinition/Observation-lastn',
              },
            ],
          },
        ],
        interaction: code('batch'),
      },
    ],
    'what rule, scope and EHR agree on: no Patient without a scope, no Encounter read, no update',
  )
  t.notMatch(answer.text, new URL(world.ehr.base).host)
  t.match(world.audited[0], { event: 'fhir.access', interaction: 'capabilities' })
  for (const body of [{ resourceType: 'Patient', id: 'p1' }, '<CapabilityStatement/>', '']) {
    world.ehr.answer = respondWith(body)
    t.equal((await world.fetch(at('metadata'))).status, 502)
  }
  world.ehr.answer = respondWith({}, 503)
  t.equal((await world.fetch(at('metadata'))).status, 503)
})

t.test('a browser that goes away cancels the call to the EHR', async (t) => {
  const world = await open(t)
  const closed = new Promise<void>((resolve) => {
    world.ehr.answer = (incoming) => void incoming.socket.once('close', () => resolve())
  })
  const { request } = await import('node:http')
  const outgoing = request(`${world.ours}${at('Patient/p1')}`, {
    headers: { 'smart-bff': '1', cookie: cookieOf(world) },
  })
  outgoing.on('error', () => undefined)
  outgoing.end()
  while (world.ehr.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  outgoing.destroy()
  await closed
  t.pass('the upstream connection was closed')
})

t.test('paths outside /fhir are not ours; absolute form is ours to refuse', async (t) => {
  const world = await open(t)
  for (const path of ['/', '/fhirx', '/FHIR/x', '/app/fhir', '/%66hir/x']) {
    t.equal((await world.fetch(path)).status, 418, path)
  }
  for (const path of ['/fhir', '/fhir/', '/fhir?x', `http://localhost:3000${at('Patient/p1')}`]) {
    t.equal((await world.fetch(path)).status, 400, path)
  }
})

function cookieOf(world: World): string {
  const cookies = world.deps.cookies as { sign?: (id: string) => string }
  return `__Host-smart-bff=${cookies.sign?.('s'.repeat(43)) ?? ''}`
}
