import t, { type Test } from 'tap'
import { startHospital, type HospitalOptions } from '../support/hospital.ts'

async function setUp(t: Test, options: HospitalOptions = {}) {
  const hospital = await startHospital(options)
  t.teardown(() => hospital.close())
  const [first, second] = hospital.sandbox.patients
  if (first === undefined || second === undefined) throw new Error('the sandbox has no patients')
  return { hospital, browser: hospital.browser(), first, second }
}

t.test("from the EHR's click to the app: a whole launch", async (t) => {
  const { hospital, browser, first } = await setUp(t)
  const { launch, response, trail } = await browser.launch({ patient: first.id })
  t.equal(response.status, 200)
  t.match(await response.text(), '<script type="module" src="/smart-bff.js">')
  t.match(response.headers.get('content-security-policy'), hospital.sandbox.origin)
  t.equal(response.headers.get('x-frame-options'), null)

  const info = await browser.fetch(`/launches/${launch}`)
  t.equal(info.status, 200)
  t.match(await info.json(), {
    launch,
    state: 'active',
    tenant: { id: 'north' },
    mode: 'chart',
    fhir: `/fhir/${launch}`,
    patient: first.id,
    user: { kind: 'practitioner' },
  })
  t.ok(
    trail.some((url) => url.includes('probe=')),
    'the cookie was proved before the EHR heard of it',
  )
})

t.test('the launch leaves one story in the audit', async (t) => {
  const { hospital, browser, first } = await setUp(t)
  const { launch } = await browser.launch({ patient: first.id })
  const records = await hospital.audit()
  const story = records.filter((record) => 'launch' in record)
  t.same(
    story.map(({ event }) => event),
    ['launch.received', 'token.exchanged', 'launch.authorized'],
  )
  t.equal(new Set(story.map((record) => record['launch'])).size, 1)
  t.notOk(JSON.stringify(records).includes(launch))
  t.notOk(JSON.stringify(records).includes(first.id))
})

t.test('the app reads its patient through the proxy, and nobody else', async (t) => {
  const { hospital, browser, first, second } = await setUp(t)
  const { launch } = await browser.launch({ patient: first.id })
  const patient = await browser.fetch(`/fhir/${launch}/Patient/${first.id}`)
  t.equal(patient.status, 200, patient.headers.get('smart-bff-state') ?? '')
  t.match(await patient.json(), { resourceType: 'Patient', id: first.id })

  const foreign = await browser.fetch(`/fhir/${launch}/Patient/${second.id}`)
  t.equal(foreign.status, 404)
  t.match(await foreign.json(), { resourceType: 'OperationOutcome' })
  t.ok(foreign.headers.get('smart-bff-request'))

  const seen = hospital.sandbox.requests().filter(({ path }) => path.includes(second.id))
  t.same(seen, [], 'nothing about the other patient was asked of the EHR')
})

t.test('the metrics count what the audit records', async (t) => {
  const { hospital, browser, first, second } = await setUp(t)
  const { launch } = await browser.launch({ patient: first.id })
  await browser.fetch(`/fhir/${launch}/Patient/${first.id}`)
  await browser.fetch(`/fhir/${launch}/Patient/${second.id}`)
  const text = await (await fetch(`${hospital.operationsUrl}/metrics`)).text()
  const value = (metric: string, labels: Record<string, string>): number => {
    const line = text
      .split('\n')
      .filter((one) => one.startsWith(`smart_bff_${metric}{`))
      .find((one) => Object.entries(labels).every(([k, v]) => one.includes(`${k}="${v}"`)))
    return Number(line?.split(' ').at(-1) ?? 0)
  }
  t.equal(value('launches_total', { outcome: 'authorized', tenant: 'north' }), 1)
  const read = { resource: 'Patient', interaction: 'read' }
  t.equal(value('fhir_requests_total', { ...read, decision: 'allowed' }), 1)
  t.equal(value('fhir_requests_total', { ...read, decision: 'refused' }), 1)
  t.notOk(text.includes(first.id) || text.includes(launch), 'no id is a label')
})

t.test('a long history pages through the proxy', async (t) => {
  const { hospital, browser, first } = await setUp(t)
  const { launch } = await browser.launch({ patient: first.id })
  let url: string | undefined = `/fhir/${launch}/Observation?_count=20`
  const ids = new Set<string>()
  let pages = 0
  while (url !== undefined && pages < 4) {
    const answer = await browser.fetch(url)
    t.equal(answer.status, 200)
    const bundle = (await answer.json()) as Bundle
    for (const { resource } of bundle.entry ?? []) {
      t.equal(resource.subject?.reference, `Patient/${first.id}`)
      ids.add(resource.id)
    }
    const next = bundle.link?.find(({ relation }) => relation === 'next')?.url
    t.ok(next === undefined || next.startsWith(`${hospital.publicUrl}/fhir/${launch}/_page/`))
    url = next?.slice(hospital.publicUrl.length)
    pages += 1
  }
  t.ok(pages > 1, 'there was more than one page')
  t.ok(ids.size > 20)
})

interface Bundle {
  readonly entry?: readonly {
    readonly resource: { readonly id: string; readonly subject?: { readonly reference: string } }
  }[]
  readonly link?: readonly { readonly relation: string; readonly url: string }[]
}

t.test('one launch has so many FHIR requests a minute, whatever another asks', async (t) => {
  const root = { rateLimits: { fhirPerLaunchPerMinute: 60 } }
  const { browser, first, second } = await setUp(t, { root })
  const { launch } = await browser.launch({ patient: first.id })
  const { launch: other } = await browser.launch({ patient: second.id })
  const ask = async (id: string) => (await browser.fetch(`/fhir/${id}/Goal`)).status
  const all = await Promise.all(Array.from({ length: 70 }, () => ask(launch)))
  t.equal(all.filter((status) => status === 429).length, 10)
  t.equal(await ask(other), 403)
})
