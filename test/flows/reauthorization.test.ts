import t, { type Test } from 'tap'
import type { LaunchInfo } from '../../src/browser/launch-info.ts'
import { rawMode } from '../support/config.ts'
import { startHospital, type TestBrowser } from '../support/hospital.ts'

/** A new authorization in place, and the draft that survives it. */

const allow = [{ feature: 'Patient banner', resource: 'Patient', interactions: ['read'] }]
const modes = [
  rawMode(),
  rawMode({
    id: 'desk',
    launch: 'standalone',
    scopes: ['launch/patient', 'openid', 'fhirUser', 'offline_access', 'patient/Patient.r'],
    allow,
  }),
]

async function setUp(t: Test) {
  const hospital = await startHospital({ tenant: { modes } })
  t.teardown(() => hospital.close())
  const { sandbox } = hospital
  const [first, second] = sandbox.patients
  const [ada, bob] = sandbox.clinicians
  if (!first || !second || !ada || !bob) throw new Error('the sandbox is empty')
  const browser = hospital.browser()
  const as = (patient: { readonly id: string }, user: { readonly id: string }) =>
    sandbox.control.set({ standalone: { patient: patient.id, user: `Practitioner/${user.id}` } })
  const open = async (): Promise<string> => {
    const { url } = await browser.navigate(`${hospital.publicUrl}/launch/north/desk`)
    const launch = /\/app\/([\w-]+)\/$/.exec(url)?.[1]
    if (launch === undefined) throw new Error(`the launch ended at ${url}`)
    return launch
  }
  as(first, ada)
  return { hospital, browser, first, second, ada, bob, as, open }
}

const infoOf = async (browser: TestBrowser, launch: string) =>
  (await (await browser.fetch(`/launches/${launch}`)).json()) as LaunchInfo
const reauthorize = (browser: TestBrowser, launch: string) =>
  browser.fetch(`/launches/${launch}/reauthorize`, { method: 'POST' })
const locationOf = async (answer: Response) =>
  ((await answer.json()) as { location: string }).location
const put = (browser: TestBrowser, launch: string, version: string | null, body: string) =>
  browser.fetch(`/launches/${launch}/draft`, {
    method: 'PUT',
    headers: {
      'content-type': 'application/json',
      ...(version === null ? {} : { 'if-match': version }),
    },
    body,
  })
const draftOf = (browser: TestBrowser, launch: string) => browser.fetch(`/launches/${launch}/draft`)

t.test('the same user and patient come back to the same launch, with a new token', async (t) => {
  const { hospital, browser, first, open } = await setUp(t)
  const launch = await open()
  // The EHR takes its tokens back: the next request of data finds out.
  hospital.sandbox.control.revoke('all')
  t.equal((await browser.fetch(`/fhir/${launch}/Patient/${first.id}`)).status, 401)
  t.equal((await infoOf(browser, launch)).state, 'reauth_required')

  const answer = await reauthorize(browser, launch)
  t.equal(answer.status, 200)
  const { url } = await browser.navigate(await locationOf(answer))
  t.equal(url, `${hospital.publicUrl}/app/${launch}/`)
  t.match(await infoOf(browser, launch), { state: 'active', patient: first.id })
  t.equal((await browser.fetch(`/fhir/${launch}/Patient/${first.id}`)).status, 200)
  t.same(
    [...browser.jar.cookies.keys()].filter((name) => name.includes('.tx.')),
    [],
    'the pending cookie is gone',
  )
  const told = (await hospital.audit()).filter(({ event }) => event === 'launch.authorized')
  t.match(told, [{}, { reason: 'reauthorized', outcome: 'success' }])
  t.equal(new Set(told.map((one) => one['launch'])).size, 1)
})

t.test('it comes back to where it was in the app, and nowhere else', async (t) => {
  const { hospital, browser, open } = await setUp(t)
  const launch = await open()
  const start = `${hospital.publicUrl}/app/${launch}/`
  const back = async (body: string, type = 'application/json'): Promise<string> => {
    const answer = await browser.fetch(`/launches/${launch}/reauthorize`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    })
    t.equal(answer.status, 200, body.slice(0, 60))
    return (await browser.navigate(await locationOf(answer))).url
  }
  const at = (path: unknown): Promise<string> => back(JSON.stringify({ at: path }))
  for (const path of ['vitals', 'vitals/trend/', 'vitals?range=7d&of=bp', 'a/b?c=d#/e/f%20g']) {
    // The server sees no fragment.
    t.equal((await at(path)).split('#')[0], `${start}${path.split('#')[0]}`, path)
  }
  const elsewhere =
    `/evil.example //evil.example/x \\\\evil.example https://evil.example/ ../../launch
    a/../../x %2e%2e/x a/./b .hidden a//b @evil.example/.. a?b=<script> a#" é`.split(/\s+/)
  const broken = ['a\r\nset-cookie: x=y', 'a b', 'a?\u0000', 'x'.repeat(1025)]
  for (const path of [...elsewhere, ...broken]) t.equal(await at(path), start, path.slice(0, 40))
  for (const odd of [7, null, ['vitals'], { path: 'vitals' }]) t.equal(await at(odd), start)
  t.equal(await back('{}'), start)
  t.equal(await back('null'), start)
  const long = { method: 'POST', headers: { 'content-type': 'application/json' } }
  const body = JSON.stringify({ at: 'x'.repeat(5000) })
  t.equal((await browser.fetch(`/launches/${launch}/reauthorize`, { ...long, body })).status, 400)
})

t.test('another user or patient is refused, recorded, and changes nothing', async (t) => {
  const { hospital, browser, first, second, ada, bob, as, open } = await setUp(t)
  const launch = await open()
  for (const other of [() => as(second, ada), () => as(first, bob)]) {
    other()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { response } = await browser.navigate(
      await locationOf(await reauthorize(browser, launch)),
    )
    t.equal(response.status, 403)
    // oxlint-disable-next-line no-await-in-loop -- see above
    t.match(await response.text(), /another user, or opened another patient/)
  }
  t.match(await infoOf(browser, launch), { state: 'active', patient: first.id })
  t.equal((await browser.fetch(`/fhir/${launch}/Patient/${first.id}`)).status, 200)
  t.match(
    (await hospital.audit()).filter(({ event }) => event === 'launch.failed'),
    [{ reason: 'LAUNCH_REAUTHORIZED_OTHER' }, { reason: 'LAUNCH_REAUTHORIZED_OTHER' }],
  )
})

t.test('the way back works in its own browser, its own session and once', async (t) => {
  const { hospital, browser, open } = await setUp(t)
  const launch = await open()
  const location = await locationOf(await reauthorize(browser, launch))
  t.equal((await hospital.browser().navigate(location)).response.status, 400)

  const again = await locationOf(await reauthorize(browser, launch))
  await browser.fetch('/session', { method: 'DELETE' })
  t.equal((await browser.navigate(again)).response.status, 401, 'an ended launch is not revived')
})

t.test('an EHR launch is opened again from the chart', async (t) => {
  const { browser, first } = await setUp(t)
  const { launch } = await browser.launch({ patient: first.id })
  const answer = await reauthorize(browser, launch)
  t.equal(answer.status, 401)
  t.match(await answer.json(), { state: 'authorization_expired', sentence: /open the app again/ })
  t.equal((await reauthorize(browser, 'somebody-elses-launch')).status, 401)
})

t.test('a draft: read, written and removed as it was read', async (t) => {
  const { browser, open } = await setUp(t)
  const launch = await open()
  const none = await draftOf(browser, launch)
  t.equal(none.status, 204)
  t.equal(none.headers.get('cache-control'), 'no-store')
  t.equal((await put(browser, launch, null, '{}')).status, 428)
  t.equal((await put(browser, launch, '*', '{}')).status, 428)
  t.equal((await put(browser, launch, '"other"', '{}')).status, 412)

  const written = await put(browser, launch, none.headers.get('etag'), '{ "note": "x" }')
  t.equal(written.status, 204)
  const read = await draftOf(browser, launch)
  t.same(await read.json(), { note: 'x' })
  t.equal(read.headers.get('etag'), written.headers.get('etag'))
  const stale = await put(browser, launch, none.headers.get('etag'), '{}')
  t.equal(stale.status, 412)
  t.equal(stale.headers.get('smart-bff-state'), 'write_conflict')

  const big = JSON.stringify('x'.repeat(262_144))
  t.equal((await put(browser, launch, read.headers.get('etag'), big)).status, 413)
  const most = JSON.stringify('x'.repeat(262_142))
  const full = await put(browser, launch, read.headers.get('etag'), most)
  t.equal(full.status, 204)
  t.equal((await put(browser, launch, full.headers.get('etag'), '{')).status, 400)

  const remove = (version: string) =>
    browser.fetch(`/launches/${launch}/draft`, {
      method: 'DELETE',
      headers: { 'if-match': version },
    })
  t.equal((await remove('"other"')).status, 412)
  t.equal((await remove(full.headers.get('etag') ?? '')).status, 204)
  t.equal((await draftOf(browser, launch)).status, 204)
})

t.test('a draft survives a new authorization and a new launch, and belongs to four', async (t) => {
  const { hospital, browser, first, second, ada, as, open } = await setUp(t)
  const launch = await open()
  await put(browser, launch, '"none"', '"mine"')
  hospital.sandbox.control.revoke('all')
  await browser.fetch(`/fhir/${launch}/Patient/${first.id}`)
  t.equal((await draftOf(browser, launch)).status, 200, 'also while the launch waits')
  await browser.navigate(await locationOf(await reauthorize(browser, launch)))
  t.equal(await (await draftOf(browser, launch)).json(), 'mine')
  t.equal(await (await draftOf(browser, await open())).json(), 'mine', 'the next launch')

  as(second, ada)
  t.equal((await draftOf(browser, await open())).status, 204, 'another patient')
  const { launch: chart } = await browser.launch({
    patient: first.id,
    user: `Practitioner/${ada.id}`,
  })
  t.equal((await draftOf(browser, chart)).status, 204, 'another mode')
})

t.test('a draft goes with its session, by logout or by another user', async (t) => {
  const { browser, first, ada, bob, as, open } = await setUp(t)
  await put(browser, await open(), '"none"', '"mine"')
  await browser.fetch('/session', { method: 'DELETE' })
  const launch = await open()
  t.equal((await draftOf(browser, launch)).status, 204)
  await put(browser, launch, '"none"', '"mine again"')
  as(first, bob)
  t.equal((await draftOf(browser, await open())).status, 204, 'not the other user’s')
  as(first, ada)
  t.equal((await draftOf(browser, await open())).status, 204, 'and not left for the first')
})
