import t from 'tap'
import { createWorld, launchId, respondWith } from './helper.ts'
import type { Answer, World } from './helper.ts'

/** `Idempotency-Key` on a create: one record, however often it is asked for. */

const at = (path: string): string => `/fhir/${launchId}/${path}`
const allow = [
  {
    feature: 'Notes',
    resource: 'Observation',
    interactions: ['read', 'create', 'update', 'search-type'],
  },
  { feature: 'Checked', resource: 'Condition', interactions: ['create'], validate: true },
]
const fresh = { resourceType: 'Observation', subject: { reference: 'Patient/p1' } }
const saved = { ...fresh, id: 'o9', meta: { versionId: '1' } }

async function open(t: { teardown(end: () => Promise<void>): void }, options = {}): Promise<World> {
  const world = await createWorld({ mode: { allow }, ...options })
  t.teardown(() => world.close())
  return world
}

function create(
  world: World,
  key: string,
  body: object = fresh,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return world.fetch(at((body as typeof fresh).resourceType), {
    method: 'POST',
    headers: { 'content-type': 'application/fhir+json', 'idempotency-key': key, ...headers },
    body: JSON.stringify(body),
  })
}

const posts = (world: World): number =>
  world.ehr.seen.filter(({ method }) => method === 'POST').length

/** Creates answer 201; the record is then there to be read. */
function savingEhr(world: World, record: object = saved): void {
  world.ehr.answer = (incoming, outgoing) => {
    const created = incoming.method === 'POST'
    respondWith(record, created ? 201 : 200, {
      etag: 'W/"1"',
      ...(created ? { location: `${world.ehr.base}/Observation/o9/_history/1` } : {}),
    })(incoming, outgoing, '')
  }
}

t.test('a repeat reads the first result again', async (t) => {
  const world = await open(t)
  savingEhr(world)
  const first = await create(world, 'key-1')
  t.equal(first.status, 201)
  const again = await create(world, 'key-1')
  t.equal(again.status, 201)
  t.strictSame(again.json(), first.json())
  for (const name of ['location', 'etag']) t.equal(again.headers[name], first.headers[name], name)
  t.equal(posts(world), 1)
  t.equal(world.ehr.seen.at(-1)?.url, '/fhir/r4/Observation/o9')
  t.strictSame(
    world.audited.map(({ event, reason, resourceId }) => [event, reason, resourceId]),
    [
      ['fhir.intended', undefined, undefined],
      ['fhir.written', undefined, 'o9'],
      ['fhir.access', 'repeated', undefined],
    ],
  )
  t.equal((await create(world, 'key-2')).status, 201)
  t.equal(posts(world), 2, 'another key is another record')
})

t.test('a repeat is judged as of now', async (t) => {
  const world = await open(t)
  savingEhr(world)
  await create(world, 'key-1')
  world.ehr.answer = respondWith({ ...saved, subject: { reference: 'Patient/p2' } })
  const moved = await create(world, 'key-1')
  t.equal(moved.status, 404)
  t.notMatch(moved.text, 'p2')
  world.ehr.answer = respondWith({}, 404)
  t.equal((await create(world, 'key-1')).status, 410)
  world.record = { ...world.record, scopes: { requested: '', granted: 'patient/*.rs' } }
  t.equal((await create(world, 'key-1')).status, 403)
  t.equal(posts(world), 1)
})

t.test('the same key with another body is refused, and nothing is sent', async (t) => {
  const world = await open(t)
  savingEhr(world)
  await create(world, 'key-1')
  const other = await create(world, 'key-1', { ...fresh, status: 'final' })
  t.equal(other.status, 422)
  const condition = await create(world, 'key-1', fresh, { 'if-none-exist': 'patient=p1' })
  t.equal(condition.status, 422, 'or under another condition')
  t.equal(posts(world), 1)
  for (const key of ['', 'a key', 'ü', 'x'.repeat(256)]) {
    const status = await create(world, key).then(
      (answer) => answer.status,
      () => 400,
    )
    t.equal(status, 400, JSON.stringify(key))
  }
  const put = await world.fetch(at('Observation/o9'), {
    method: 'PUT',
    headers: {
      'content-type': 'application/fhir+json',
      'idempotency-key': 'key-1',
      'if-match': 'W/"1"',
    },
    body: JSON.stringify(saved),
  })
  t.equal(put.status, 403, 'an update names its version instead')
  t.equal(posts(world), 1)
})

t.test(
  'one that was lost on the way stays uncertain; one that was refused may be repeated',
  async (t) => {
    const world = await open(t)
    world.ehr.answer = (incoming) => incoming.socket.destroy()
    for (let repeats = 0; repeats < 3; repeats += 1) {
      const answer = await create(world, 'lost')
      t.equal(answer.headers['smart-bff-state'], 'write_uncertain')
    }
    t.equal(posts(world), 1, 'sent once')
    world.ehr.answer = respondWith({}, 422)
    t.equal((await create(world, 'refused')).status, 422)
    savingEhr(world)
    t.equal((await create(world, 'refused')).status, 201)
    t.equal(posts(world), 3)
    const invalid = {
      resourceType: 'OperationOutcome',
      issue: [{ severity: 'error', code: 'invalid' }],
    }
    world.ehr.answer = respondWith(invalid)
    const condition = { resourceType: 'Condition', subject: fresh.subject }
    t.equal((await create(world, 'checked', condition)).status, 422, 'not valid: not sent')
    const information = { ...invalid, issue: [{ severity: 'information', code: 'informational' }] }
    world.ehr.answer = (incoming, outgoing) => {
      const check = incoming.url?.endsWith('$validate') === true
      respondWith(check ? information : { ...condition, id: 'c1' }, check ? 200 : 201)(
        incoming,
        outgoing,
        '',
      )
    }
    t.equal((await create(world, 'checked', condition)).status, 201)
  },
)

t.test('of many at once one is sent', async (t) => {
  const world = await open(t)
  savingEhr(world)
  const inner = world.ehr.answer
  world.ehr.answer = (incoming, outgoing, body) =>
    void setTimeout(() => inner(incoming, outgoing, body), 30)
  const answers = await Promise.all(Array.from({ length: 8 }, () => create(world, 'key-1')))
  t.equal(posts(world), 1)
  t.equal(answers.filter(({ status }) => status === 201).length, 1)
  const others = answers.filter(({ status }) => status !== 201)
  for (const { headers } of others) t.equal(headers['smart-bff-state'], 'write_uncertain')
})

t.test('no record of the intent, no write, and the key is free again', async (t) => {
  const world = await open(t)
  savingEhr(world)
  world.auditFails = true
  t.equal((await create(world, 'key-1')).status, 503)
  t.equal(posts(world), 0)
  world.auditFails = false
  t.equal((await create(world, 'key-1')).status, 201)
})

t.test('a result without id or body is answered as it was', async (t) => {
  const world = await open(t)
  world.ehr.answer = respondWith('', 201)
  t.equal((await create(world, 'key-1')).status, 201)
  const again = await create(world, 'key-1')
  t.equal(again.status, 201)
  t.equal(again.body.length, 0)
  t.equal(world.ehr.seen.length, 1)
})
