import t from 'tap'
import { createWorld, launchId, respondWith } from './helper.ts'
import type { Answer, World, WorldOptions } from './helper.ts'

/** Writes inside a batch or transaction: each has all the care of a write of its own (fhir-access-and-audit.md 1.12, row 22). */

const at = (path: string): string => `/fhir/${launchId}/${path}`
const every = ['read', 'vread', 'create', 'update', 'patch', 'delete', 'search-type']
const allow = [
  { feature: 'Notes', resource: 'Observation', interactions: every, search: ['identifier'] },
  { feature: 'Proofs', resource: 'Provenance', interactions: ['create'] },
  { feature: 'Visits', resource: 'Encounter', interactions: ['read'] },
  { feature: 'Patient', resource: 'Patient', interactions: ['read', 'update'] },
  { feature: 'Old', resource: 'Condition', interactions: ['update'], unversioned: true },
  { feature: 'Own id', resource: 'Goal', interactions: ['update'], upsert: true },
  { feature: 'Checked', resource: 'CarePlan', interactions: ['create'], validate: true },
  { feature: 'Confirmed', resource: 'Flag', interactions: ['create'], confirm: true },
  { feature: 'Bundles', bundle: ['batch', 'transaction'] },
]
const urn = 'urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a'
const other = 'urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059'

const about = (id: string | undefined, patient = 'p1', more: object = {}): object => ({
  resourceType: 'Observation',
  ...(id === undefined ? {} : { id, meta: { versionId: '3' } }),
  status: 'final',
  subject: { reference: `Patient/${patient}` },
  ...more,
})
const post = (resource: object, more: object = {}, fullUrl?: string): object => ({
  ...(fullUrl === undefined ? {} : { fullUrl }),
  resource,
  request: {
    method: 'POST',
    url: (resource as { resourceType: string }).resourceType,
    ...more,
  },
})
const put = (resource: object, ifMatch?: string): object => {
  const { resourceType, id } = resource as { resourceType: string; id: string }
  const version = ifMatch === undefined ? {} : { ifMatch }
  return { resource, request: { method: 'PUT', url: `${resourceType}/${id}`, ...version } }
}
const remove = (url: string, ifMatch?: string): object => ({
  request: { method: 'DELETE', url, ...(ifMatch === undefined ? {} : { ifMatch }) },
})
const patch = (url: string, operations: unknown, ifMatch?: string): object => ({
  resource: {
    resourceType: 'Binary',
    contentType: 'application/json-patch+json',
    data: Buffer.from(JSON.stringify(operations)).toString('base64'),
  },
  request: { method: 'PATCH', url, ...(ifMatch === undefined ? {} : { ifMatch }) },
})
const get = (url: string): object => ({ request: { method: 'GET', url } })
const amend = [{ op: 'replace', path: '/status', value: 'amended' }]

async function open(
  t: { teardown(end: () => Promise<void>): void },
  options: WorldOptions = {},
): Promise<World> {
  const world = await createWorld({ mode: { allow }, ...options })
  t.teardown(() => world.close())
  return world
}

const headers = { 'content-type': 'application/fhir+json' }

function send(
  world: World,
  entry: readonly unknown[],
  type = 'transaction',
  more: Record<string, string> = {},
): Promise<Answer> {
  const body = JSON.stringify({ resourceType: 'Bundle', type, entry })
  return world.fetch(at(''), { method: 'POST', headers: { ...headers, ...more }, body })
}

/** Records stand as given; a bundle is answered as given. */
function ehr(
  world: World,
  bundle: unknown,
  stored: Record<string, object> = {},
  status = 200,
): void {
  world.ehr.answer = (incoming, outgoing, body) => {
    const path = incoming.url?.slice('/fhir/r4'.length + 1) ?? ''
    if (incoming.method === 'POST' && path === '') {
      respondWith(bundle, status)(incoming, outgoing, body)
      return
    }
    const record = stored[path]
    if (record === undefined)
      respondWith({ resourceType: 'OperationOutcome' }, 404)(incoming, outgoing, body)
    else respondWith(record, 200, { etag: 'W/"3"' })(incoming, outgoing, body)
  }
}
const answers = (type: string, ...entry: unknown[]): object => ({
  resourceType: 'Bundle',
  type: `${type}-response`,
  entry,
})
const sentBundle = (world: World): { entry: Record<string, never>[] } =>
  JSON.parse(world.ehr.seen.findLast(({ method }) => method === 'POST')?.body ?? '{}')
const events = (world: World): string[] => world.audited.map(({ event }) => event)
const bundles = (world: World): number =>
  world.ehr.seen.filter(({ method, url }) => method === 'POST' && url === '/fhir/r4').length

t.test(
  'a transaction of every kind: read first, judged, intended, sent, judged, recorded',
  async (t) => {
    const world = await open(t)
    const { base } = world.ehr
    const stored = {
      'Observation/o1': about('o1'),
      'Observation/o2': about('o2'),
      'Observation/o3': about('o3'),
    }
    const created = (id: string, more: object = {}): object => ({
      ...about(id, 'p1', more),
      meta: { versionId: '1' },
    })
    ehr(
      world,
      answers(
        'transaction',
        {
          resource: created('n1'),
          response: {
            status: '201 Created',
            location: `${base}/Observation/n1/_history/1`,
            etag: 'W/"1"',
            lastModified: '2026-01-01T00:00:00Z',
          },
        },
        { response: { status: '201', location: 'Observation/n2/_history/1', etag: 'bad' } },
        {
          resource: about('o1'),
          response: {
            status: '200',
            etag: 'W/"4"',
            location: 'https://evil.example/Observation/o1',
          },
        },
        {
          response: {
            status: '200',
            outcome: {
              resourceType: 'OperationOutcome',
              issue: [{ severity: 'information', code: 'informational', diagnostics: 'secret' }],
            },
          },
        },
        { response: { status: '204' } },
        { resource: about('o9'), response: { status: '200' } },
      ),
      stored,
    )
    const answer = await send(world, [
      post(about(undefined), { ifNoneExist: 'identifier=http://x|1' }, urn),
      post(about(undefined, 'p1', { derivedFrom: [{ reference: urn }] })),
      put(
        about('o1', 'p1', {
          hasMember: [{ reference: `http://localhost:3000${at('Observation/o7')}` }],
        }),
        'W/"3"',
      ),
      patch('Observation/o2', amend, 'W/"3"'),
      remove('Observation/o3', '"3"'),
      get('Observation/o9'),
    ])
    t.equal(answer.status, 200)
    t.notMatch(answer.text, /secret|evil/)
    t.notMatch(answer.text, base)
    const [first, second, third, fourth, fifth, sixth] = answer.json().entry
    const ours = `http://localhost:3000${at('')}`
    t.match(first, {
      resource: { id: 'n1' },
      response: {
        status: '201',
        etag: 'W/"1"',
        location: `${ours}Observation/n1/_history/1`,
        lastModified: '2026-01-01T00:00:00Z',
      },
    })
    t.strictSame(second, {
      response: { status: '201', location: `${ours}Observation/n2/_history/1` },
    })
    t.strictSame(
      third.response,
      { status: '200', etag: 'W/"4"' },
      'a location elsewhere is left out',
    )
    t.equal(fourth.response.outcome.issue[0].code, 'informational')
    t.strictSame(fifth, { response: { status: '204' } })
    t.equal(sixth.resource.id, 'o9')

    const { entry } = sentBundle(world)
    t.match(entry[0], {
      fullUrl: urn,
      request: {
        method: 'POST',
        url: 'Observation',
        ifNoneExist: 'patient=p1&identifier=http://x%7C1',
      },
    })
    t.match(entry[1], { resource: { derivedFrom: [{ reference: urn }] } })
    t.match(entry[2], {
      request: { method: 'PUT', url: 'Observation/o1', ifMatch: 'W/"3"' },
      resource: { hasMember: [{ reference: `${base}/Observation/o7` }] },
    })
    t.match(entry[3], {
      request: { method: 'PATCH', url: 'Observation/o2', ifMatch: 'W/"3"' },
      resource: {
        resourceType: 'Binary',
        data: Buffer.from(JSON.stringify(amend)).toString('base64'),
      },
    })
    t.strictSame(entry[4], {
      request: { method: 'DELETE', url: 'Observation/o3', ifMatch: 'W/"3"' },
    })
    t.equal(world.ehr.seen.at(-1)?.headers['prefer'], 'return=representation')
    t.strictSame(
      world.ehr.seen.map(({ method, url }) => `${method} ${url?.slice(8)}`),
      ['GET /Observation/o1', 'GET /Observation/o2', 'GET /Observation/o3', 'POST '],
    )
    t.strictSame(events(world), [
      ...Array.from({ length: 5 }, () => 'fhir.intended'),
      ...Array.from({ length: 5 }, () => 'fhir.written'),
      'fhir.access',
      'fhir.written',
    ])
    t.match(world.audited[2], {
      interaction: 'update',
      resource: 'Observation',
      version: '3',
      rule: 'Notes',
      resourceId: 'o1',
    })
    t.match(world.audited[5], {
      interaction: 'create',
      status: 201,
      version: '1',
      resourceId: 'n1',
    })
    t.match(world.audited.at(-1), { interaction: 'transaction', rule: 'Bundles' })
  },
)

t.test('one refused entry refuses the whole, and nothing is sent', async (t) => {
  const world = await open(t)
  const stored = {
    'Observation/o1': about('o1'),
    'Observation/f1': about('f1', 'p2'),
    'Condition/c1': { ...about('c1'), resourceType: 'Condition' },
    'Patient/p1': { resourceType: 'Patient', id: 'p1', meta: { versionId: '3' } },
  }
  ehr(world, answers('transaction'), stored)
  const good = post(about(undefined))
  const rows: [string, unknown, number, string?][] = [
    ['a body about another patient', post(about(undefined, 'p2')), 403],
    ['a record of another patient', put(about('f1'), 'W/"3"'), 404],
    ['its patch', patch('Observation/f1', amend, 'W/"3"'), 404],
    ['its deletion', remove('Observation/f1', 'W/"3"'), 404],
    ['no version', put(about('o1')), 428],
    ['any version', put(about('o1'), '*'), 428],
    ['versions', remove('Observation/o1', '"3", "4"'), 428],
    ['an old version', put(about('o1'), 'W/"2"'), 412],
    ['a record that is not there', put(about('o8'), 'W/"3"'), 404],
    [
      'a moved subject',
      patch(
        'Observation/o1',
        [{ op: 'replace', path: '/subject/reference', value: 'Patient/p2' }],
        'W/"3"',
      ),
      422,
    ],
    [
      'a hidden patient',
      post(about(undefined, 'p1', { performer: [{ reference: 'Patient/p2' }] })),
      403,
    ],
    [
      'a subject of the same bundle',
      post({ ...about(undefined), subject: { reference: urn } }, {}, urn),
      403,
    ],
    ['an unknown urn', post(about(undefined, 'p1', { derivedFrom: [{ reference: other }] })), 403],
    [
      'a conditional reference',
      post(about(undefined, 'p1', { derivedFrom: [{ reference: 'Observation?code=1' }] })),
      403,
    ],
    [
      'another type than the URL',
      post({ ...about(undefined), resourceType: 'Condition' }, { url: 'Observation' }),
      400,
    ],
    [
      'a conditional update',
      { resource: about('o1'), request: { method: 'PUT', url: 'Observation?identifier=1' } },
      403,
    ],
    ['a conditional patch', patch('Observation?identifier=1', amend), 403],
    ['a conditional deletion', remove('Observation?identifier=1'), 403],
    ['a parameter', remove('Observation/o1?_cascade=delete', 'W/"3"'), 403],
    [
      'a Provenance, which has no subject',
      post({ resourceType: 'Provenance', target: [{ reference: 'Patient/p1' }] }),
      403,
    ],
    ['no rule', post({ ...about(undefined), resourceType: 'Procedure' }), 403],
    ['no rule for the interaction', remove('Encounter/e1', 'W/"3"'), 403],
    ['a condition about another', post(about(undefined), { ifNoneExist: 'patient=p2' }), 403],
    ['a condition without a rule', post(about(undefined), { ifNoneExist: 'code=1' }), 403],
    ['an empty condition', post(about(undefined), { ifNoneExist: '' }), 400],
    [
      'a search by POST',
      {
        resource: { resourceType: 'Parameters' },
        request: { method: 'POST', url: 'Observation/_search' },
      },
      403,
    ],
    [
      'an operation by POST',
      {
        resource: { resourceType: 'Parameters' },
        request: { method: 'POST', url: 'Patient/p1/$everything' },
      },
      403,
    ],
    [
      'a bundle',
      {
        resource: { resourceType: 'Bundle', type: 'batch', entry: [] },
        request: { method: 'POST', url: '' },
      },
      403,
    ],
    ['a Bundle resource', post({ resourceType: 'Bundle', type: 'collection' }), 403],
    [
      'a patch that is no Binary',
      {
        resource: { resourceType: 'Parameters' },
        request: { method: 'PATCH', url: 'Observation/o1', ifMatch: 'W/"3"' },
      },
      400,
    ],
    [
      'a patch of bad base64',
      {
        resource: {
          resourceType: 'Binary',
          contentType: 'application/json-patch+json',
          data: 'W3sib3A*',
        },
        request: { method: 'PATCH', url: 'Observation/o1', ifMatch: 'W/"3"' },
      },
      400,
    ],
    [
      'an XML patch',
      {
        resource: {
          resourceType: 'Binary',
          contentType: 'application/xml-patch+xml',
          data: 'PGE+',
        },
        request: { method: 'PATCH', url: 'Observation/o1', ifMatch: 'W/"3"' },
      },
      400,
    ],
    ['no body', { request: { method: 'POST', url: 'Observation' } }, 400],
    ['a body to a read', { ...get('Observation/o1'), resource: about('o1') }, 400],
    ['a body to a deletion', { ...remove('Observation/o1', 'W/"3"'), resource: about('o1') }, 400],
    ['an If-Match to a create', post(about(undefined), { ifMatch: 'W/"3"' }), 400],
    [
      'an If-None-Exist to an update',
      {
        resource: about('o1'),
        request: {
          method: 'PUT',
          url: 'Observation/o1',
          ifMatch: 'W/"3"',
          ifNoneExist: 'identifier=1',
        },
      },
      400,
    ],
    [
      'an If-Match that is no text',
      {
        resource: about('o1'),
        request: { method: 'PUT', url: 'Observation/o1', ifMatch: ['W/"3"'] },
      },
      400,
    ],
    [
      'a lower-case method',
      {
        resource: about('o1'),
        request: { method: 'put', url: 'Observation/o1', ifMatch: 'W/"3"' },
      },
      403,
    ],
    [
      'an absolute URL',
      {
        resource: about(undefined),
        request: { method: 'POST', url: `${world.ehr.base}/Observation` },
      },
      400,
    ],
    ['a handle', remove('_page/0123456789abcdef', 'W/"3"'), 400],
    ['another Patient', put({ resourceType: 'Patient', id: 'p2' }, 'W/"3"'), 404],
  ]
  for (const [name, entry, status] of rows) {
    t.equal((await send(world, [good, entry])).status, status, name)
    t.notMatch(events(world).join(' '), 'intended', name)
  }
  const twice = [put(about('o1'), 'W/"3"'), remove('Observation/o1', 'W/"3"')]
  t.equal((await send(world, twice)).status, 400, 'one record, two writes')
  t.equal(
    (await send(world, [post(about(undefined), {}, urn), post(about(undefined), {}, urn)])).status,
    400,
    'one name, two records',
  )
  t.equal(
    (
      await send(
        world,
        Array.from({ length: 21 }, () => good),
      )
    ).status,
    400,
    'too many writes',
  )
  t.equal(
    (await send(world, [good], 'transaction', { 'idempotency-key': 'k' })).status,
    403,
    'a key is not kept for bundles',
  )
  const refers = [
    post(about(undefined), {}, urn),
    post(about(undefined, 'p1', { derivedFrom: [{ reference: urn }] })),
  ]
  t.equal(
    (await send(world, refers, 'batch')).status,
    403,
    'entries of a batch do not refer to each other',
  )
  t.equal(bundles(world), 0)
  t.notMatch(events(world).join(' '), /intended|written/)

  const link = [{ op: 'add', path: '/derivedFrom', value: [{ reference: urn }] }]
  const patched = [post(about(undefined), {}, urn), patch('Observation/o1', link, 'W/"3"')]
  t.equal((await send(world, patched)).status, 403, 'nobody resolves a urn in a patch')
  t.equal(bundles(world), 0)

  const reader = await open(t, { granted: 'patient/*.rs' })
  ehr(reader, answers('transaction'), stored)
  t.equal((await send(reader, [good])).status, 403, 'no scope')
  t.equal(reader.audited.at(-1)?.reason, 'FHIR_SCOPE_INSUFFICIENT')
  const mute = await open(t)
  ehr(mute, answers('transaction', { response: { status: '201' } }), stored)
  mute.auditFails = true
  t.equal((await send(mute, [good])).status, 503, 'no record, no write')
  t.equal(bundles(mute), 0)
})

t.test('rules with unversioned, upsert, validate and confirm', async (t) => {
  const world = await open(t)
  const plan = { ...about(undefined), resourceType: 'CarePlan' }
  const condition = { resourceType: 'Condition', id: 'c1', subject: { reference: 'Patient/p1' } }
  let valid = false
  world.ehr.answer = (incoming, outgoing, body) => {
    const path = incoming.url ?? ''
    const severity = valid ? 'information' : 'error'
    const outcome = { resourceType: 'OperationOutcome', issue: [{ severity, code: 'required' }] }
    if (path.endsWith('$validate')) respondWith(outcome)(incoming, outgoing, body)
    else if (path.endsWith('Condition/c1')) respondWith(condition)(incoming, outgoing, body)
    else if (incoming.method === 'GET') respondWith(outcome, 404)(incoming, outgoing, body)
    else {
      const count = JSON.parse(body).entry.length as number
      const done = Array.from({ length: count }, () => ({ response: { status: '200' } }))
      respondWith(answers('transaction', ...done))(incoming, outgoing, body)
    }
  }
  const goal = { ...about('g1'), resourceType: 'Goal' }
  t.equal((await send(world, [put(condition), put(goal)])).status, 200)
  t.notMatch(JSON.stringify(sentBundle(world)), 'ifMatch')
  t.strictSame(
    sentBundle(world).entry.map(({ request }) => request),
    [
      { method: 'PUT', url: 'Condition/c1' },
      { method: 'PUT', url: 'Goal/g1', ifNoneMatch: '*' },
    ],
    'what is not there yet must still not be there',
  )
  t.equal((await send(world, [put(goal, 'W/"3"')])).status, 412, 'a version of what is not there')
  t.equal(bundles(world), 1)
  t.equal((await send(world, [post(plan)])).status, 422)
  t.equal(bundles(world), 1)
  valid = true
  t.equal((await send(world, [post(plan)])).status, 200)
  t.equal(bundles(world), 2)
  const flag = post({ ...about(undefined), resourceType: 'Flag' })
  t.equal((await send(world, [flag, flag])).status, 428, 'nobody confirmed')
  t.equal(bundles(world), 2)
  const { store, links } = world.deps
  const key = (await import('../../src/vault/names.ts')).hashSession
  const { sessionId } = await import('./helper.ts')
  await store.putConfirmation(
    { session: key(sessionId), launch: launchId },
    links.seal('confirm', launchId, 'p1'),
    60_000,
  )
  t.equal((await send(world, [flag, flag])).status, 200, 'one act, one confirmation')
  t.equal((await send(world, [flag])).status, 428, 'which is spent')
})

t.test('what the EHR says to a transaction: refused, in conflict, or nobody knows', async (t) => {
  const world = await open(t)
  const good = [post(about(undefined)), put(about('o1'), 'W/"3"')]
  const stored = { 'Observation/o1': about('o1') }
  const rows: [number, number, string, string][] = [
    [409, 409, 'write_conflict', 'fhir.refused'],
    [412, 412, 'write_conflict', 'fhir.refused'],
    [423, 409, 'write_conflict', 'fhir.refused'],
    [400, 400, 'not_permitted', 'fhir.refused'],
    [422, 422, 'not_permitted', 'fhir.refused'],
    [404, 404, 'not_permitted', 'fhir.refused'],
    [429, 429, 'data_unavailable', 'fhir.failed'],
    [500, 502, 'write_uncertain', 'fhir.uncertain'],
    [503, 502, 'write_uncertain', 'fhir.uncertain'],
    [504, 504, 'write_uncertain', 'fhir.uncertain'],
    [302, 502, 'write_uncertain', 'fhir.uncertain'],
    [202, 502, 'write_uncertain', 'fhir.uncertain'],
  ]
  for (const [told, status, state, event] of rows) {
    world.audited.length = 0
    ehr(world, { resourceType: 'OperationOutcome' }, stored, told)
    const answer = await send(world, good)
    t.equal(answer.status, status, String(told))
    t.equal(answer.headers['smart-bff-state'], state)
    const ends = [event, event, event]
    t.strictSame(
      events(world),
      ['fhir.intended', 'fhir.intended', ...ends],
      'each intent has its end',
    )
  }
  const ok = { response: { status: '200' } }
  const unclear: [string, unknown][] = [
    ['no answers', answers('transaction')],
    ['fewer', answers('transaction', ok)],
    ['more', answers('transaction', ok, ok, ok)],
    ['of a batch', answers('batch', ok, ok)],
    ['one failed, which cannot be', answers('transaction', ok, { response: { status: '412' } })],
    ['one unknown', answers('transaction', ok, { response: { status: '500' } })],
    ['no status', answers('transaction', ok, { response: {} })],
    ['an odd status', answers('transaction', ok, { response: { status: '2000' } })],
    ['another patient', answers('transaction', { ...ok, resource: about('n1', 'p2') }, ok)],
    ['another record', answers('transaction', ok, { ...ok, resource: about('o2') })],
    [
      'another type',
      answers('transaction', { ...ok, resource: { resourceType: 'Encounter', id: 'e1' } }, ok),
    ],
    ['no JSON', '{'],
  ]
  for (const [name, bundle] of unclear) {
    world.audited.length = 0
    ehr(world, bundle, stored)
    const answer = await send(world, good)
    t.equal(answer.status, 502, name)
    t.equal(answer.headers['smart-bff-state'], 'write_uncertain', name)
    t.notMatch(answer.text, /p2|"o2"/)
    t.strictSame(
      events(world).slice(2),
      ['fhir.uncertain', 'fhir.uncertain', 'fhir.uncertain'],
      name,
    )
  }
  t.ok(world.findings.some(({ reason }) => reason === 'wrong_patient'))
  world.audited.length = 0
  world.ehr.answer = (incoming, outgoing) => {
    if (incoming.method === 'POST') incoming.socket.destroy()
    else respondWith(about('o1'), 200, { etag: 'W/"3"' })(incoming, outgoing, '')
  }
  t.equal((await send(world, good)).headers['smart-bff-state'], 'write_uncertain', 'lost')
  t.equal(bundles(world), rows.length + unclear.length + 1, 'never sent twice')
})

t.test('a batch: each entry stands for itself', async (t) => {
  const world = await open(t)
  ehr(
    world,
    answers(
      'batch',
      { response: { status: '201', location: 'Observation/n1' } },
      { response: { status: '409', outcome: { text: 'secret' } } },
      { response: { status: '500' } },
      {
        response: {
          status: '422',
          outcome: {
            resourceType: 'OperationOutcome',
            issue: [{ severity: 'error', code: 'required', diagnostics: 'secret' }],
          },
        },
      },
      { response: { status: '404' } },
    ),
    { 'Observation/o1': about('o1') },
  )
  const answer = await send(
    world,
    [
      post(about(undefined)),
      put(about('o1'), 'W/"3"'),
      post(about(undefined)),
      post(about(undefined)),
      get('Observation/o5'),
    ],
    'batch',
  )
  t.equal(answer.status, 200)
  t.notMatch(answer.text, 'secret')
  t.strictSame(
    answer.json().entry.map((one: { response: { status: string } }) => one.response.status),
    ['201', '409', '502', '422', '404'],
  )
  t.match(answer.json().entry[2].response.outcome.issue[0].details.text, 'may have been saved')
  t.equal(answer.json().entry[3].response.outcome.issue[1].code, 'required')
  t.strictSame(events(world).slice(4), [
    'fhir.written',
    'fhir.refused',
    'fhir.uncertain',
    'fhir.refused',
    'fhir.refused',
    'fhir.written',
  ])
})

t.test('an old version is shown only when the record is still about this patient', async (t) => {
  const world = await open(t)
  const entry = [get('Observation/o1/_history/2')]
  const version = {
    resource: { ...about('o1'), meta: { versionId: '2' } },
    response: { status: '200' },
  }
  ehr(world, answers('batch', version), { 'Observation/o1': about('o1', 'p2') })
  t.equal((await send(world, entry, 'batch')).status, 404)
  t.equal(bundles(world), 0)
  ehr(world, answers('batch', version), { 'Observation/o1': about('o1') })
  t.equal((await send(world, entry, 'batch')).status, 200)
})

t.test('a large bundle is taken apart, made and judged in the worker', async (t) => {
  const world = await open(t)
  const text = { div: 'x'.repeat(600_000) }
  const big = about(undefined, 'p1', { text })
  const back = {
    resource: { ...about('n1', 'p1', { text }) },
    response: { status: '201', etag: 'W/"1"' },
  }
  ehr(world, answers('transaction', back, back), {})
  const answer = await send(world, [post(big), post(big)])
  t.equal(answer.status, 200)
  t.equal(answer.json().entry[1].resource.text.div.length, 600_000)
  t.strictSame(events(world).slice(2), ['fhir.written', 'fhir.written', 'fhir.written'])
  t.equal(world.audited[2]?.version, '1')
  t.equal((await send(world, [post(big), post(about(undefined, 'p2', { text }))])).status, 403)
  const deep = '['.repeat(600_000) + ']'.repeat(600_000)
  const hostile = JSON.stringify({
    resourceType: 'Bundle',
    type: 'batch',
    entry: [post(about(undefined))],
  })
  const body = hostile.replace('"status"', `"x":${deep},"status"`)
  const refused = await world.fetch(at(''), { method: 'POST', headers, body })
  t.equal(refused.status, 400)
  t.equal(bundles(world), 1)
  t.strictSame(world.faults, [])
})
