import t, { type Test } from 'tap'
import type { LaunchInfo } from '../../src/browser/launch-info.ts'
import { rawMode } from '../support/config.ts'
import { startHospital, type Hospital, type TestBrowser } from '../support/hospital.ts'
import { startServer } from '../support/http.ts'

const modes = [
  rawMode(),
  rawMode({
    id: 'letters',
    scopes: ['launch', 'openid', 'fhirUser', 'patient/Condition.rs'],
    allow: [
      {
        feature: 'Problems',
        resource: 'Condition',
        interactions: ['search-type'],
        search: ['code'],
      },
    ],
  }),
  rawMode({
    id: 'desk',
    launch: 'standalone',
    scopes: ['launch/patient', 'launch/encounter', 'openid', 'fhirUser', 'patient/Patient.r'],
    allow: [{ feature: 'Patient banner', resource: 'Patient', interactions: ['read'] }],
  }),
  rawMode({ id: 'portal', user: 'patient' }),
]

async function setUp(t: Test, quirks: Record<string, unknown> = {}) {
  const hospital = await startHospital({ tenant: { modes, quirks } })
  t.teardown(() => hospital.close())
  const [first, second] = hospital.sandbox.patients
  if (first === undefined || second === undefined) throw new Error('the sandbox has no patients')
  const browser = hospital.browser()
  return { hospital, browser, first, second }
}

/** The EHR's click on the launch URL of one mode. */
async function launchInto(
  hospital: Hospital,
  browser: TestBrowser,
  mode: string,
  context: Parameters<TestBrowser['launch']>[0],
) {
  const url = new URL(hospital.sandbox.createLaunch(context).url)
  url.pathname = `/launch/north/${mode}`
  return browser.navigate(url.href)
}

const launchOf = (url: string): string => /\/app\/([\w-]+)\/$/.exec(url)?.[1] ?? ''

const infoOf = async (browser: TestBrowser, launch: string): Promise<LaunchInfo> =>
  (await (await browser.fetch(`/launches/${launch}`)).json()) as LaunchInfo

t.test(
  'standalone: the app asks for patient and encounter, and sends no launch @36 @166',
  async (t) => {
    const { hospital, browser, first } = await setUp(t)
    hospital.sandbox.control.set({ standalone: { patient: first.id, encounter: 'e-17' } })
    const { url } = await browser.navigate(`${hospital.publicUrl}/launch/north/desk`)
    const info = await infoOf(browser, launchOf(url))
    t.match(info, { mode: 'desk', patient: first.id, encounter: 'e-17' })
    const asked = hospital.sandbox.requests().find(({ where }) => where === 'authorize')
    t.notOk('launch' in (asked?.query ?? {}))
    t.same(asked?.query['aud'], [hospital.sandbox.iss])
    t.match(asked?.query['scope']?.[0], /^launch\/patient launch\/encounter /)

    const wrong = await browser.navigate(
      `${hospital.publicUrl}/launch/north/desk?iss=${encodeURIComponent(hospital.sandbox.iss)}&launch=x`,
    )
    t.equal(wrong.response.status, 400, 'an EHR launch does not enter through the standalone door')
  },
)

t.test('standalone without a patient where the mode needs one', async (t) => {
  const { hospital, browser } = await setUp(t)
  hospital.sandbox.control.set({ standalone: {} })
  const { response } = await browser.navigate(`${hospital.publicUrl}/launch/north/desk`)
  t.equal(response.status, 403)
  t.equal(response.headers.get('smart-bff-state'), 'patient_context_missing')
})

t.test('modes are walls: tokens, scopes and rules of one never serve another', async (t) => {
  const { hospital, browser, first } = await setUp(t)
  const chart = launchOf((await launchInto(hospital, browser, 'chart', { patient: first.id })).url)
  const letters = launchOf(
    (await launchInto(hospital, browser, 'letters', { patient: first.id })).url,
  )
  const [inChart, inLetters] = [await infoOf(browser, chart), await infoOf(browser, letters)]
  t.equal(inChart.mode, 'chart')
  t.equal(inLetters.mode, 'letters')
  t.notOk(inChart.scopes.includes('patient/Condition.rs'))
  t.notOk(inLetters.scopes.includes('patient/Observation.rs'))
  t.same(
    inLetters.allow.map(({ feature }) => feature),
    ['Problems'],
  )

  hospital.sandbox.control.clearRequests()
  const status = async (path: string): Promise<number> =>
    (await browser.fetch(`/fhir/${path}`)).status
  t.equal(await status(`${chart}/Observation?_count=1`), 200)
  t.equal(await status(`${letters}/Condition`), 200)
  t.equal(await status(`${chart}/Condition`), 403)
  t.equal(await status(`${letters}/Observation?_count=1`), 403)
  t.equal(await status(`${letters}/Patient/${first.id}`), 403)
  const tokens = hospital.sandbox
    .requests()
    .filter(({ where }) => where === 'fhir')
    .map(({ path, authorization }) => [path, authorization?.sha256])
  t.equal(tokens.length, 2, 'what is refused is not asked of the EHR')
  t.equal(new Set(tokens.map(([, token]) => token)).size, 2, 'each mode has its own token')
})

t.test('the fhirUser must be of the kind of the mode', async (t) => {
  const { hospital, browser, first } = await setUp(t)
  const user = `Patient/${first.id}`
  const refused = await launchInto(hospital, browser, 'chart', { patient: first.id, user })
  t.equal(refused.response.status, 403)
  t.equal(refused.response.headers.get('smart-bff-state'), 'not_permitted')
  const clinician = await launchInto(hospital, browser, 'portal', { patient: first.id })
  t.equal(clinician.response.status, 403)
  t.equal((await hospital.audit()).at(-1)?.['reason'], 'LAUNCH_USER_KIND')
  const revoked = hospital.sandbox.requests().filter(({ where }) => where === 'revoke')
  t.equal(revoked.length, 2, 'the tokens of a refused launch go back')
})

t.test('proxy access: the app is told who acts and for whom', async (t) => {
  const { hospital, browser, first, second } = await setUp(t)
  const rows = [
    [`Patient/${first.id}`, 'patient'],
    [`Patient/${second.id}`, 'patient'],
    ['RelatedPerson/mother-1', 'related_person'],
  ] as const
  for (const [user, kind] of rows) {
    const launched = await launchInto(hospital, browser, 'portal', { patient: first.id, user })
    const info = await infoOf(browser, launchOf(launched.url))
    t.match(info, { patient: first.id, user: { fhirUser: user, kind } })
  }
  const audit = await hospital.auditText()
  t.notOk(audit.includes(first.id) || audit.includes(second.id) || audit.includes('mother-1'))
})

t.test('the launch context reaches the app, and nothing that it did not ask for', async (t) => {
  const { hospital, browser, first } = await setUp(t)
  hospital.sandbox.control.set({
    tokenResponse: { merge: { loginDepartment: '17', need_patient_banner: 'false' } },
  })
  const { launch } = await browser.launch({
    patient: first.id,
    encounter: 'e1',
    intent: 'reconcile-medications',
    tenant: 'org-9',
    fhirContext: [
      { reference: `${hospital.sandbox.iss}/ImagingStudy/1` },
      { canonical: 'https://forms.example/q|1', type: 'Questionnaire' },
      { identifier: { system: 'urn:oid:1.2', value: '17' }, role: 'https://roles.example/x' },
      { reference: 'Patient/someone-else' },
    ],
  })
  t.match(await infoOf(browser, launch), {
    encounter: 'e1',
    intent: 'reconcile-medications',
    needPatientBanner: false,
    fhirContext: [
      { reference: 'ImagingStudy/1' },
      { canonical: 'https://forms.example/q|1', type: 'Questionnaire' },
      { identifier: { system: 'urn:oid:1.2', value: '17' }, role: 'https://roles.example/x' },
    ],
  })
  t.notMatch(JSON.stringify(await infoOf(browser, launch)), /loginDepartment|someone-else/)
  const exchanged = (await hospital.audit()).find(({ event }) => event === 'token.exchanged')
  t.same(exchanged?.['context'], [
    'patient',
    'encounter',
    'fhirContext',
    'need_patient_banner',
    'intent',
    'tenant',
  ])
})

t.test("the EHR's style is fetched by the server, from a listed host, and checked", async (t) => {
  let asked = 0
  const look = await startServer((request, response) => {
    asked += 1
    t.notOk(request.headers.authorization ?? request.headers.cookie)
    response.setHeader('content-type', 'application/json')
    const style = { color_text: '#123456', dim_font_size: '13px', color_error: 'url(//evil)' }
    response.end(JSON.stringify({ ...style, unknown: '1', font_family_body: "'Open Sans', serif" }))
  })
  t.teardown(() => look.close())
  const host = `127.0.0.1:${look.port}`
  const { hospital, browser, first } = await setUp(t, { styleHosts: [host] })
  const styleOf = async (smartStyleUrl: string) => {
    const { launch } = await browser.launch({ patient: first.id, smartStyleUrl })
    return (await infoOf(browser, launch)).style
  }
  const expected = {
    color_text: '#123456',
    dim_font_size: '13px',
    font_family_body: "'Open Sans', serif",
  }
  t.same(await styleOf(`http://${host}/style-1.json`), expected)
  t.same(await styleOf(`http://${host}/style-1.json`), expected)
  t.equal(asked, 1, 'the URL is the version: asked once')
  t.equal(await styleOf(`${hospital.sandbox.origin}/style.json`), null, 'a host not listed')
  t.equal(await styleOf(`http://${host}@127.0.0.1/style.json`), null)
  t.equal(asked, 1)
})

t.test('RFC 9207: an answer that names another issuer is refused before any token', async (t) => {
  const { hospital, browser, first } = await setUp(t)
  for (const forge of [
    (query: URLSearchParams) => query.set('iss', 'https://attacker.example'),
    // The sandbox says that it sends iss, so an answer without it is not the sandbox's.
    (query: URLSearchParams) => query.delete('iss'),
  ]) {
    hospital.sandbox.control.clearRequests()
    const link = hospital.sandbox.createLaunch({ patient: first.id }).url
    const answer = await browser.navigate(link, (step) => {
      const next = new URL(step)
      if (next.pathname === '/callback/north') forge(next.searchParams)
      return next.href
    })
    t.equal(answer.response.status, 400)
    t.same(
      hospital.sandbox.requests().filter(({ where }) => where === 'token'),
      [],
    )
  }
})

t.test('nonce: sent where the vendor echoes it, and required back', async (t) => {
  const { hospital, browser, first } = await setUp(t, { nonce: true })
  t.ok((await browser.launch({ patient: first.id })).launch)
  const asked = hospital.sandbox.requests().find(({ where }) => where === 'authorize')
  t.match(asked?.query['nonce']?.[0], /^[\w-]{43}$/)
  for (const nonce of ['another', null]) {
    hospital.sandbox.control.set({ idToken: { nonce } })
    await t.rejects(browser.launch({ patient: first.id }), /403/, String(nonce))
  }
})
