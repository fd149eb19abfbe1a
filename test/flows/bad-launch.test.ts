import t, { type Test } from 'tap'
import { startHospital, type Hospital, type HospitalOptions } from '../support/hospital.ts'

/** Launches that must not open: each ends on its state's page, with a record, and asks the EHR for nothing it should not. */
async function setUp(t: Test, options: HospitalOptions = {}) {
  const hospital = await startHospital(options)
  t.teardown(() => hospital.close())
  const [first] = hospital.sandbox.patients
  if (first === undefined) throw new Error('the sandbox has no patients')
  return { hospital, browser: hospital.browser(), first, patient: first.id }
}

/** What every refusal has in common, whatever was sent. */
async function isCalmPage(
  t: Test,
  hospital: Hospital,
  response: Response,
  wanted: { status: number; state: string; reason: string },
) {
  t.equal(response.status, wanted.status, wanted.reason)
  t.equal(response.headers.get('smart-bff-state'), wanted.state)
  t.match(response.headers.get('content-type'), 'text/html')
  t.equal(response.headers.get('cache-control'), 'no-store')
  t.equal(response.headers.get('x-frame-options'), null)
  const page = await response.text()
  const incident = response.headers.get('smart-bff-request') ?? 'none'
  t.match(page, incident, 'the page shows the incident number')
  t.notOk(/\bat .*\.(ts|js):\d+|Error:/.test(page), 'no stack trace')
  const record = (await hospital.audit()).findLast((one) => one['request'] === incident)
  t.match(record, { reason: wanted.reason, state: wanted.state }, 'the number finds the record')
  return page
}

const launchUrl = (hospital: Hospital, query: string) => `${hospital.publicUrl}/launch?${query}`

t.test('a launch that cannot be trusted is refused before the EHR hears of it', async (t) => {
  const { hospital, browser } = await setUp(t)
  const iss = encodeURIComponent(hospital.sandbox.iss)
  const invalid = {
    status: 400,
    state: 'configuration_invalid',
    reason: 'LAUNCH_PARAMETER_INVALID',
  }
  const unknown = { ...invalid, reason: 'LAUNCH_ISS_UNKNOWN' }
  const cases: [string, string, typeof invalid][] = [
    ['no iss', 'launch=x', invalid],
    ['an unknown iss', 'iss=https%3A%2F%2Fevil.example%2Ffhir&launch=x', unknown],
    ['iss with a slash too many', `iss=${iss}%2F&launch=x`, unknown],
    ['iss in another case', `iss=${iss.toUpperCase()}&launch=x`, unknown],
    ['iss twice', `iss=${iss}&iss=${iss}&launch=x`, invalid],
    ['no launch', `iss=${iss}`, invalid],
    ['launch twice', `iss=${iss}&launch=x&launch=y`, invalid],
    ['launch oversized', `iss=${iss}&launch=${'x'.repeat(9000)}`, invalid],
  ]
  for (const [name, query, wanted] of cases) {
    await t.test(name, async (t) => {
      const { response } = await browser.navigate(launchUrl(hospital, query))
      await isCalmPage(t, hospital, response, wanted)
    })
  }
  t.same(hospital.sandbox.requests(), [], 'no outbound request')
})

t.test('a tenant closed for maintenance says so in its own words', async (t) => {
  const { hospital, browser, patient } = await setUp(t, {
    tenant: { paused: 'Back at 06:00 <soon>. Use Results in the EHR.' },
  })
  const { response } = await browser.navigate(hospital.sandbox.createLaunch({ patient }).url)
  const page = await isCalmPage(t, hospital, response, {
    status: 503,
    state: 'data_unavailable',
    reason: 'LAUNCH_TENANT_PAUSED',
  })
  t.match(page, 'Back at 06:00 &lt;soon&gt;')
  t.same(hospital.sandbox.requests(), [])
})

t.test('a refused launch has a story too: each record carries its launch', async (t) => {
  const { hospital, browser } = await setUp(t)
  await browser.navigate(launchUrl(hospital, 'iss=https%3A%2F%2Fevil.example&launch=x'))
  const refused = (await hospital.audit()).find(({ event }) => event === 'launch.refused')
  t.match(refused, { launch: /^[0-9a-f]{16}$/ })
})

t.test('an unknown tenant or mode in the launch URL', async (t) => {
  const { hospital, browser } = await setUp(t)
  for (const path of ['/launch/nobody/chart', '/launch/north/nothing']) {
    const { response } = await browser.navigate(hospital.publicUrl + path)
    t.equal(response.status, 404, path)
    t.equal(response.headers.get('smart-bff-state'), 'configuration_invalid')
  }
})

t.test('callbacks that belong to no launch of this browser', async (t) => {
  const { hospital, browser, patient } = await setUp(t)
  const ended = { status: 400, state: 'session_ended', reason: 'LAUNCH_STATE_UNKNOWN' }
  const callback = `${hospital.publicUrl}/callback/north`

  const unknown = await browser.navigate(`${callback}?code=c&state=${'s'.repeat(43)}`)
  await isCalmPage(t, hospital, unknown.response, ended)

  const without = await browser.navigate(`${callback}?code=c`)
  await isCalmPage(t, hospital, without.response, ended)

  const { trail } = await browser.launch({ patient })
  const used = trail.find((url) => url.startsWith(callback)) ?? ''
  hospital.sandbox.control.clearRequests()
  const replayed = await browser.navigate(used)
  await isCalmPage(t, hospital, replayed.response, ended)
  t.same(hospital.sandbox.requests(), [], 'a replayed state asks the EHR for nothing')
})

t.test(
  'a callback that was carried into another browser is refused, and its state is spent',
  async (t) => {
    const { hospital, browser, patient } = await setUp(t)
    const stopped = await stopBeforeCallback(hospital, browser, patient)
    const thief = hospital.browser()
    hospital.sandbox.control.clearRequests()
    const { response } = await thief.navigate(stopped)
    await isCalmPage(t, hospital, response, {
      status: 400,
      state: 'session_ended',
      reason: 'LAUNCH_STATE_FOREIGN',
    })
    t.same(hospital.sandbox.requests(), [], 'no token request')
    const late = await browser.navigate(stopped)
    t.equal(late.response.status, 400, 'nor can the first browser use it now')
  },
)

t.test('an error callback with markup shows none of it', async (t) => {
  const { hospital, browser, patient } = await setUp(t)
  hospital.sandbox.control.set({
    authorizeError: '<script>alert(1)</script><b>denied by Dr Evil</b>',
  })
  const { url } = hospital.sandbox.createLaunch({ patient })
  const { response } = await browser.navigate(url)
  const page = await isCalmPage(t, hospital, response, {
    status: 403,
    state: 'not_permitted',
    reason: 'ehr.access_denied',
  })
  t.notMatch(page, /alert\(1\)|Dr Evil/)
  t.match(response.headers.get('content-security-policy'), hospital.sandbox.origin)
  t.match(page, 'service desk', "the tenant's support text")
})

t.test('a token response with null members opens the app all the same', async (t) => {
  const { hospital, browser, patient } = await setUp(t)
  hospital.sandbox.control.set({
    tokenResponse: { merge: { refresh_token: null, expires_in: null, encounter: null } },
  })
  const { launch } = await browser.launch({ patient })
  const info = await (await browser.fetch(`/launches/${launch}`)).json()
  t.match(info, { patient, encounter: null, expires: { token: null } })
})

t.test('no patient where the mode needs one', async (t) => {
  const { hospital, browser } = await setUp(t)
  const { response } = await browser.navigate(hospital.sandbox.createLaunch({}).url)
  await isCalmPage(t, hospital, response, {
    status: 403,
    state: 'patient_context_missing',
    reason: 'LAUNCH_PATIENT_MISSING',
  })
  const revoked = hospital.sandbox.requests().filter(({ path }) => path === '/oauth/revoke')
  t.equal(revoked.length, 1, 'the tokens of a refused launch go back')
})

t.test('several patients, or a visit without its patient: each says what to do next', async (t) => {
  const { hospital, browser, patient } = await setUp(t)
  const rows = [
    [{ patient: ['a', 'b'] }, 'LAUNCH_PATIENT_SEVERAL', /Choose one patient in the EHR/],
    [{ patient: null, encounter: 'e1' }, 'LAUNCH_ENCOUNTER_ALONE', /and the visit in it/],
    [{ patient: null }, 'LAUNCH_PATIENT_MISSING', /Open a patient’s chart in the EHR/],
  ] as const
  for (const [merge, reason, next] of rows) {
    hospital.sandbox.control.set({ tokenResponse: { merge } })
    // oxlint-disable-next-line no-await-in-loop -- one launch after the other
    const { response } = await browser.navigate(hospital.sandbox.createLaunch({ patient }).url)
    // oxlint-disable-next-line no-await-in-loop -- see above
    t.match(await response.clone().text(), next)
    const state = 'patient_context_missing'
    // oxlint-disable-next-line no-await-in-loop -- see above
    await isCalmPage(t, hospital, response, { status: 403, state, reason })
  }
})

t.test('a patient that is not a FHIR id is no patient', async (t) => {
  const { hospital, browser, patient } = await setUp(t)
  for (const value of [7, null, 'Patient/x', ['a', 'b'], { id: 'a' }, '../x']) {
    hospital.sandbox.control.set({ tokenResponse: { merge: { patient: value } } })
    const { response } = await browser.navigate(hospital.sandbox.createLaunch({ patient }).url)
    t.equal(
      response.headers.get('smart-bff-state'),
      'patient_context_missing',
      JSON.stringify(value),
    )
  }
})

t.test('a wrong id_token opens nothing', async (t) => {
  const { hospital, browser, patient } = await setUp(t)
  const wrong: Record<string, Record<string, unknown>> = {
    'another audience': { aud: 'other-app' },
    'another issuer': { iss: 'https://evil.example' },
    expired: { exp: 1_000_000 },
    'no subject': { sub: null },
  }
  for (const [name, claims] of Object.entries(wrong)) {
    hospital.sandbox.control.set({ idToken: claims })
    const { response } = await browser.navigate(hospital.sandbox.createLaunch({ patient }).url)
    await isCalmPage(t, hospital, response, {
      status: 403,
      state: 'not_permitted',
      reason: 'LAUNCH_IDENTITY_INVALID',
    })
    t.comment(name)
  }
})

t.test('a user of another kind than the mode is for', async (t) => {
  const { hospital, browser, patient } = await setUp(t)
  hospital.sandbox.control.set({ idToken: { fhirUser: `Patient/${patient}` } })
  const { response } = await browser.navigate(hospital.sandbox.createLaunch({ patient }).url)
  await isCalmPage(t, hospital, response, {
    status: 403,
    state: 'not_permitted',
    reason: 'LAUNCH_USER_KIND',
  })
})

t.test('an EHR that is down, slow in discovery or refuses the code', async (t) => {
  const { hospital, browser, patient } = await setUp(t)
  const open = async () => browser.navigate(hospital.sandbox.createLaunch({ patient }).url)
  const unavailable = { status: 502, state: 'data_unavailable' }

  hospital.sandbox.control.setFaults([{ where: 'discovery', kind: 'status', status: 500 }])
  const undiscovered = await open()
  await isCalmPage(t, hospital, undiscovered.response, {
    ...unavailable,
    reason: 'EHR_DISCOVERY_FAILED',
  })

  hospital.sandbox.control.setFaults([
    { where: 'token', kind: 'status', status: 400, body: { error: 'invalid_grant', patient: 'x' } },
  ])
  const refused = await open()
  await isCalmPage(t, hospital, refused.response, { ...unavailable, reason: 'ehr.invalid_grant' })

  hospital.sandbox.control.setFaults([{ where: 'token', kind: 'reset' }])
  const cut = await open()
  await isCalmPage(t, hospital, cut.response, { ...unavailable, reason: 'EHR_UNREACHABLE' })

  hospital.sandbox.control.setFaults([])
  t.equal((await open()).response.status, 200, 'and the next launch opens')
})

t.test('a code exchange without scope grants nothing', async (t) => {
  const { hospital, browser, patient } = await setUp(t)
  hospital.sandbox.control.set({ tokenResponse: { remove: ['scope'] } })
  const { launch } = await browser.launch({ patient })
  const answer = await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
  t.equal(answer.status, 403)
  t.equal(answer.headers.get('smart-bff-state'), 'scope_insufficient')
})

t.test(
  'a launch in a browser that keeps no cookie is told so, and its launch value is unspent',
  async (t) => {
    const { hospital, patient } = await setUp(t)
    const { url } = hospital.sandbox.createLaunch({ patient })
    const first = await fetch(url, { redirect: 'manual' })
    const probe = new URL(first.headers.get('location') ?? '', url)
    t.match(probe.search, 'probe=')
    const second = await fetch(probe, { redirect: 'manual', headers: { accept: 'text/html' } })
    const page = await isCalmPage(t, hospital, second, {
      status: 400,
      state: 'session_ended',
      reason: 'LAUNCH_COOKIE_NOT_KEPT',
    })
    t.same(hospital.sandbox.requests(), [], 'nothing was sent to the EHR')
    const link = /href="(\/launch\?[^"]+)"/.exec(page)?.[1]?.replaceAll('&amp;', '&') ?? ''
    const reopened = await hospital.browser().navigate(hospital.publicUrl + link)
    t.match(reopened.url, '/app/', 'the same launch opens in a window of its own')
  },
)

async function stopBeforeCallback(
  hospital: Hospital,
  browser: ReturnType<Hospital['browser']>,
  patient: string,
): Promise<string> {
  let url = hospital.sandbox.createLaunch({ patient }).url
  while (!url.includes('/callback/')) {
    const response = await browser.jar.fetch(url)
    url = new URL(response.headers.get('location') ?? '', url).href
  }
  return url
}
