import { createHash } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { decodeJwt } from 'jose'
import t from 'tap'
import type { Fault, LeakPosition } from '../../src/sandbox/control/faults.ts'
import { startSandbox } from '../../src/sandbox/sandbox.ts'
import { authorize, authorizeParameters, clientId, fhir, launchApp, pkce, token } from './app.ts'

const sandbox = await startSandbox()
t.teardown(() => sandbox.close())
t.beforeEach(() => sandbox.control.reset())
const amara = sandbox.patient('amara')
const scope = 'offline_access openid fhirUser patient/*.rs'

t.test('the log shows each request without its token', async (t) => {
  const answer = await launchApp(sandbox, scope)
  await fhir(sandbox, answer, `/Observation?patient=${amara.id}&_count=1`)
  const [authorized, exchanged, read] = sandbox.requests()
  t.match(authorized, { where: 'authorize', method: 'GET', status: 303, cookie: false })
  t.match(exchanged, { where: 'token', form: { grant_type: ['authorization_code'] }, status: 200 })
  const sha256 = createHash('sha256').update(answer.access_token).digest('hex')
  t.match(read, {
    where: 'fhir',
    path: '/fhir/r4/Observation',
    query: { patient: [amara.id], _count: ['1'] },
    authorization: { scheme: 'Bearer', sha256 },
    status: 200,
  })
  t.notMatch(JSON.stringify(read), answer.access_token)
})

t.test('faults', async (t) => {
  const answer = await launchApp(sandbox, scope)
  const read = () => fhir(sandbox, answer, `/Patient/${amara.id}`)
  const set = (...faults: Fault[]) => sandbox.control.setFaults(faults)

  set({ where: 'fhir', kind: 'status', status: 503, headers: { 'retry-after': '7' }, times: 1 })
  const refused = await read()
  t.equal(refused.status, 503)
  t.equal(refused.headers.get('retry-after'), '7')
  t.equal((await read()).status, 200, 'once means once')

  set({ where: 'fhir', kind: 'reset' })
  await t.rejects(read())
  t.match(sandbox.requests().at(-1), { fault: 'reset' })

  set({ where: 'fhir', kind: 'truncate' })
  await t.rejects(read())

  set({ where: 'fhir', kind: 'body', body: '<html>', contentType: 'text/html' })
  t.match(await read(), { status: 200, text: '<html>' })

  set({ where: 'fhir', kind: 'redirect', location: 'http://other.invalid/' })
  const raw = await fetch(`${sandbox.iss}/Patient/1`, { redirect: 'manual' })
  t.equal(raw.headers.get('location'), 'http://other.invalid/')

  for (const kind of ['delay', 'delay-after'] as const) {
    set({ where: 'fhir', kind, delayMs: 60 })
    const start = Date.now()
    t.equal((await read()).status, 200)
    t.ok(Date.now() - start >= 55, kind)
  }

  set({ where: 'fhir', match: { method: 'PUT' }, kind: 'reset' })
  t.equal((await read()).status, 200, 'another method is untouched')
  set({ where: 'fhir', match: { path: 'Condition' }, kind: 'reset' })
  t.equal((await read()).status, 200, 'another path is untouched')

  set({ where: 'discovery', kind: 'status', status: 404 })
  t.equal((await fetch(`${sandbox.iss}/.well-known/smart-configuration`)).status, 404)
  set({ where: 'jwks', kind: 'status', status: 500 })
  t.equal((await fetch(`${sandbox.origin}/oauth/jwks`)).status, 500)
})

t.test('an answer lost after the write has still written', async (t) => {
  const answer = await launchApp(sandbox, 'patient/Observation.crs')
  sandbox.control.setFaults([{ where: 'fhir', match: { method: 'POST' }, kind: 'reset-after' }])
  const body = {
    resourceType: 'Observation',
    id: 'lost-answer',
    status: 'final',
    code: { text: 'Lost' },
    subject: { reference: `Patient/${amara.id}` },
  }
  await t.rejects(fhir(sandbox, answer, '/Observation', { method: 'POST', body }))
  t.equal((await fhir(sandbox, answer, '/Observation/lost-answer')).status, 200)
})

t.test('faults at the token endpoint use up the code or the refresh token', async (t) => {
  const answer = await launchApp(sandbox, scope)
  sandbox.control.setFaults([{ where: 'token', kind: 'reset-after', times: 1 }])
  const form = {
    grant_type: 'refresh_token',
    refresh_token: answer.refresh_token ?? '',
    client_id: clientId,
  }
  await t.rejects(token(sandbox, form))
  t.equal((await token(sandbox, form)).body.error, 'invalid_grant')
})

t.test('leaks put another patient in every position', async (t) => {
  const answer = await launchApp(sandbox, scope)
  const positions: LeakPosition[] = [
    'entry',
    'first-entry',
    'include',
    'outcome-entry',
    'history',
    'contained',
    'subject-only',
    'nested-bundle',
    'parameters',
    'instead',
  ]
  const others = sandbox.patients.filter(({ id }) => id !== amara.id).map(({ id }) => id)
  const foreign = (text: string) => others.some((id) => text.includes(`Patient/${id}`))
  for (const position of positions) {
    sandbox.control.setFaults([{ where: 'fhir', kind: 'leak', position }])
    const list = await fhir(sandbox, answer, `/Condition?patient=${amara.id}`)
    t.equal(list.status, 200)
    t.ok(foreign(list.text), position)
  }
  sandbox.control.setFaults([
    { where: 'fhir', kind: 'leak', position: 'instead', patient: sandbox.patient('bart').id },
  ])
  const read = await fhir(sandbox, answer, `/Patient/${amara.id}`)
  t.equal(read.body.id, sandbox.patient('bart').id)
  sandbox.control.setFaults([])
  t.notOk(foreign((await fhir(sandbox, answer, `/Condition?patient=${amara.id}`)).text))
})

t.test('the clock, lifetimes and revocation', async (t) => {
  sandbox.control.set({ accessTokenSeconds: 60 })
  const answer = await launchApp(sandbox, scope)
  const status = async () => (await fhir(sandbox, answer, `/Patient/${amara.id}`)).status
  t.equal(answer['expires_in'], 60)
  t.equal(await status(), 200)
  sandbox.control.set({ clockOffsetSeconds: 120 })
  t.equal(await status(), 401)
  const later = await launchApp(sandbox, scope)
  t.equal((await fhir(sandbox, later, `/Patient/${amara.id}`)).status, 200)
  const { iat = 0 } = decodeJwt(later.id_token ?? '')
  t.ok(Math.abs(iat - Date.now() / 1000 - 120) < 10, 'the id_token is from the same clock')
  t.equal(sandbox.control.revoke('access'), 2)
  t.equal((await fhir(sandbox, later, `/Patient/${amara.id}`)).status, 401)
  t.equal(sandbox.control.revoke('all'), 2)
})

t.test('what is granted and answered can be made wrong', async (t) => {
  sandbox.control.set({ grantedScopes: 'launch patient/Patient.r' })
  const less = await launchApp(sandbox, scope)
  t.equal(less.scope, 'launch patient/Patient.r')
  t.notOk(less.id_token)
  t.equal((await fhir(sandbox, less, `/Condition?patient=${amara.id}`)).status, 403)
  sandbox.control.set({
    grantedScopes: null,
    tokenResponse: { merge: { refresh_token: null, patient: 'other' }, remove: ['scope'] },
    idToken: { aud: 'somebody-else', fhirUser: null },
  })
  const wrong = await launchApp(sandbox, scope)
  t.match(wrong, { refresh_token: null, patient: 'other' })
  t.notOk('scope' in wrong)
  const claims = decodeJwt(wrong.id_token ?? '')
  t.equal(claims.aud, 'somebody-else')
  t.notOk('fhirUser' in claims)
  sandbox.control.set({ discovery: { jwks_uri: null, issuer: `${sandbox.origin}/other` } })
  const discovered = await fetch(`${sandbox.iss}/.well-known/smart-configuration`)
  const document = (await discovered.json()) as Record<string, unknown>
  t.notOk('jwks_uri' in document)
  t.equal(document['issuer'], `${sandbox.origin}/other`)
  sandbox.control.set({ authorizeError: '<b>no</b>' })
  const { launch } = sandbox.createLaunch({ patient: amara.id })
  const asked = authorizeParameters(sandbox, 'launch', pkce().challenge, { launch })
  const { answer } = await authorize(sandbox, asked)
  t.equal(answer.get('error'), 'access_denied')
  t.equal(answer.get('error_description'), '<b>no</b>')
})

t.test('the same controls over HTTP', async (t) => {
  const url = `${sandbox.origin}/_control`
  const call = async (method: string, path: string, body?: unknown) => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const response = await fetch(`${url}${path}`, { method, ...sent })
    return { status: response.status, body: (await response.json()) as unknown[] }
  }
  const faults = [{ where: 'token', kind: 'reset' }]
  t.match(await call('PUT', '/faults', faults), { status: 200, body: faults })
  t.match(await call('PUT', '/settings', { paging: 'hapi' }), { body: { paging: 'hapi' } })
  t.match(await call('GET', ''), { body: { settings: { paging: 'hapi' }, faults } })
  t.match(await call('POST', '/launches', { patient: amara.id }), {
    status: 201,
    body: { launch: String, url: /^http:\/\/localhost:3000\/launch\?iss=.+&launch=.+/ },
  })
  t.equal((await call('GET', '/patients')).body.length, sandbox.patients.length)
  t.match(await call('POST', '/revoke', { which: 'all' }), { body: { revoked: 0 } })
  t.equal((await call('PUT', '/faults', undefined)).status, 400)
  t.equal((await call('GET', '/nothing')).status, 404)
  await fetch(`${sandbox.iss}/metadata`)
  t.equal((await call('GET', '/requests')).body.length, 1)
  await call('DELETE', '/requests')
  t.equal((await call('GET', '/requests')).body.length, 0)
  await call('POST', '/reset')
  t.equal(sandbox.control.settings().paging, 'offset')
})

t.test('a foreign page cannot use the controls', async (t) => {
  const headers = { origin: 'http://evil.example' }
  const response = await fetch(`${sandbox.origin}/_control/reset`, { method: 'POST', headers })
  t.equal(response.status, 403)
  const rebound = await new Promise<number | undefined>((resolve, reject) => {
    const { hostname, port } = new URL(sandbox.origin)
    const options = { hostname, port, path: '/_control', headers: { host: 'evil.example' } }
    httpRequest(options, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    })
      .on('error', reject)
      .end()
  })
  t.equal(rebound, 403)
})
