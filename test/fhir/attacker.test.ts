import type { IncomingMessage, ServerResponse } from 'node:http'
import fc from 'fast-check'
import t from 'tap'
import { createWorld, launchId } from './helper.ts'
import type { AskOptions, World } from './helper.ts'

/**
 * An app that holds a valid launch for one patient and asks for another, against an EHR that helps it along: it answers
 * everything it is asked, ignores every filter or every version as it pleases, and keeps what it is told to keep. Whatever
 * is asked, in whatever order: not a byte of the other patient comes out, and nothing of the other's is touched.
 */
const secret = 'SECRET-OF-P2'
const everything = 'read vread history-instance history-type create update patch delete search-type'
const about = (resource: string) => ({
  feature: resource,
  resource,
  interactions: everything.split(' '),
  search: ['code', 'status', '_id', '_count', '_elements', '_summary', 'performer', 'encounter'],
  include: ['Observation:performer', 'Observation:encounter', 'DocumentReference:subject'],
  upsert: true,
  unversioned: true,
})
const allow = [
  ...['Patient', 'Observation', 'DocumentReference', 'Practitioner'].map(about),
  { feature: 'Files', resource: 'Binary', interactions: ['read'] },
  { feature: 'Record', operation: 'Patient/$everything', parameters: ['_type', 'start'] },
  { feature: 'Meta', operation: 'Observation/$meta', parameters: ['code'] },
  { feature: 'Latest', operation: 'Observation/$lastn', parameters: ['code', 'max'] },
  { feature: 'Plan', operation: '$plan', parameters: ['patient', 'note'] },
  { feature: 'Many', bundle: ['batch', 'transaction'] },
]

type Resource = Readonly<Record<string, unknown>> & { resourceType: string; id: string }

function records(): Map<string, Resource> {
  const of = (patient: string): Resource[] => {
    const number = patient.slice(1)
    const text = patient === 'p2' ? secret : 'mine'
    const subject = { reference: `Patient/${patient}`, display: text }
    const attachment = { contentType: 'application/pdf', url: `Binary/b${number}` }
    return [
      { resourceType: 'Patient', id: patient, name: [{ text }] },
      { resourceType: 'Observation', id: `o${number}`, subject, valueString: text },
      { resourceType: 'DocumentReference', id: `d${number}`, subject, content: [{ attachment }] },
    ]
  }
  const staff = { resourceType: 'Practitioner', id: 'x1', name: [{ text: 'Dr.' }] }
  return new Map(
    [...of('p1'), ...of('p2'), staff].map((one) => [`${one.resourceType}/${one.id}`, one]),
  )
}

/** What the EHR holds, and how it behaves for the next request. */
class Obliging {
  store = records()
  filters = false
  made = 0

  bundle(type: string, list: readonly Resource[], next: string): object {
    const entry = list.map((resource) => ({ resource }))
    return { resourceType: 'Bundle', type, entry, link: [{ relation: 'next', url: next }] }
  }

  handle(method: string, url: string, body: unknown): { status: number; answer: unknown } {
    const [path = '', query = ''] = url.split('?')
    const [type = '', id = '', extra = ''] = path.split('/')
    const mine = (one: Resource): boolean => !this.filters || !JSON.stringify(one).includes('p2')
    const list = [...this.store.values()].filter(mine)
    const told = (what: unknown): object => ({
      resourceType: 'Parameters',
      parameter: [{ name: 'return', valueString: JSON.stringify(what ?? {}) }],
    })
    if (extra === '$meta') return { status: 200, answer: told(this.store.get(`${type}/${id}`)) }
    // About the patient that it is told, and about everybody where it is told none.
    const named = /patient=(?:Patient\/)?p1(?!\w)|(?:"|Patient\/)p1"/.test(
      query + JSON.stringify(body ?? ''),
    )
    if (path === '$plan') {
      return { status: 200, answer: told(named ? this.store.get('Patient/p1') : list) }
    }
    if (path.includes('$')) return { status: 200, answer: this.bundle('searchset', list, path) }
    const searches = id === '_search' || (id === '' && method === 'GET')
    if (searches) {
      const found = list.filter(({ resourceType }) => resourceType === type)
      const shown = query.includes('_include') ? list : found
      return { status: 200, answer: this.bundle('searchset', shown, `${type}?page=2`) }
    }
    return this.instance(method, { type, id, extra }, body)
  }

  instance(
    method: string,
    { type, id, extra }: { type: string; id: string; extra: string },
    body: unknown,
  ): { status: number; answer: unknown } {
    const key = `${type}/${id === '' ? `new${(this.made += 1)}` : id}`
    const stored = this.store.get(key)
    if (extra === '_history' || id === '_history') {
      const versions = stored === undefined ? [...this.store.values()] : [stored]
      return { status: 200, answer: this.bundle('history', versions, `${key}/_history?page=2`) }
    }
    if (method === 'GET') return { status: stored === undefined ? 404 : 200, answer: stored ?? {} }
    if (method === 'DELETE') this.store.delete(key)
    if (method === 'POST' || method === 'PUT') {
      const resource = { ...Object(body), resourceType: type, id: key.slice(type.length + 1) }
      this.store.set(key, resource)
      return { status: 201, answer: resource }
    }
    // It says what stands there, whatever a patch or a deletion has done.
    return { status: 200, answer: stored ?? {} }
  }

  answer(incoming: IncomingMessage, outgoing: ServerResponse, text: string): void {
    const url = (incoming.url ?? '').replace(/^\/fhir\/r4\/?/, '')
    const send = (status: number, answer: unknown, type = 'application/fhir+json'): void => {
      outgoing.writeHead(status, { 'content-type': type, etag: 'W/"1"' })
      outgoing.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
    }
    if (url.startsWith('Binary/')) {
      return send(200, url.includes('b2') ? secret : 'mine', 'application/pdf')
    }
    const parsed = /^[[{]/.test(text) ? JSON.parse(text) : undefined
    if (url !== '') {
      const { status, answer } = this.handle(incoming.method ?? '', url, parsed)
      return send(status, answer)
    }
    const entry = parsed.entry.map(
      (one: { request: { method: string; url: string }; resource?: unknown }) => {
        const { status, answer } = this.handle(one.request.method, one.request.url, one.resource)
        return { resource: answer, response: { status: String(status) } }
      },
    )
    return send(200, { resourceType: 'Bundle', type: `${parsed.type}-response`, entry })
  }

  /** What is the other patient's. */
  others(): string {
    return JSON.stringify(
      ['Patient/p2', 'Observation/o2', 'DocumentReference/d2'].map((key) => this.store.get(key)),
    )
  }
}

const ids = fc.constantFrom('p1', 'p2', 'o1', 'o2', 'd1', 'd2', 'x1', 'b1', 'b2', 'none')
const types = fc.constantFrom(
  'Patient',
  'Observation',
  'DocumentReference',
  'Practitioner',
  'Binary',
)
const operations = fc.constantFrom('$everything', '$meta', '$lastn', '$plan', '%24meta')
/** One's own, often enough for writes that are permitted. */
const references = fc.oneof(
  { weight: 2, arbitrary: fc.constant('Patient/p1') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'Patient/p1',
      'Patient/p2',
      'Patient/p1,Patient/p2',
      'p2',
      'Patient/p2/_history/1',
      '#p2',
      'urn:uuid:6f2d1d3c-0000-4000-8000-000000000002',
      'Patient?_id=p2',
    ),
  },
)
const names = fc.constantFrom(
  ...(
    'patient subject patient:Patient subject:Patient _id performer code _include _revinclude _elements' +
    ' _summary pat%69ent _has:Observation:x subject.name patient:not encounter _filter _count page'
  ).split(' '),
)
const values = fc.oneof(
  references,
  fc.constantFrom('p1', 'o2', 'true', 'count', 'id', '9', 'Observation:performer', '*'),
)
const queries = fc.oneof(
  fc.constant(''),
  fc
    .array(fc.tuple(names, values), { minLength: 1, maxLength: 3 })
    .map((pairs) => pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')),
)
const joined = (...parts: fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((list) => list.join('/'))
/** Records that there are, most of the time. */
const places = fc.oneof(
  fc.constantFrom(
    ...'Patient/p1 Patient/p2 Observation/o1 Observation/o2 DocumentReference/d1 DocumentReference/d2'.split(
      ' ',
    ),
  ),
  joined(types, ids),
)
const paths = fc.oneof(
  types,
  places,
  joined(places, fc.constantFrom('_history', '_history/1', 'Observation', '_search')),
  joined(places, operations),
  joined(types, operations),
  joined(types, fc.constantFrom('_search', '_history')),
  operations,
)
const targets = fc
  .tuple(paths, queries)
  .map(([path, query]) => (query === '' ? path : `${path}?${query}`))
const resources = fc
  .record({
    resourceType: types,
    id: fc.option(ids, { nil: undefined }),
    subject: fc.record({ reference: references }),
    performer: fc.option(fc.array(fc.record({ reference: references }), { maxLength: 1 }), {
      nil: undefined,
    }),
    content: fc.option(
      fc.array(
        fc.record({
          attachment: fc.record({
            contentType: fc.constant('application/pdf'),
            url: fc.constantFrom('Binary/b1', 'Binary/b2', '/Binary/b2', 'Binary/b2#x'),
          }),
        }),
        { maxLength: 1 },
      ),
      { nil: undefined },
    ),
  })
  .map((resource) => JSON.parse(JSON.stringify(resource)) as object)
const patches = fc.array(
  fc.record({
    op: fc.constantFrom('add', 'replace', 'remove', 'test', 'copy', 'move'),
    path: fc.constantFrom(
      '/subject',
      '/subject/reference',
      '/id',
      '/performer',
      '/content/0/attachment/url',
      '/status',
    ),
    from: fc.constantFrom('/subject', '/id', '/valueString'),
    value: fc.oneof(
      references,
      fc.record({ reference: references }),
      fc.constantFrom('p2', 'Binary/b2'),
    ),
  }),
  { minLength: 1, maxLength: 3 },
)
const parameters = fc
  .array(
    fc.record({
      name: fc.constantFrom('patient', 'subject', 'code', 'note', 'max'),
      value: references,
    }),
    { maxLength: 2 },
  )
  .map((list) => ({
    resourceType: 'Parameters',
    parameter: list.map(({ name, value }) => ({ name, valueString: value })),
  }))
interface Attack {
  readonly method: string
  readonly target: string
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

const json = { 'content-type': 'application/fhir+json' }
const patch = { 'content-type': 'application/json-patch+json' }
const form = { 'content-type': 'application/x-www-form-urlencoded' }
const attacks = <Method extends string>(
  method: fc.Arbitrary<Method>,
  parts: fc.Arbitrary<Omit<Attack, 'method'>>,
): fc.Arbitrary<Attack> => fc.tuple(method, parts).map(([name, one]) => ({ method: name, ...one }))
const versions = fc.constantFrom<Record<string, string>[]>(
  { 'if-match': 'W/"1"' },
  { 'if-match': '*' },
  {},
)
const creates: fc.Arbitrary<Attack> = fc
  .tuple(
    resources,
    fc.constantFrom<Record<string, string>[]>(
      {},
      { 'if-none-exist': '_id=o2' },
      { 'if-none-exist': 'subject=Patient/p2' },
      { 'idempotency-key': 'k1' },
    ),
  )
  .map(([body, headers]) => ({
    method: 'POST',
    target: Reflect.get(body, 'resourceType') as string,
    body,
    headers: { ...json, ...headers },
  }))
/** Of the record that the URL names, or of another one. */
const updates: fc.Arbitrary<Attack> = fc
  .tuple(resources, types, ids, versions, fc.boolean())
  .map(([body, type, id, version, fits]) => {
    const target = fits ? `${String(Reflect.get(body, 'resourceType'))}/${id}` : `${type}/${id}`
    const sent = fits ? { ...body, id } : body
    return { method: 'PUT', target, body: sent, headers: { ...json, ...version } }
  })
const changes: fc.Arbitrary<Attack> = fc
  .tuple(fc.constantFrom('PATCH', 'DELETE'), types, ids, patches, versions)
  .map(([method, type, id, body, version]) => ({
    method,
    target: `${type}/${id}`,
    ...(method === 'PATCH' ? { body, headers: { ...patch, ...version } } : { headers: version }),
  }))
const single: fc.Arbitrary<Attack> = fc.oneof(
  attacks(fc.constantFrom('GET'), fc.record({ target: targets })),
  creates,
  updates,
  changes,
)
/** What is asked by itself is asked in a bundle too. */
const entries = single.map(({ method, target, body, headers = {} }) => ({
  request: {
    method,
    url: target,
    ...(headers['if-match'] === undefined ? {} : { ifMatch: headers['if-match'] }),
    ...(headers['if-none-exist'] === undefined ? {} : { ifNoneExist: headers['if-none-exist'] }),
  },
  ...(body === undefined ? {} : { resource: method === 'PATCH' ? enveloped(body) : body }),
}))
const bundles: fc.Arbitrary<Attack> = fc
  .tuple(fc.constantFrom('batch', 'transaction'), fc.array(entries, { minLength: 1, maxLength: 2 }))
  .map(([type, entry]) => ({
    method: 'POST',
    target: '',
    body: { resourceType: 'Bundle', type, entry },
    headers: json,
  }))
const anything: fc.Arbitrary<Attack> = fc.oneof(
  { weight: 3, arbitrary: single },
  { weight: 2, arbitrary: bundles },
  {
    weight: 1,
    arbitrary: attacks(
      fc.constant('POST'),
      fc.record({ target: targets, body: parameters, headers: fc.constant(json) }),
    ),
  },
  {
    weight: 1,
    arbitrary: attacks(
      fc.constant('POST'),
      fc.record({ target: targets, body: queries, headers: fc.constant(form) }),
    ),
  },
  {
    weight: 1,
    arbitrary: attacks(
      fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'),
      fc.record({ target: targets, body: resources, headers: fc.constantFrom(json, patch, form) }),
    ),
  },
)

function enveloped(operations: unknown): object {
  const data = Buffer.from(JSON.stringify(operations)).toString('base64')
  return { resourceType: 'Binary', contentType: 'application/json-patch+json', data }
}

function optionsOf({ method, body, headers = {} }: Attack): AskOptions {
  if (body === undefined || method === 'GET' || method === 'HEAD') return { method, headers }
  return { method, headers, body: typeof body === 'string' ? body : JSON.stringify(body) }
}

t.test('3,000 attacks on the other patient', async (t) => {
  const world: World = await createWorld({
    mode: { allow },
    granted: 'patient/*.cruds user/*.cruds',
    perMinute: 1_000_000,
  })
  t.teardown(() => world.close())
  const ehr = new Obliging()
  world.ehr.answer = (incoming, outgoing, body) => ehr.answer(incoming, outgoing, body)
  const untouched = ehr.others()
  const links: string[] = []
  const seen = new Map<number, number>()

  /** `link`: instead, the how manieth of the links that earlier answers gave. */
  const attack = async (one: Attack, filters: boolean, link: number | undefined): Promise<void> => {
    ehr.filters = filters
    const given = link === undefined ? undefined : links.at(-1 - link)
    const path = given ?? `/fhir/${launchId}/${one.target}`
    const { status, text } = await world.fetch(path, given === undefined ? optionsOf(one) : {})
    seen.set(status, (seen.get(status) ?? 0) + 1)
    for (const [, link = ''] of text.matchAll(/"http:\/\/localhost:3000(\/fhir\/[^"]+)"/g)) {
      links.push(link)
    }
    if (text.includes(secret)) throw new Error('something of the other patient came out')
    if (ehr.others() !== untouched) throw new Error('something of the other patient was changed')
    if (world.faults.length > 0) throw world.faults[0]
    // Whatever was written is written: the next attack meets it.
    if (ehr.store.size > 40) ehr.store = records()
    world.ehr.seen.length = 0
  }
  const later = fc.oneof(
    { weight: 5, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.nat(20) },
  )
  await fc.assert(fc.asyncProperty(anything, fc.boolean(), later, attack), { numRuns: 3000 })
  t.ok((seen.get(200) ?? 0) > 100, 'the EHR was asked, and answered')
  t.ok((seen.get(201) ?? 0) > 0, 'and wrote')
  t.comment(Object.fromEntries(seen))
})
