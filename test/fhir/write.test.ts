import t from 'tap'
import { createWorld, launchId, respondWith } from './helper.ts'
import type { Answer, AskOptions, World, WorldOptions } from './helper.ts'

const at = (path: string): string => `/fhir/${launchId}/${path}`
const rules = [
  {
    feature: 'Notes',
    resource: 'Observation',
    interactions: ['read', 'create', 'update', 'patch', 'delete', 'search-type'],
    search: ['identifier'],
  },
  { feature: 'Plans', resource: 'CarePlan', interactions: ['update', 'delete'], upsert: true },
  { feature: 'Goals', resource: 'Goal', interactions: ['update'], unversioned: true },
  { feature: 'Checked', resource: 'Condition', interactions: ['create'], validate: true },
  { feature: 'Confirmed', resource: 'Procedure', interactions: ['create'], confirm: true },
  { feature: 'Me', resource: 'Patient', interactions: ['update', 'create'] },
]
const stored = {
  resourceType: 'Observation',
  id: 'o1',
  meta: { versionId: '3' },
  status: 'final',
  subject: { reference: 'Patient/p1' },
}

async function open(
  t: { teardown(end: () => Promise<void>): void },
  options: WorldOptions = {},
): Promise<World> {
  const world = await createWorld({ mode: { allow: rules }, ...options })
  t.teardown(() => world.close())
  return world
}

function ask(
  world: World,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const type = method === 'PATCH' ? 'application/json-patch+json' : 'application/fhir+json'
  const options: AskOptions = { method, headers: { 'content-type': type, ...headers } }
  return world.fetch(
    at(path),
    body === undefined
      ? { method, headers }
      : { ...options, body: typeof body === 'string' ? body : JSON.stringify(body) },
  )
}

/** Reads answer what is stored; writes answer as told. */
function ehrWith(
  world: World,
  record: object | undefined,
  write: object | undefined,
  status = 200,
  headers: Record<string, string> = {},
): void {
  world.ehr.answer = (incoming, outgoing, body) => {
    if (incoming.method === 'GET')
      return respondWith(record ?? {}, record === undefined ? 404 : 200, { etag: 'W/"3"' })(
        incoming,
        outgoing,
        body,
      )
    return respondWith(write ?? '', status, headers)(incoming, outgoing, body)
  }
}

const writes = (world: World): string[] =>
  world.ehr.seen
    .filter(({ method }) => method !== 'GET')
    .map(({ method, url }) => `${method} ${url}`)
const version = { 'if-match': 'W/"3"' }

t.test(
  'an update names its version, is judged against what is stored, and leaves two records',
  async (t) => {
    const world = await open(t)
    const next = { ...stored, status: 'amended' }
    ehrWith(world, stored, { ...next, meta: { versionId: '4' } }, 200, {
      etag: 'W/"4"',
      'content-location': `${world.ehr.base}/Observation/o1/_history/4`,
    })
    const answer = await ask(world, 'PUT', 'Observation/o1', next, version)
    t.equal(answer.status, 200)
    t.equal(answer.headers.etag, 'W/"4"')
    t.equal(
      answer.headers['content-location'],
      `http://localhost:3000/fhir/${launchId}/Observation/o1/_history/4`,
    )
    const sent = world.ehr.seen.at(-1)
    t.equal(sent?.method, 'PUT')
    t.equal(sent?.headers['if-match'], 'W/"3"')
    t.strictSame(JSON.parse(sent?.body ?? ''), next)
    t.strictSame(
      world.audited.map(({ event }) => event),
      ['fhir.intended', 'fhir.written'],
    )
    t.match(world.audited[1], {
      interaction: 'update',
      resource: 'Observation',
      version: '4',
      rule: 'Notes',
      patient: 'p1',
    })
  },
)

t.test('without a version, with another, or about somebody else, nothing is sent', async (t) => {
  const world = await open(t)
  ehrWith(world, stored, stored)
  const rows: [string, number, Record<string, string>, unknown][] = [
    ['no If-Match', 428, {}, stored],
    ['a star', 428, { 'if-match': '*' }, stored],
    ['a list', 428, { 'if-match': 'W/"3", W/"4"' }, stored],
    ['unquoted', 428, { 'if-match': '3' }, stored],
    ['an older version', 412, { 'if-match': 'W/"2"' }, stored],
    ['another patient', 403, version, { ...stored, subject: { reference: 'Patient/p2' } }],
    ['no subject', 403, version, { ...stored, subject: undefined }],
    [
      'an identifier as subject',
      403,
      version,
      { ...stored, subject: { identifier: { value: 'p1' } } },
    ],
    [
      'a conditional subject',
      403,
      version,
      { ...stored, subject: { reference: 'Patient?identifier=x' } },
    ],
    ['another performer', 403, version, { ...stored, performer: [{ reference: 'Patient/p2' }] }],
    [
      'a patient by identifier alone',
      403,
      version,
      { ...stored, performer: [{ type: 'Patient', identifier: { value: 'p2' } }] },
    ],
    ['an urn', 403, version, { ...stored, performer: [{ reference: 'urn:uuid:1' }] }],
    [
      'another patient in an extension',
      403,
      version,
      { ...stored, extension: [{ valueReference: { reference: 'https://x.example/Patient/p2' } }] },
    ],
    [
      'a contained patient',
      403,
      version,
      { ...stored, contained: [{ resourceType: 'Patient', id: 'p1' }] },
    ],
    ['another id', 400, version, { ...stored, id: 'o2' }],
    ['another type', 400, version, { ...stored, resourceType: 'Condition' }],
    ['no JSON', 400, version, '{"resourceType":'],
    ['a list', 400, version, [stored]],
  ]
  for (const [name, status, headers, body] of rows) {
    const answer = await ask(world, 'PUT', 'Observation/o1', body, headers)
    t.equal(answer.status, status, name)
    if (status === 412) t.equal(answer.headers['smart-bff-state'], 'write_conflict')
  }
  ehrWith(world, { ...stored, subject: { reference: 'Patient/p2' } }, stored)
  t.equal(
    (await ask(world, 'PUT', 'Observation/o1', stored, version)).status,
    404,
    'the stored record is of another patient',
  )
  t.equal((await ask(world, 'DELETE', 'Observation/o1', undefined, version)).status, 404)
  t.equal(
    (await ask(world, 'PATCH', 'Observation/o1', [{ op: 'add', path: '/x', value: 1 }], version))
      .status,
    404,
  )
  ehrWith(world, undefined, stored)
  t.equal(
    (await ask(world, 'PUT', 'Observation/o1', stored, version)).status,
    404,
    'no upsert without a rule',
  )
  ehrWith(world, stored, stored)
  for (const [method, path] of [
    ['PUT', 'Observation?code=x'],
    ['DELETE', 'Observation?code=x'],
    ['PATCH', 'Observation?code=x'],
    ['DELETE', 'Observation/o1?_cascade=delete'],
    ['DELETE', ''],
    ['PUT', 'Patient/p2'],
  ] as const) {
    const answer = await ask(world, method, path, method === 'DELETE' ? undefined : stored, version)
    t.ok([403, 404, 400].includes(answer.status), `${method} ${path} ${answer.status}`)
  }
  t.equal(
    (
      await ask(world, 'PUT', 'Observation/o1', stored, {
        ...version,
        'content-type': 'application/fhir+xml',
      })
    ).status,
    400,
  )
  t.strictSame(writes(world), [])
  t.notOk(world.audited.some(({ event }) => event === 'fhir.intended'))
})

t.test('a create is about the patient in context', async (t) => {
  const world = await open(t)
  const fresh = {
    resourceType: 'Observation',
    status: 'final',
    subject: { reference: 'Patient/p1' },
    derivedFrom: [{ reference: `http://localhost:3000/fhir/${launchId}/Observation/o7` }],
  }
  ehrWith(world, undefined, { ...fresh, id: 'o9' }, 201, {
    location: `${world.ehr.base}/Observation/o9/_history/1`,
    etag: 'W/"1"',
  })
  const answer = await ask(world, 'POST', 'Observation', fresh)
  t.equal(answer.status, 201)
  t.equal(
    answer.headers.location,
    `http://localhost:3000/fhir/${launchId}/Observation/o9/_history/1`,
  )
  t.equal(answer.json().id, 'o9')
  t.equal(
    JSON.parse(world.ehr.seen[0]?.body ?? '').derivedFrom[0].reference,
    `${world.ehr.base}/Observation/o7`,
    'our URLs go back as the EHR knows them',
  )
  ehrWith(world, undefined, undefined, 201, { location: 'https://evil.example/Observation/o9' })
  const bare = await ask(world, 'POST', 'Observation', fresh)
  t.equal(bare.status, 201)
  t.equal(bare.headers.location, undefined)
  world.ehr.seen.length = 0
  t.equal(
    (await ask(world, 'POST', 'Observation', { ...fresh, subject: { reference: 'Patient/p2' } }))
      .status,
    403,
  )
  t.equal((await ask(world, 'POST', 'Patient', { resourceType: 'Patient' })).status, 403)
  t.equal(
    (await ask(world, 'POST', 'Procedure', { resourceType: 'Procedure', subject: fresh.subject }))
      .status,
    428,
    'needs a confirmation',
  )
  t.equal(world.ehr.seen.length, 0)
  await ask(world, 'POST', 'Observation', fresh, { 'if-none-exist': 'identifier=http://x|1' })
  t.equal(
    world.ehr.seen.at(-1)?.headers['if-none-exist'],
    'patient=p1&identifier=http:%2F%2Fx%7C1'.replace('%2F%2F', '//'),
    'narrowed to the patient',
  )
  t.equal(
    (await ask(world, 'POST', 'Observation', fresh, { 'if-none-exist': 'patient=p2' })).status,
    403,
  )
  t.equal(
    (await ask(world, 'POST', 'Observation', fresh, { 'if-none-exist': 'code=x' })).status,
    403,
  )
})

t.test('a patch is applied to a copy, and the result judged', async (t) => {
  const world = await open(t)
  ehrWith(world, stored, stored)
  const rows: [string, unknown, number][] = [
    ['a value', [{ op: 'replace', path: '/status', value: 'amended' }], 200],
    ['a test that fails', [{ op: 'test', path: '/status', value: 'x' }], 422],
    ['the subject', [{ op: 'replace', path: '/subject/reference', value: 'Patient/p2' }], 422],
    [
      'the subject, copied over',
      [
        { op: 'add', path: '/x', value: { reference: 'Patient/p2' } },
        { op: 'move', from: '/x', path: '/subject' },
      ],
      422,
    ],
    ['the id', [{ op: 'replace', path: '/id', value: 'o2' }], 422],
    ['the type', [{ op: 'replace', path: '/resourceType', value: 'Condition' }], 422],
    ['contained', [{ op: 'add', path: '/contained', value: [] }], 422],
    [
      'another patient elsewhere',
      [{ op: 'add', path: '/performer', value: [{ reference: 'Patient/p2' }] }],
      403,
    ],
    ['the whole', [{ op: 'replace', path: '', value: {} }], 400],
    ['__proto__', [{ op: 'add', path: '/__proto__/x', value: 1 }], 400],
    ['no list', {}, 400],
    ['nothing', [], 400],
    ['an unknown op', [{ op: 'merge', path: '/x' }], 400],
    ['a missing path', [{ op: 'remove', path: '/nothing' }], 422],
  ]
  for (const [name, patch, status] of rows) {
    const answer = await ask(world, 'PATCH', 'Observation/o1', patch, version)
    t.equal(answer.status, status, name)
  }
  t.strictSame(writes(world), ['PATCH /fhir/r4/Observation/o1'])
  t.equal(
    world.ehr.seen.findLast(({ method }) => method === 'PATCH')?.headers['content-type'],
    'application/json-patch+json',
  )
})

t.test('rules: upsert, unversioned, validate', async (t) => {
  const world = await open(t)
  const plan = { resourceType: 'CarePlan', id: 'c1', subject: { reference: 'Patient/p1' } }
  ehrWith(world, undefined, plan, 201)
  t.equal((await ask(world, 'PUT', 'CarePlan/c1', plan)).status, 201, 'an upsert by rule')
  t.match(world.ehr.seen.at(-1), { method: 'PUT', headers: { 'if-none-match': '*' } })
  const goal = { resourceType: 'Goal', id: 'g1', subject: { reference: 'Patient/p1' } }
  world.ehr.answer = respondWith(goal)
  t.equal((await ask(world, 'PUT', 'Goal/g1', goal)).status, 200, 'an EHR without versions')
  const { meta: _, ...bare } = stored
  world.ehr.answer = respondWith(bare)
  t.equal(
    (await ask(world, 'PUT', 'Observation/o1', stored, version)).status,
    428,
    'without the rule it is refused',
  )
  const condition = { resourceType: 'Condition', subject: { reference: 'Patient/p1' } }
  const validation = (severity: string, code = 'invalid', before = 0): void => {
    world.ehr.answer = (incoming, outgoing) => {
      const check = incoming.url?.endsWith('$validate') === true
      const remark = { severity: 'information', code: 'informational' }
      const issue = { severity, code, diagnostics: 'secret' }
      const outcome = {
        resourceType: 'OperationOutcome',
        issue: [...Array.from({ length: before }, () => remark), issue],
      }
      respondWith(check ? outcome : { ...condition, id: 'x' }, check ? 200 : 201)(
        incoming,
        outgoing,
        '',
      )
    }
  }
  validation('error')
  world.ehr.seen.length = 0
  const invalid = await ask(world, 'POST', 'Condition', condition)
  t.equal(invalid.status, 422)
  t.notMatch(invalid.text, 'secret')
  t.strictSame(writes(world), ['POST /fhir/r4/Condition/$validate'])
  for (const [severity, code, before] of [
    ['error', 'a code of their own', 1],
    ['fatal', 'invalid', 60],
    ['grave', 'invalid', 1],
  ] as const) {
    validation(severity, code, before)
    t.equal((await ask(world, 'POST', 'Condition', condition)).status, 422, severity)
  }
  validation('information')
  t.equal((await ask(world, 'POST', 'Condition', condition)).status, 201)
})

t.test('conflicts of every vendor, and whatever is lost after sending', async (t) => {
  const world = await open(t, { tenant: { upstream: { timeoutMs: 300 } } })
  const rows: [number, number, string][] = [
    [409, 409, 'write_conflict'],
    [412, 412, 'write_conflict'],
    [423, 409, 'write_conflict'],
    [422, 422, 'not_permitted'],
    [403, 403, 'not_permitted'],
    [429, 429, 'data_unavailable'],
    [500, 502, 'write_uncertain'],
    [502, 502, 'write_uncertain'],
    [503, 502, 'write_uncertain'],
    [504, 504, 'write_uncertain'],
    [302, 502, 'write_uncertain'],
  ]
  for (const [upstream, status, state] of rows) {
    ehrWith(world, stored, {}, upstream)
    const answer = await ask(world, 'PUT', 'Observation/o1', stored, version)
    t.equal(answer.status, status, `${upstream}`)
    t.equal(answer.headers['smart-bff-state'], state, `${upstream}`)
  }
  ehrWith(world, stored, { ...stored, subject: { reference: 'Patient/p2' } })
  t.equal(
    (await ask(world, 'PUT', 'Observation/o1', stored, version)).headers['smart-bff-state'],
    'write_uncertain',
    'saved, but the answer is about somebody else',
  )
  const reads = respondWith(stored, 200, { etag: 'W/"3"' })
  world.ehr.answer = (incoming, outgoing) =>
    void (incoming.method === 'GET' ? reads(incoming, outgoing, '') : incoming.socket.destroy())
  const cut = await ask(world, 'PUT', 'Observation/o1', stored, version)
  t.equal(cut.status, 502)
  t.equal(cut.headers['smart-bff-state'], 'write_uncertain')
  t.match(cut.text, 'may have been saved')
  world.ehr.answer = (incoming, outgoing) =>
    void (incoming.method === 'GET' && reads(incoming, outgoing, ''))
  const late = await ask(world, 'PUT', 'Observation/o1', stored, version)
  t.equal(late.status, 504)
  t.equal(late.headers['smart-bff-state'], 'write_uncertain')
  t.equal(world.audited.at(-1)?.event, 'fhir.uncertain')

  ehrWith(world, stored, stored)
  world.auditFails = true
  world.ehr.seen.length = 0
  t.equal((await ask(world, 'PUT', 'Observation/o1', stored, version)).status, 503)
  t.strictSame(writes(world), [], 'no write without the record of its intent')
  const { audit } = world.deps
  Object.assign(audit, {
    record: async ({ event }: { event: string }) => {
      if (event !== 'fhir.intended') throw new Error('full')
    },
  })
  const unrecorded = await ask(world, 'PUT', 'Observation/o1', stored, version)
  t.equal(
    unrecorded.headers['smart-bff-state'],
    'write_uncertain',
    'sent, and then the record failed',
  )
})

t.test('a delete is of the version that was seen', async (t) => {
  const world = await open(t)
  ehrWith(world, stored, undefined, 204)
  t.equal((await ask(world, 'DELETE', 'Observation/o1', undefined)).status, 428)
  const answer = await ask(world, 'DELETE', 'Observation/o1', undefined, version)
  t.equal(answer.status, 204)
  t.equal(world.ehr.seen.at(-1)?.headers['if-match'], 'W/"3"')
  t.equal(
    (
      await ask(
        await open(t, { granted: 'patient/Observation.crus' }),
        'DELETE',
        'Observation/o1',
        undefined,
        version,
      )
    ).headers['smart-bff-state'],
    'scope_insufficient',
  )
})

t.test('what was read through us goes back as the EHR knows it', async (t) => {
  const allow = [
    {
      feature: 'Documents',
      resource: 'DocumentReference',
      interactions: ['read', 'update', 'patch'],
    },
  ]
  const world = await open(t, { mode: { allow } })
  const document = (url: string): object => ({
    resourceType: 'DocumentReference',
    id: 'd1',
    meta: { versionId: '3' },
    subject: { reference: `${world.ehr.base}/Patient/p1` },
    content: [{ attachment: { contentType: 'application/pdf', url } }],
  })
  const url = { relative: 'Binary/b1', absolute: `${world.ehr.base}/Binary/b1` }
  for (const [name, original] of Object.entries(url)) {
    ehrWith(world, document(original), document(original))
    const shown = (await world.fetch(at('DocumentReference/d1'))).json()
    const handle = shown.content[0].attachment.url
    t.match(handle, '/_binary/', name)
    t.equal((await ask(world, 'PUT', 'DocumentReference/d1', shown, version)).status, 200, name)
    t.strictSame(JSON.parse(world.ehr.seen.at(-1)?.body ?? ''), document(original), name)
    const patch = [{ op: 'replace', path: '/content/0/attachment/url', value: handle }]
    t.equal((await ask(world, 'PATCH', 'DocumentReference/d1', patch, version)).status, 200, name)
    t.equal(JSON.parse(world.ehr.seen.at(-1)?.body ?? '')[0].value, original, name)
  }
  const sent = writes(world).length
  for (const foreign of [
    `http://localhost:3000/fhir/${launchId}/_binary/${'x'.repeat(60)}`,
    `http://localhost:3000/fhir/${launchId}/_page/${'x'.repeat(60)}`,
    'http://localhost:3000/fhir/another-launch/Binary/b1',
  ]) {
    const answer = await ask(world, 'PUT', 'DocumentReference/d1', document(foreign), version)
    t.equal(answer.status, 400, 'a URL of ours that the EHR could never follow')
  }
  t.equal(writes(world).length, sent)
})

t.test('a write leads to no attachment that nobody has judged', async (t) => {
  const allow = [
    {
      feature: 'Documents',
      resource: 'DocumentReference',
      interactions: ['read', 'create', 'update', 'patch'],
    },
    { feature: 'Files', resource: 'Binary', interactions: ['read'] },
  ]
  const world = await open(t, { mode: { allow } })
  const document = (...urls: readonly string[]): object => ({
    resourceType: 'DocumentReference',
    id: 'd1',
    meta: { versionId: '3' },
    subject: { reference: 'Patient/p1' },
    content: urls.map((url) => ({ attachment: { contentType: 'application/pdf', url } })),
  })
  const own = 'Binary/b1'
  ehrWith(world, document(own), document(own))
  const { host } = new URL(world.ehr.base)
  for (const foreign of [
    'Binary/of-another',
    './Binary/of-another',
    '/fhir/r4/Binary/of-another',
    `${world.ehr.base}/Binary/of-another`,
    `${host}/fhir/r4/Binary/of-another`,
    `HTTP:${world.ehr.base.slice(5)}/Binary/of-another`,
    `http://localhost:3000/fhir/${launchId}/Binary/of-another`,
  ]) {
    for (const [method, path, body] of [
      ['POST', 'DocumentReference', document(foreign)],
      ['PUT', 'DocumentReference/d1', document(own, foreign)],
      [
        'PATCH',
        'DocumentReference/d1',
        [{ op: 'replace', path: '/content/0/attachment/url', value: foreign }],
      ],
      [
        'PATCH',
        'DocumentReference/d1',
        [
          { op: 'add', path: '/extension', value: [{ url: 'urn:x', valueUrl: foreign }] },
          { op: 'copy', from: '/extension/0/valueUrl', path: '/content/0/attachment/url' },
        ],
      ],
    ] as const) {
      const answer = await ask(world, method, path, body, method === 'POST' ? {} : version)
      t.equal(answer.status, 403, `${method} ${foreign}`)
    }
  }
  t.strictSame(writes(world), [])
  t.match(world.audited.at(-1), { event: 'fhir.refused', reason: 'no_subject' })
  for (const harmless of ['https://elsewhere.example/Binary/b9', 'urn:uuid:1', own]) {
    const answer = await ask(world, 'PUT', 'DocumentReference/d1', document(harmless), version)
    t.equal(answer.status, 200, harmless)
  }
})

t.test('what a patch makes keeps its decimals where the EHR is asked first', async (t) => {
  const allow = [
    { feature: 'Notes', resource: 'Observation', interactions: ['patch'], validate: true },
  ]
  const world = await open(t, { mode: { allow } })
  const text = JSON.stringify({ ...stored, valueQuantity: { value: 0 } }).replace(':0}', ':1.50}')
  world.ehr.answer = (incoming, outgoing, body) => {
    const check = incoming.url?.endsWith('$validate') === true
    const fine = {
      resourceType: 'OperationOutcome',
      issue: [{ severity: 'information', code: 'informational' }],
    }
    respondWith(check ? fine : text, 200, { etag: 'W/"3"' })(incoming, outgoing, body)
  }
  const patch = '[{"op":"add","path":"/component","value":[{"valueQuantity":{"value":2.0}}]}]'
  t.equal((await ask(world, 'PATCH', 'Observation/o1', patch, version)).status, 200)
  const asked = world.ehr.seen.find(({ url }) => url.endsWith('$validate'))?.body
  t.match(asked, '"valueQuantity":{"value":1.50}')
  t.match(asked, '"value":2.0}')
})

t.test('an update that creates never replaces what somebody else has created', async (t) => {
  const world = await open(t)
  const plan = { resourceType: 'CarePlan', id: 'c1', subject: { reference: 'Patient/p1' } }
  let created = false
  world.ehr.answer = (incoming, outgoing, body) => {
    const current = { ...plan, meta: { versionId: '3' } }
    if (incoming.method === 'GET') {
      return respondWith(created ? current : {}, created ? 200 : 404)(incoming, outgoing, body)
    }
    // It came into being between our read and our write (RFC 9110 13.1.2).
    const refused = incoming.headers['if-none-match'] === '*'
    created = true
    return respondWith(refused ? {} : plan, refused ? 412 : 200)(incoming, outgoing, body)
  }
  const late = await ask(world, 'PUT', 'CarePlan/c1', plan)
  t.equal(late.status, 412)
  t.equal(late.headers['smart-bff-state'], 'write_conflict')
  t.match(world.audited.at(-1), { event: 'fhir.refused', state: 'write_conflict' })
  world.ehr.seen.length = 0
  t.equal((await ask(world, 'PUT', 'CarePlan/c1', plan)).status, 428, 'it exists: which version?')
  t.equal((await ask(world, 'DELETE', 'CarePlan/c1', undefined)).status, 428, 'to delete it, too')
  t.strictSame(writes(world), [])
  world.ehr.answer = respondWith({ ...plan, meta: { versionId: '3' } })
  t.equal((await ask(world, 'PUT', 'CarePlan/c1', plan, version)).status, 200)
  const sent = world.ehr.seen.at(-1)?.headers
  t.equal(sent?.['if-match'], 'W/"3"')
  t.equal(sent?.['if-none-match'], undefined)
})

t.test('what the app wrote wrong is no finding about the EHR, what the EHR sent is', async (t) => {
  const world = await open(t)
  ehrWith(world, stored, stored)
  for (const body of [
    { ...stored, subject: { reference: 'Patient/p2' } },
    { ...stored, subject: undefined },
    { ...stored, id: 'o2' },
    { ...stored, resourceType: 'Condition' },
  ]) {
    const answer = await ask(world, 'PUT', 'Observation/o1', body, version)
    t.ok([400, 403].includes(answer.status), `${answer.status}`)
  }
  t.strictSame(writes(world), [])
  t.strictSame(world.findings, [])
  const foreign = { ...stored, subject: { reference: 'Patient/p2' } }
  ehrWith(world, foreign, stored)
  t.equal((await ask(world, 'PUT', 'Observation/o1', stored, version)).status, 404)
  t.match(world.findings, [{ reason: 'wrong_patient' }])
  const { id: _, meta: __, ...fresh } = stored
  for (const status of [200, 201]) {
    world.findings.length = 0
    ehrWith(world, undefined, foreign, status)
    t.equal((await ask(world, 'POST', 'Observation', fresh)).status, 502)
    t.match(world.findings, [{ reason: 'wrong_patient' }], `of a write answered ${status}`)
  }
})
