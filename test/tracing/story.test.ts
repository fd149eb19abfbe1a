import t, { type Test } from 'tap'
import { traceOfLaunch } from '../../src/tracing/traceparent.ts'
import { startHospital, type Hospital, type HospitalOptions } from '../support/hospital.ts'
import { until } from '../support/until.ts'
import { startCollector, type ReceivedSpan } from './collector.ts'
import { malformed, spanId, traceId } from './malformed.ts'

/** Traces of real launches and reads through the sandbox, as a collector receives them. */

async function setUp(t: Test, tracing: object, root: object = {}, options: HospitalOptions = {}) {
  const collector = await startCollector()
  t.teardown(() => collector.close())
  const operations = {
    listen: { host: '127.0.0.1', port: 0 },
    tracing: { endpoint: collector.endpoint, ...tracing },
  }
  const hospital = await startHospital({ ...options, root: { operations, ...root } })
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= hospital.close())
  t.teardown(close)
  return { collector, hospital, close, browser: hospital.browser() }
}

/** The EHR's side of the FHIR requests so far. */
const atEhr = (hospital: Hospital): readonly (string | undefined)[] =>
  hospital.sandbox
    .requests()
    .filter(({ path }) => /\/(?:Patient|Observation)\b/.test(path))
    .map(({ headers }) => headers['traceparent'])

const named = (spans: readonly ReceivedSpan[], name: string): readonly ReceivedSpan[] =>
  spans.filter((span) => span.name === name)

t.test('a launch and its reads are one trace, and it says nothing of anybody', async (t) => {
  const scopes = ['launch', 'openid', 'fhirUser', 'online_access', 'patient/*.rs']
  const { collector, hospital, close, browser } = await setUp(
    t,
    { ratio: 1, propagate: true, authorization: 'Bearer of-the-collector' },
    {},
    { mode: { scopes } },
  )
  const { sandbox, publicUrl } = hospital
  const amara = sandbox.patient('amara')
  const { launch, trail } = await browser.launch({ patient: amara.id })
  const read = await browser.fetch(`/fhir/${launch}/Patient/${amara.id}`)
  t.equal(read.status, 200)
  t.match(await read.text(), amara.family, 'the patient was read')
  const incident = read.headers.get('smart-bff-request')
  const search = await browser.fetch(`/fhir/${launch}/Observation?category=vital-signs`)
  t.equal(search.status, 200)
  sandbox.control.revoke('access')
  t.equal((await browser.fetch(`/fhir/${launch}/Patient/${amara.id}`)).status, 200, 'renewed')
  const foreign = sandbox.patient('bart')
  t.equal((await browser.fetch(`/fhir/${launch}/Patient/${foreign.id}`)).status, 404)
  t.equal((await browser.fetch(`/fhir/${launch}/Ok${amara.family}/1`)).ok, false)
  t.equal((await browser.fetch(`/fhir/unknown-${amara.mrn}/Patient/1`)).status, 401)
  await browser.navigate(`${publicUrl}/launch?iss=https://evil.example/${amara.id}&launch=1`)
  await browser.navigate(`${publicUrl}/callback/north?state=x&code=${amara.family}`)
  const audit = await hospital.audit()
  const passedOn = atEhr(hospital)
  const secrets = [
    ...sandbox.control.issued(),
    ...sandbox
      .requests()
      .flatMap(({ form = {} }) => Object.values(form).flat())
      .filter((value) => value.length > 30),
    ...browser.jar.cookies.values(),
    launch,
  ]
  // The last spans are sent on the way out.
  await close()
  const spans = collector.spans()

  const own = traceOfLaunch(launch)
  const story = spans.filter((span) => span.traceId === own.traceId)
  const first = named(story, 'launch').at(0)
  t.match(first, { spanId: own.spanId, parentSpanId: undefined })
  t.equal(first?.attributes['smart_bff.tenant'], 'north')
  t.equal(named(story, 'launch').length, 1)
  t.match(named(story, 'callback'), [{ parentSpanId: own.spanId }])
  t.equal(named(story, 'ehr.exchange')[0]?.parentSpanId, named(story, 'callback')[0]?.spanId)
  t.equal(named(story, 'session.join').length, 1)
  t.equal(named(story, 'fhir').length, 5, 'every FHIR request of the launch')
  for (const span of named(story, 'fhir')) t.equal(span.parentSpanId, own.spanId)
  t.ok(
    audit.some(
      ({ event, launch: name }) =>
        event === 'launch.authorized' && own.traceId.startsWith(String(name)),
    ),
    'the trace is found by the name that the audit gives the launch',
  )

  const one = named(story, 'fhir').find((span) => span.attributes['smart_bff.request'] === incident)
  t.same(one?.attributes, {
    'smart_bff.request': incident,
    'smart_bff.tenant': 'north',
    'smart_bff.resource': 'Patient',
    'smart_bff.interaction': 'read',
    'smart_bff.decision': 'allowed',
    'http.response.status_code': 200,
  })
  const steps = story.filter((span) => span.parentSpanId === one?.spanId)
  t.same(steps.map(({ name }) => name).toSorted(), ['ehr', 'launch.open'])
  for (const { milliseconds } of steps) {
    t.ok(milliseconds >= 0 && milliseconds <= (one?.milliseconds ?? 0), 'a step is within')
  }
  const renewed = named(story, 'token')
  t.equal(renewed.length, 1, 'the refresh that a request waited for')
  const siblings = story.filter((span) => span.parentSpanId === renewed[0]?.parentSpanId)
  t.same(
    named(siblings, 'ehr').map(({ attributes }) => attributes['http.response.status_code']),
    [401, 200],
  )
  const refused = named(story, 'fhir').filter(
    ({ attributes }) => attributes['smart_bff.decision'] === 'refused',
  )
  t.match(
    refused.map(({ attributes }) => attributes),
    [{ 'smart_bff.state': 'not_permitted', 'http.response.status_code': 404 }, {}],
  )
  const strangers = spans.filter((span) => span.traceId !== own.traceId)
  t.ok(named(strangers, 'fhir').length === 1 && named(strangers, 'callback').length === 1)
  t.ok(named(strangers, 'launch').length >= 2, 'the probe and the unknown iss stand apart')

  const ehrSpans = new Set(named(story, 'ehr').map((span) => `00-${own.traceId}-${span.spanId}-01`))
  t.ok(passedOn.length >= 4)
  t.ok(
    passedOn.every((header) => ehrSpans.has(header ?? '')),
    'the EHR got the span that asked it',
  )

  const text = collector.text()
  t.ok(text.includes('Bearer of-the-collector') && text.includes('smart_bff.request'))
  t.ok(secrets.length > 8, `${secrets.length} secrets to look for`)
  t.same(found(secrets, text), [], 'no token, code, cookie or launch id')
  t.same(found(patientWords(hospital), text), [], 'no patient')
  t.same(found([...trail, publicUrl, sandbox.origin, 'evil.example', 'Okafor'], text), [])
  t.notMatch(text, /https?:\/\/|\?|\/fhir|Practitioner/, 'no URL, query or reference')
  const keys = new Set(spans.flatMap(({ attributes }) => Object.keys(attributes)))
  t.same([...keys].toSorted(), [
    'http.response.status_code',
    'smart_bff.decision',
    'smart_bff.interaction',
    'smart_bff.request',
    'smart_bff.resource',
    'smart_bff.state',
    'smart_bff.tenant',
  ])
})

const found = (needles: readonly string[], text: string): readonly string[] =>
  needles.filter((needle) => text.includes(needle))

const patientWords = ({ sandbox }: Hospital): readonly string[] =>
  sandbox.patients.flatMap(({ id, mrn, family, name, birthDate }) => [
    id,
    mrn,
    family,
    name,
    ...(birthDate === undefined ? [] : [birthDate]),
  ])

const proxies = { trustProxy: ['127.0.0.0/8', '::1/128'] }

t.test('a traceparent counts where it is accepted, and from a trusted proxy', async (t) => {
  const accepted = await setUp(t, { ratio: 0, accept: true }, proxies)
  const spans = await reads(accepted, [
    `00-${traceId}-${spanId}-01`,
    `00-${traceId}-${spanId}-00`,
    ...malformed.filter((header) => !/^\s|\s$/.test(header)),
  ])
  t.match(named(spans, 'fhir'), [{ traceId, parentSpanId: spanId }], 'only what the proxy samples')
  t.same([...new Set(spans.map((span) => span.traceId))], [traceId])
  t.same([...new Set(atEhr(accepted.hospital))], [undefined], 'not passed on unless configured')
})

t.test('a traceparent that is malformed is ignored', async (t) => {
  const accepted = await setUp(t, { ratio: 1, accept: true, propagate: true }, proxies)
  const bad = malformed.filter((header) => !/^\s|\s$/.test(header))
  const spans = await reads(accepted, bad)
  t.equal(named(spans, 'fhir').length, bad.length)
  t.equal(new Set(named(spans, 'fhir').map((span) => span.traceId)).size, 1, "the launch's own")
  t.notOk(spans.some((span) => span.traceId === traceId))
})

t.test("a browser's traceparent counts nowhere else", async (t) => {
  for (const [tracing, root] of [
    [{ ratio: 1 }, proxies],
    [{ ratio: 1, accept: true }, { trustProxy: ['10.0.0.0/8'] }],
  ] as const) {
    // oxlint-disable-next-line no-await-in-loop -- one hospital at a time
    const spans = await reads(await setUp(t, tracing, root), [`00-${traceId}-${spanId}-01`])
    t.equal(named(spans, 'fhir').length, 1)
    t.notOk(spans.some((span) => span.traceId === traceId))
  }
})

/** One read a header; everything that the collector got in the end. */
async function reads(
  given: Awaited<ReturnType<typeof setUp>>,
  headers: readonly string[],
): Promise<readonly ReceivedSpan[]> {
  const { hospital, browser, collector, close } = given
  const patient = hospital.sandbox.patient('amara').id
  const { launch } = await browser.launch({ patient })
  for (const traceparent of headers) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const read = await browser.fetch(`/fhir/${launch}/Patient/${patient}`, {
      headers: { traceparent },
    })
    if (read.status !== 200) throw new Error(`${traceparent}: ${read.status}`)
  }
  await close()
  return collector.spans()
}

t.test('spans arrive while the process runs, not at its end alone', async (t) => {
  const { collector, hospital, browser } = await setUp(t, { ratio: 1 })
  await browser.launch({ patient: hospital.sandbox.patient('amara').id })
  await until(
    () => named(collector.spans(), 'callback').length,
    (count) => count === 1,
  )
})

t.test('a collector that is down changes nothing', async (t) => {
  const { collector, hospital, browser, close } = await setUp(t, { ratio: 1 })
  await collector.close()
  const patient = hospital.sandbox.patient('amara').id
  const { launch } = await browser.launch({ patient })
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => browser.fetch(`/fhir/${launch}/Patient/${patient}`)),
  )
  t.same([...new Set(answers.map(({ status }) => status))], [200])
  const startedAt = performance.now()
  await close()
  t.ok(performance.now() - startedAt < 6_000, 'and the stop keeps its limit')
})
