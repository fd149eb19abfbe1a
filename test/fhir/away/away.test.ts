import t from 'tap'
import { createAwayJudge } from '../../../src/fhir/away/away-judge.ts'
import type { AwayQuestion } from '../../../src/fhir/away/away-judge.ts'
import { createWorld, launchId, respondWith } from '../helper.ts'
import type { World, WorldOptions } from '../helper.ts'

/** Answers of more than 1 MiB that the scan does not prove: judged and rewritten in the worker, with the same outcome. */

const at = (path: string): string => `/fhir/${launchId}/${path}`
const ours = 'http://localhost:3000'
const allow = [
  { feature: 'Vitals', resource: 'Observation', interactions: ['read', 'search-type', 'create'] },
  { feature: 'Documents', resource: 'DocumentReference', interactions: ['read', 'search-type'] },
  { feature: 'Dashboard', bundle: ['batch'] },
]
const observation = (index: number, about = 'p1'): object => ({
  resourceType: 'Observation',
  id: `o${index}`,
  status: 'final',
  subject: { reference: `Patient/${about}` },
  valueQuantity: { value: 1.5 },
  text: { div: 'x'.repeat(1000) },
})
const outcome = {
  search: { mode: 'outcome' },
  resource: {
    resourceType: 'OperationOutcome',
    issue: [{ severity: 'warning', code: 'processing', diagnostics: 'secret' }],
  },
}

/** A search's answer of `count` KB; the remark of the EHR in it takes the scan's proof away. */
function searchset(base: string, count: number, ...more: object[]): object {
  const resources = [...Array.from({ length: count }, (_, index) => observation(index)), ...more]
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    link: [{ relation: 'next', url: `${base}?_getpages=1` }],
    entry: [
      ...resources.map((resource, index) => ({
        fullUrl: `${base}/Observation/o${index}`,
        resource,
      })),
      outcome,
    ],
  }
}

async function open(
  t: { teardown(end: () => Promise<void>): void },
  options: WorldOptions = {},
): Promise<{ world: World; asked: () => number }> {
  const world = await createWorld({ mode: { allow }, ...options })
  t.teardown(() => world.close())
  let asked = 0
  const { away } = world.deps
  const inner = { ...away }
  Object.assign(away, {
    judge: (question: AwayQuestion) => {
      asked += 1
      return inner.judge(question)
    },
  })
  return { world, asked: () => asked }
}

t.test('the same as on the main thread', async (t) => {
  const { world, asked } = await open(t)
  const { base } = world.ehr
  world.ehr.answer = respondWith(searchset(base, 20))
  const small = (await world.fetch(at('Observation'))).json()
  t.equal(asked(), 0, 'a small one is not sent away')
  world.ehr.answer = respondWith(searchset(base, 1500))
  const answer = await world.fetch(at('Observation'))
  t.equal(answer.status, 200)
  t.equal(asked(), 1)
  const large = answer.json()
  t.equal(large.entry.length, 1501)
  t.strictSame(large.entry.slice(0, 20), small.entry.slice(0, 20))
  t.strictSame(large.entry.at(-1), small.entry.at(-1))
  t.notMatch(answer.text, 'secret')
  t.notMatch(answer.text, base)
  t.match(world.audited.at(-1), { event: 'fhir.access', count: 1501 })
  const next = large.link[0].url as string
  t.match(next, `${ours}${at('_page/')}`)
  t.equal((await world.fetch(next.slice(ours.length))).status, 200, 'what the worker sealed opens')
  t.equal(world.ehr.seen.at(-1)?.url, '/fhir/r4?_getpages=1')
})

t.test('one foreign record refuses the whole, or is dropped', async (t) => {
  for (const guard of ['refuse', 'drop'] as const) {
    const { world, asked } = await open(t, { tenant: { guard } })
    world.ehr.answer = respondWith(searchset(world.ehr.base, 1500, observation(9000, 'p2')))
    const answer = await world.fetch(at('Observation'))
    t.equal(asked(), 1)
    t.equal(answer.status, guard === 'refuse' ? 502 : 200)
    t.notMatch(answer.text, /Patient\/p2|"o9000"/)
    t.equal(world.audited.at(-1)?.reason, guard === 'refuse' ? 'wrong_patient' : 'dropped')
  }
})

t.test('what the worker cannot read, a lost page, a merged patient', async (t) => {
  const { world, asked } = await open(t)
  const { base } = world.ehr
  world.ehr.answer = respondWith(JSON.stringify(searchset(base, 1500)).slice(0, -1))
  t.equal((await world.fetch(at('Observation'))).status, 502)
  world.ehr.answer = respondWith(searchset('https://other.example/fhir', 1500))
  t.equal((await world.fetch(at('Observation'))).status, 502)
  t.equal(world.audited.at(-1)?.reason, 'link_outside')
  const link = [{ type: 'replaces', other: { reference: 'Patient/p0' } }]
  const patient = respondWith({ resourceType: 'Patient', id: 'p1', link })
  const list = respondWith(searchset(base, 1500, observation(1, 'p0')))
  world.ehr.answer = (incoming, outgoing) =>
    (incoming.url?.endsWith('/Patient/p1') === true ? patient : list)(incoming, outgoing, '')
  t.match((await world.fetch(at('Observation'))).text, 'earlier number')
  t.equal(asked(), 3)
})

t.test('a record, a batch and what a create answers', async (t) => {
  const { world, asked } = await open(t)
  const { base } = world.ehr
  const document = {
    resourceType: 'DocumentReference',
    id: 'd1',
    subject: { reference: 'Patient/p1' },
    content: [
      { attachment: { data: 'A'.repeat(1_200_000) } },
      { attachment: { contentType: 'application/pdf', url: 'Binary/b1' } },
    ],
  }
  world.ehr.answer = respondWith(document)
  const read = await world.fetch(at('DocumentReference/d1'))
  t.equal(read.status, 200)
  const handle = read.json().content[1].attachment.url as string
  world.ehr.answer = respondWith({ ...document, id: 'd2' })
  t.equal((await world.fetch(at('DocumentReference/d1'))).status, 502, 'another one')
  t.match(handle, '/_binary/')

  const headers = { 'content-type': 'application/fhir+json' }
  const get = { request: { method: 'GET', url: 'Observation' } }
  const body = JSON.stringify({ resourceType: 'Bundle', type: 'batch', entry: [get, get] })
  const answers = (about: string): object => ({
    resourceType: 'Bundle',
    type: 'batch-response',
    entry: [
      { response: { status: '200' }, resource: searchset(base, 1500) },
      { response: { status: '200' }, resource: searchset(base, 5, observation(7, about)) },
    ],
  })
  world.ehr.answer = respondWith(answers('p1'))
  const batch = await world.fetch(at(''), { method: 'POST', headers, body })
  t.equal(batch.status, 200)
  t.equal(batch.json().entry[1].resource.entry.length, 7)
  t.notMatch(batch.text, base)
  t.equal(world.audited.length, 5, 'two reads, two entries, one batch')
  world.ehr.answer = respondWith(answers('p2'))
  const foreign = await world.fetch(at(''), { method: 'POST', headers, body })
  t.equal(foreign.status, 502)
  t.notMatch(foreign.text, 'p2')

  const created = { ...observation(1), id: 'o5', text: { div: 'x'.repeat(1_200_000) } }
  world.ehr.answer = respondWith(created, 201)
  const answer = await world.fetch(at('Observation'), {
    method: 'POST',
    headers,
    body: JSON.stringify(observation(1)),
  })
  t.equal(answer.status, 201)
  t.equal(answer.json().id, 'o5')
  t.equal(asked(), 5)
})

t.test(
  'answers that are not passed on: $validate, capabilities, and the Patient of a merge',
  async (t) => {
    const checked = [
      { feature: 'x', resource: 'Observation', interactions: ['create'], validate: true },
    ]
    const { world } = await open(t, { mode: { allow: checked } })
    let looked = 0
    const { away } = world.deps
    const inner = { ...away }
    Object.assign(away, {
      look: (question: Parameters<typeof away.look>[0]) => {
        looked += 1
        return inner.look(question)
      },
    })
    const padding = ' '.repeat(1_200_000)
    const said = (severity: string): string =>
      JSON.stringify({ resourceType: 'OperationOutcome', issue: [{ severity, code: 'required' }] })
    const create = async (severity: string): Promise<number> => {
      world.ehr.answer = (incoming, outgoing, body) => {
        const check = incoming.url?.endsWith('$validate') === true
        const answer = check ? said(severity) + padding : JSON.stringify(observation(1))
        respondWith(answer, check ? 200 : 201)(incoming, outgoing, body)
      }
      const headers = { 'content-type': 'application/fhir+json' }
      const options = { method: 'POST', headers, body: JSON.stringify(observation(1)) }
      return (await world.fetch(at('Observation'), options)).status
    }
    t.equal(await create('error'), 422)
    t.equal(await create('information'), 201)
    t.equal(looked, 2)

    const statement = {
      resourceType: 'CapabilityStatement',
      // What the worker cannot hand over as it is must not stand in the way.
      experimental: 1.5,
      rest: [
        {
          mode: 'server',
          documentation: padding,
          resource: [{ type: 'Observation', interaction: [{ code: 'create', extra: 1 }] }],
        },
      ],
    }
    const text = JSON.stringify(statement)
      .replace('1.5', '1.50')
      .replace('"extra":1', '"extra":1.0')
    world.ehr.answer = respondWith(text)
    const capabilities = await world.fetch(at('metadata'))
    t.equal(looked, 3)
    t.strictSame(capabilities.json().rest[0].resource, [
      { type: 'Observation', interaction: [{ code: 'create' }] },
    ])
    world.ehr.answer = respondWith(text.slice(0, -1))
    t.equal((await world.fetch(at('metadata'))).status, 502)

    const merged = await open(t)
    const link = [{ type: 'replaces', other: { reference: 'Patient/p0' } }]
    merged.world.ehr.answer = (incoming, outgoing, body) => {
      const patient = incoming.url?.endsWith('/Patient/p1') === true
      const answer = patient
        ? JSON.stringify({ resourceType: 'Patient', id: 'p1', link }) + padding
        : JSON.stringify(searchset(merged.world.ehr.base, 1, observation(2, 'p0')))
      respondWith(answer)(incoming, outgoing, body)
    }
    t.equal((await merged.world.fetch(at('Observation'))).status >= 400, true)
    t.equal(merged.world.audited.at(-1)?.reason, 'patient_merged')
  },
)

/** Worth 20 MB of a heap for each MB: V8 ends the process when that overflows, so it must not come so far. */
t.test('an answer that would take too much memory is refused before it is parsed', async (t) => {
  const { world } = await open(t)
  for (const unit of ['{},', '1.50,', '[[[]]],', '{"a":{}},']) {
    const values = unit.repeat(Math.floor(19_000_000 / unit.length))
    world.ehr.answer = respondWith(`{"resourceType":"Bundle","x":[${values}1.50]}`)
    const { status, text } = await world.fetch(at('Observation'))
    t.equal(status, 502)
    t.match(text, 'too much data')
  }
  // Just as many as are let through, of the kind that takes most.
  const extension = `[${'{},'.repeat(1_499_000)}1.50]`
  const list = JSON.stringify(searchset(world.ehr.base, 1))
  world.ehr.answer = respondWith(list.replace('"status":"final"', `"extension":${extension}`))
  t.equal((await world.fetch(at('Observation'))).status, 200)
})

t.test(
  'a worker that ends refuses what it was asked, and the next one starts another',
  async (t) => {
    const { world } = await open(t)
    const away = createAwayJudge()
    t.teardown(() => away.close())
    let ended: Promise<void> | undefined
    Object.assign(world.deps.away, {
      judge: (question: AwayQuestion) => {
        const result = away.judge(question)
        ended ??= away.close()
        return result
      },
    })
    world.ehr.answer = respondWith(searchset(world.ehr.base, 1100))
    const refused = await world.fetch(at('Observation'))
    t.equal(refused.status, 502)
    t.match(refused.text, 'too much data')
    await ended
    t.equal((await world.fetch(at('Observation'))).status, 200)
  },
)

t.test('a large answer of which little is left', async (t) => {
  const { world, asked } = await open(t, { tenant: { guard: 'drop' } })
  const foreign = Array.from({ length: 1500 }, (_, index) => observation(index, 'p2'))
  world.ehr.answer = respondWith(searchset(world.ehr.base, 0, ...foreign))
  const dropped = await world.fetch(at('Observation'))
  t.equal(dropped.status, 200)
  t.notMatch(dropped.text, 'Patient/p2')
  world.ehr.answer = respondWith(
    JSON.stringify(searchset(world.ehr.base, 1)) + ' '.repeat(1_200_000),
  )
  t.equal((await world.fetch(at('Observation'))).json().entry.length, 2)
  t.equal(asked(), 2)
})

t.test(
  'writes of large records are judged and made in the worker, with the same outcome',
  async (t) => {
    const rules = [
      {
        feature: 'Documents',
        resource: 'DocumentReference',
        interactions: ['read', 'create', 'update', 'patch', 'delete'],
      },
    ]
    const { world } = await open(t, { mode: { allow: rules } })
    let made = 0
    const { away } = world.deps
    const inner = { ...away }
    Object.assign(away, {
      make: (question: Parameters<typeof away.make>[0]) => {
        made += 1
        return inner.make(question)
      },
    })
    const page = 'A'.repeat(1_200_000)
    const document = (about: string, data = page, id = 'd1'): object => ({
      resourceType: 'DocumentReference',
      id,
      meta: { versionId: '3' },
      status: 'current',
      subject: { reference: `Patient/${about}` },
      content: [{ attachment: { data } }],
    })
    const ask = (
      method: string,
      path: string,
      body: unknown,
      headers: Record<string, string> = {},
    ): ReturnType<World['fetch']> =>
      world.fetch(at(path), {
        method,
        headers: {
          'content-type': `application/${method === 'PATCH' ? 'json-patch' : 'fhir'}+json`,
          ...headers,
        },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })
    const stored = (record: object): void => {
      world.ehr.answer = (incoming, outgoing, body) => {
        const isRead = incoming.method === 'GET'
        respondWith(isRead ? record : document('p1', ''), isRead ? 200 : 201)(
          incoming,
          outgoing,
          body,
        )
      }
    }
    const writes = (): typeof world.ehr.seen =>
      world.ehr.seen.filter(({ method }) => method !== 'GET')
    const match = { 'if-match': 'W/"3"' }
    const patch = [{ op: 'replace', path: '/status', value: 'superseded' }]

    stored(document('p1', ''))
    const number = JSON.stringify(document('p1')).replace('"status"', '"extension":[1.50],"status"')
    t.equal((await ask('POST', 'DocumentReference', number)).status, 201)
    t.match(writes()[0]?.body, '1.50', 'a number keeps its form')
    t.notMatch(writes()[0]?.body, '"d1"', 'a new record has no id')
    const linked = JSON.stringify(document('p1')).replace(
      '"status"',
      `"context":{"related":[{"reference":"${ours}${at('Observation/o1')}"}]},"status"`,
    )
    t.equal((await ask('PUT', 'DocumentReference/d1', linked, match)).status, 201)
    t.match(writes()[1]?.body, `"${world.ehr.base}/Observation/o1"`, 'ours are theirs again')
    t.equal(writes()[1]?.headers['if-match'], 'W/"3"')
    t.equal(made, 2)
    stored(document('p1'))
    t.equal((await ask('PATCH', 'DocumentReference/d1', patch, match)).status, 201)
    t.strictSame(JSON.parse(writes()[2]?.body ?? ''), patch)
    t.equal((await ask('DELETE', 'DocumentReference/d1', '', match)).status, 201)
    t.equal(writes().length, 4)
    t.equal(made, 4)

    const stale = { 'if-match': 'W/"2"' }
    t.equal((await ask('PATCH', 'DocumentReference/d1', patch, stale)).status, 412)
    const moves = [{ op: 'replace', path: '/subject/reference', value: 'Patient/p2' }]
    t.equal((await ask('PATCH', 'DocumentReference/d1', moves, match)).status, 422)
    t.equal((await ask('PUT', 'DocumentReference/d1', document('p2'), match)).status, 403)
    t.equal((await ask('POST', 'DocumentReference', document('p2'))).status, 403)
    stored(document('p2'))
    t.equal((await ask('PATCH', 'DocumentReference/d1', patch, match)).status, 404)
    t.equal((await ask('DELETE', 'DocumentReference/d1', '', match)).status, 404)
    stored(document('p1', page, 'd2'))
    t.equal((await ask('PUT', 'DocumentReference/d1', document('p1'), match)).status, 502)
    t.equal(made, 11)
    const deep = `{"resourceType":"DocumentReference","x":${'['.repeat(1_500_000)}`
    t.equal((await ask('POST', 'DocumentReference', deep)).status, 400, 'no JSON')
    const nested = `{"resourceType":"DocumentReference","x":${'['.repeat(700_000)}${']'.repeat(700_000)}}`
    t.equal((await ask('POST', 'DocumentReference', nested)).status, 400, 'too deep')
    const small = `{"resourceType":"DocumentReference","x":${'['.repeat(50_000)}${']'.repeat(50_000)}}`
    t.equal(
      (await ask('POST', 'DocumentReference', small)).status,
      400,
      'too deep, on the main thread',
    )
    const dense = `{"resourceType":"DocumentReference","x":[${'1,'.repeat(2_000_000)}${','.repeat(100_000)}1]}`
    t.equal((await ask('POST', 'DocumentReference', dense)).status, 400, 'many values, and no JSON')
    t.equal(writes().length, 4, 'nothing else was sent')
    t.strictSame(world.faults, [])
  },
)
