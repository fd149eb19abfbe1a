import t, { type Test } from 'tap'
import { rawMode } from '../support/config.ts'
import { startHospital, type HospitalOptions } from '../support/hospital.ts'

/** The items "Launch" and "Authorize" of the acceptance checklist, each under its name. */

async function setUp(t: Test, options: HospitalOptions = {}) {
  const hospital = await startHospital(options)
  t.teardown(() => hospital.close())
  const { sandbox, publicUrl } = hospital
  const [first, second] = sandbox.patients
  if (first === undefined || second === undefined) throw new Error('the sandbox has no patients')
  const browser = hospital.browser()
  const authorizations = () => sandbox.requests().filter(({ where }) => where === 'authorize')
  const tokens = () => sandbox.requests().filter(({ where }) => where === 'token')
  /** A launch up to the callback, which is not visited. */
  const callbackUrl = async (): Promise<string> => {
    let callback = ''
    await browser.navigate(sandbox.createLaunch({ patient: first.id }).url, (step) => {
      if (new URL(step).pathname !== '/callback/north') return step
      callback = step
      return `${publicUrl}/healthz`
    })
    return callback
  }
  return {
    hospital,
    sandbox,
    browser,
    publicUrl,
    first,
    second,
    authorizations,
    tokens,
    callbackUrl,
  }
}

const parameters = [
  'aud',
  'client_id',
  'code_challenge',
  'code_challenge_method',
  'launch',
  'redirect_uri',
  'response_type',
  'scope',
  'state',
]

t.test('unknown iss rejected with no outbound call', async (t) => {
  const { browser, sandbox, publicUrl } = await setUp(t)
  const { iss } = sandbox
  for (const wrong of [
    `${iss}/`,
    iss.toUpperCase(),
    `${iss}?x=1`,
    'https://elsewhere.example/r4',
  ]) {
    const query = new URLSearchParams({ iss: wrong, launch: 'xyz' })
    const { response } = await browser.navigate(`${publicUrl}/launch?${query.toString()}`)
    t.equal(response.status, 400, wrong)
    t.equal(response.headers.get('smart-bff-state'), 'configuration_invalid')
  }
  t.same(sandbox.requests(), [])
})

t.test('iss with/without slash kept verbatim in aud', async (t) => {
  for (const [vendor, ending] of [
    ['generic', '/fhir/r4'],
    ['medplum', '/fhir/r4/'],
  ] as const) {
    const { browser, sandbox, first, authorizations } = await setUp(t, { vendor })
    await browser.launch({ patient: first.id })
    t.ok(sandbox.iss.endsWith(ending))
    t.same(authorizations()[0]?.query['aud'], [sandbox.iss], '@41 @42')
  }
})

t.test('missing launch on /launch rejected', async (t) => {
  const { browser, sandbox, publicUrl } = await setUp(t)
  const query = new URLSearchParams({ iss: sandbox.iss })
  for (const launch of ['', '&launch=', '&launch=a&launch=b']) {
    const url = `${publicUrl}/launch?${query.toString()}${launch}`
    t.equal((await browser.navigate(url)).response.status, 400, launch)
  }
  t.same(sandbox.requests(), [])
})

t.test('two parallel launches in one browser keep separate patients', async (t) => {
  const { browser, first, second } = await setUp(t)
  const both = [first, second]
  const launches = await Promise.all(both.map(({ id }) => browser.launch({ patient: id })))
  for (const [index, { launch }] of launches.entries()) {
    const [own, other] = index === 0 ? [first, second] : [second, first]
    t.equal((await browser.fetch(`/fhir/${launch}/Patient/${own.id}`)).status, 200)
    t.equal((await browser.fetch(`/fhir/${launch}/Patient/${other.id}`)).status, 404)
  }
})

t.test('replayed state rejected', async (t) => {
  const { browser, first, tokens } = await setUp(t)
  const { trail } = await browser.launch({ patient: first.id })
  const callback = trail.find((url) => url.includes('/callback/')) ?? ''
  const again = await browser.navigate(callback)
  t.equal(again.response.status, 400, '@60 @61')
  t.equal(again.response.headers.get('smart-bff-state'), 'session_ended')
  t.equal(tokens().length, 1)
})

t.test('state from another session rejected', async (t) => {
  const { hospital, sandbox, publicUrl, first, callbackUrl, tokens } = await setUp(t)
  const callback = await callbackUrl()
  const stranger = hospital.browser()
  const { response } = await stranger.navigate(callback)
  t.equal(response.status, 400)
  t.same(tokens(), [], 'before any token request')
  t.match((await hospital.audit()).at(-1), { reason: 'LAUNCH_STATE_FOREIGN' })

  const another = await callbackUrl()
  const colleague = hospital.browser()
  await colleague.launch({ patient: first.id })
  await colleague.navigate(sandbox.createLaunch({ patient: first.id }).url, (step) =>
    new URL(step).pathname === '/callback/north' ? `${publicUrl}/healthz` : step,
  )
  const exchanged = tokens().length
  t.equal((await colleague.navigate(another)).response.status, 400, 'with cookies of another @61')
  t.equal(tokens().length, exchanged)
})

t.test('state entropy', async (t) => {
  const { browser, sandbox, first, authorizations } = await setUp(t)
  for (let count = 0; count < 5; count += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one browser, one launch after the other
    await browser.navigate(sandbox.createLaunch({ patient: first.id }).url)
  }
  const states = authorizations().map(({ query }) => query['state']?.[0] ?? '')
  t.equal(new Set(states).size, 5)
  for (const state of states) {
    t.equal(Buffer.from(state, 'base64url').length, 32, '256 bits, 122 asked for @39 @40')
  }
})

t.test('GET and POST', async (t) => {
  const get = await setUp(t)
  await get.browser.launch({ patient: get.first.id })
  t.equal(get.authorizations()[0]?.method, 'GET', '@50 @52')

  const post = await setUp(t, { tenant: { quirks: { authorizeMethod: 'post' } } })
  const url = post.sandbox.createLaunch({ patient: post.first.id }).url
  const { response } = await post.browser.navigate(url)
  t.equal(response.status, 200)
  const page = await response.text()
  t.match(page, `<form method="post" action="${post.sandbox.origin}/oauth/authorize">`)
  const names = [...page.matchAll(/type="hidden" name="(\w+)"/g)].map(([, name]) => String(name))
  t.same(names.toSorted(), parameters, '@51')
  t.match(response.headers.get('content-security-policy'), post.sandbox.origin)
  t.notMatch(response.headers.get('content-security-policy'), 'form-action')
  t.equal(response.headers.get('cache-control'), 'no-store')
  t.same(post.authorizations(), [], 'the browser posts it, not the server')
})

t.test('all nine parameters', async (t) => {
  const { browser, sandbox, publicUrl, first, authorizations } = await setUp(t)
  const link = sandbox.createLaunch({ patient: first.id })
  await browser.navigate(link.url)
  const [asked] = authorizations()
  t.same(Object.keys(asked?.query ?? {}).toSorted(), parameters)
  t.match(asked?.query, {
    response_type: ['code'],
    client_id: ['smart-bff-test'],
    redirect_uri: [`${publicUrl}/callback/north`],
    launch: [link.launch],
    scope: ['launch openid fhirUser patient/Patient.rs patient/Observation.rs'],
    code_challenge: [/^[\w-]{43}$/],
    code_challenge_method: ['S256'],
    aud: [sandbox.iss],
  })
})

t.test('standalone omits launch', async (t) => {
  const modes = [
    rawMode({ launch: 'standalone', scopes: ['launch/patient', 'openid', 'fhirUser'] }),
  ]
  for (const authorizeMethod of ['get', 'post-ehr-launch']) {
    const tenant = { modes, quirks: { authorizeMethod } }
    const { browser, sandbox, publicUrl, first, authorizations } = await setUp(t, { tenant })
    sandbox.control.set({ standalone: { patient: first.id } })
    await browser.navigate(`${publicUrl}/launch/north/chart`)
    const [asked] = authorizations()
    t.equal(asked?.method, 'GET')
    t.notOk('launch' in (asked?.query ?? {}), '@36')
  }
})

t.test('no max_age', async (t) => {
  const { browser, first, authorizations } = await setUp(t)
  await browser.launch({ patient: first.id })
  for (const name of ['max_age', 'prompt', 'nonce']) {
    t.notOk(name in (authorizations()[0]?.query ?? {}), `${name} @211`)
  }
})
