import t, { type Test } from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from '../../src/sandbox/control/faults.ts'
import type { Raw } from '../support/config.ts'
import { startHospital } from '../support/hospital.ts'

/** The items "Refresh" of the acceptance checklist, each under its name, and what else may happen to tokens. */

const scopes = [
  'launch',
  'openid',
  'fhirUser',
  'offline_access',
  'patient/Patient.rs',
  'patient/Observation.rs',
]

async function setUp(t: Test, options: { quirks?: Raw; keep?: boolean } = {}) {
  const hospital = await startHospital({
    tenant: { quirks: options.quirks ?? {} },
    mode: { scopes },
    refreshTokens: options.keep === true ? 'keep' : 'rotate',
  })
  t.teardown(() => hospital.close())
  const { sandbox } = hospital
  const browser = hospital.browser()
  const patient = sandbox.patient('amara').id
  const { launch } = await browser.launch({ patient, encounter: 'e1', intent: 'review' })
  const sent = (where: string) => sandbox.requests().filter((request) => request.where === where)
  const refreshes = () =>
    sent('token').filter(({ form }) => form?.['grant_type']?.[0] === 'refresh_token')
  return {
    hospital,
    sandbox,
    browser,
    patient,
    launch,
    sent,
    refreshes,
    refreshTokens: () => refreshes().map(({ form }) => form?.['refresh_token']?.[0]),
    read: () => browser.fetch(`/fhir/${launch}/Patient/${patient}`),
    info: async (): Promise<unknown> => (await browser.fetch(`/launches/${launch}`)).json(),
    /** The EHR forgets the access token, so that the next request needs a refresh. */
    expire: () => sandbox.control.revoke('access'),
    answerWith: (merge: Raw, remove: readonly string[] = []) =>
      sandbox.control.set({ tokenResponse: { merge, remove } }),
    events: async (event: string) =>
      (await hospital.audit()).filter((record) => record['event'] === event),
  }
}

t.test('single-flight under concurrency', async (t) => {
  const { expire, read, refreshes, sandbox } = await setUp(t)
  expire()
  sandbox.control.setFaults([{ where: 'token', kind: 'delay', delayMs: 100 }])
  const answers = await Promise.all(Array.from({ length: 12 }, read))
  t.same(
    answers.map(({ status }) => status),
    Array.from({ length: 12 }, () => 200),
  )
  t.equal(refreshes().length, 1)
})

t.test('a record that meets 401 with every token costs one refresh, not one a poll', async (t) => {
  const { browser, launch, read, refreshes, sandbox } = await setUp(t)
  const refused = { where: 'fhir', kind: 'status', status: 401 } as const
  sandbox.control.setFaults([{ ...refused, match: { path: '/Observation' } }])
  const poll = () => browser.fetch(`/fhir/${launch}/Observation?_count=1`)
  for (const _ of [1, 2, 3, 4, 5]) {
    const answer = await poll()
    t.equal(answer.status, 401)
    t.equal(answer.headers.get('smart-bff-state'), 'authorization_expired')
    t.equal((await read()).status, 200, 'what the EHR allows stays open')
  }
  const burst = await Promise.all(Array.from({ length: 8 }, poll))
  t.same([...new Set(burst.map(({ status }) => status))], [401])
  t.equal(refreshes().length, 1)
  const asked = sandbox.requests().filter(({ path }) => path.includes('/Observation'))
  t.equal(asked.length, 14, 'and one more try, of the first alone')
  sandbox.control.setFaults([])
  t.equal((await poll()).status, 200, 'once the EHR takes the token there is nothing to wait for')
  t.equal(refreshes().length, 1)
})

t.test('keep old token if none returned', async (t) => {
  const { expire, read, refreshTokens, answerWith } = await setUp(t, { keep: true })
  answerWith({}, ['refresh_token'])
  for (const _ of [1, 2]) {
    expire()
    t.equal((await read()).status, 200)
  }
  t.equal(new Set(refreshTokens()).size, 1)
  t.equal(refreshTokens().length, 2)
})

t.test('replace if returned', async (t) => {
  const { expire, read, refreshTokens } = await setUp(t)
  for (const _ of [1, 2, 3]) {
    expire()
    t.equal((await read()).status, 200)
  }
  t.equal(new Set(refreshTokens()).size, 3, 'each refresh token is sent once @117')
})

t.test('context preserved', async (t) => {
  const { expire, read, info, answerWith, patient } = await setUp(t)
  const context = ['patient', 'encounter', 'intent', 'need_patient_banner', 'scope']
  answerWith({}, context)
  expire()
  t.equal((await read()).status, 200)
  t.match(await info(), { patient, encounter: 'e1', intent: 'review', needPatientBanner: true })
  t.match(await info(), { scopes }, 'and the scopes')
  answerWith({ encounter: 'e2', need_patient_banner: 'false', intent: null })
  expire()
  t.equal((await read()).status, 200)
  const merged = { patient, encounter: 'e2', intent: 'review', needPatientBanner: false }
  t.match(await info(), merged, 'what comes is laid over what was there')
})

t.test('null members', async (t) => {
  const { expire, read, answerWith, info, patient } = await setUp(t, { keep: true })
  const names = ['refresh_token', 'id_token', 'expires_in', 'scope', 'patient', 'encounter']
  answerWith(Object.fromEntries(names.map((name) => [name, null])))
  expire()
  t.equal((await read()).status, 200)
  t.match(await info(), { patient, encounter: 'e1', scopes })
})

t.test('invalid_grant (400/401/403) -> relaunch state', async (t) => {
  for (const status of [400, 401, 403]) {
    const { expire, read, refreshes, sandbox, events } = await setUp(t)
    const body = { error: 'invalid_grant', error_description: 'secret text' }
    const fault: Fault = { where: 'token', kind: 'status', status, body }
    sandbox.control.setFaults([fault])
    expire()
    const answer = await read()
    t.equal(answer.status, 401, `${status}`)
    t.equal(answer.headers.get('smart-bff-state'), 'authorization_expired')
    t.notMatch(await answer.text(), /secret text/)
    await read()
    t.equal(refreshes().length, 1, 'a refused token is not sent again')
    t.match(await events('token.refused'), [{ reason: 'invalid_grant' }])
  }
})

const passing: readonly Fault[] = [
  { where: 'token', kind: 'status', status: 503 },
  { where: 'token', kind: 'status', status: 500, body: { error: 'server_error' } },
  { where: 'token', kind: 'status', status: 429, headers: { 'retry-after': '1' } },
  { where: 'token', kind: 'status', status: 400, body: '<html>', contentType: 'text/html' },
  { where: 'token', kind: 'status', status: 400, body: { error: 'temporarily_unavailable' } },
  { where: 'token', kind: 'status', status: 200, body: '<html>', contentType: 'text/html' },
  { where: 'token', kind: 'redirect', location: 'https://elsewhere.example/token' },
  { where: 'token', kind: 'reset' },
]

t.test('a fault that passes ends nothing', async (t) => {
  // Side by side, because the next try after each of them waits.
  const met = passing.map(async (fault) => {
    const { expire, read, sandbox, refreshTokens, info, events } = await setUp(t)
    const name = JSON.stringify(fault)
    sandbox.control.setFaults([fault])
    expire()
    for (const _ of [1, 2]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const answer = await read()
      t.equal(answer.headers.get('smart-bff-state'), 'data_unavailable', name)
      t.equal(refreshTokens().length, 1, `${name}: asked once, and not at once again`)
    }
    t.match(await info(), { state: 'active' }, name)
    t.match(await events('token.refused'), [{ outcome: 'failed' }], name)
    sandbox.control.setFaults([])
    await until(async () => (await read()).status === 200)
    t.equal(refreshTokens().length, 2, name)
    t.equal(new Set(refreshTokens()).size, 1, `${name}: the refresh token that was not used up`)
  })
  await Promise.all(met)
})

t.test('invalid_client is about us: the launch lives on when the EHR knows us again', async (t) => {
  const { expire, read, sandbox } = await setUp(t)
  const body = { error: 'invalid_client' }
  sandbox.control.setFaults([{ where: 'token', kind: 'status', status: 401, body, times: 1 }])
  expire()
  t.equal((await read()).headers.get('smart-bff-state'), 'data_unavailable')
  await until(async () => (await read()).status === 200)
})

t.test('scope narrowing detected', async (t) => {
  const { expire, read, info, answerWith, browser, launch, events } = await setUp(t)
  const kept = 'launch openid fhirUser offline_access patient/Patient.read'
  answerWith({ scope: kept })
  expire()
  t.equal((await read()).status, 200)
  t.match(await info(), { scopes: kept.split(' ') })
  const refused = await browser.fetch(`/fhir/${launch}/Observation?_count=1`)
  t.equal(refused.headers.get('smart-bff-state'), 'scope_insufficient')
  t.match(await events('token.refreshed'), [{ reason: 'scope_narrowed', outcome: 'success' }])
})

t.test('the same scopes in another spelling are no narrowing', async (t) => {
  const { expire, read, answerWith, events } = await setUp(t)
  answerWith({ scope: scopes.join(' ').replaceAll('.rs', '.read') })
  expire()
  t.equal((await read()).status, 200)
  const [told] = await events('token.refreshed')
  t.notOk(told !== undefined && 'reason' in told)
})

t.test('an answer about another patient or user never changes the launch', async (t) => {
  const other = 'someone-else'
  for (const [reason, change] of [
    ['patient_changed', { tokenResponse: { merge: { patient: other } } }],
    ['patient_changed', { tokenResponse: { merge: { patient: [other] } } }],
    ['user_changed', { idToken: { sub: other } }],
  ] as const) {
    const { expire, read, sandbox, info, patient, events, sent } = await setUp(t)
    sandbox.control.set(change)
    expire()
    const answer = await read()
    t.equal(answer.status, 401, reason)
    t.equal(answer.headers.get('smart-bff-state'), 'authorization_expired')
    t.match(await info(), { state: 'reauth_required', patient })
    t.match(await events('launch.transition'), [{ state: 'reauth_required', reason }])
    t.equal(sent('revoke').length, 1, 'the new tokens go back')
    t.notMatch(await read().then((again) => again.text()), other)
  }
})

t.test('revocation: the end of a launch takes its tokens back', async (t) => {
  const { browser, launch, sent, events } = await setUp(t)
  t.equal((await browser.fetch(`/launches/${launch}`, { method: 'DELETE' })).status, 204)
  await until(() => sent('revoke').length === 1 && sent('revoke')[0]?.status === 200)
  const [revoked] = sent('revoke')
  t.same(revoked?.form?.['token_type_hint'], ['refresh_token'])
  t.ok(revoked?.form?.['client_assertion'], 'as the client that it is')
  await until(async () => (await events('token.revoked')).length === 1)
  t.match(await events('token.revoked'), [{ outcome: 'success' }])
})

t.test('tokens of a refresh that finishes after the end go back too', async (t) => {
  const { browser, launch, sandbox, sent, expire, read } = await setUp(t)
  sandbox.control.setFaults([{ where: 'token', kind: 'delay-after', delayMs: 400, times: 1 }])
  expire()
  const late = read()
  await until(() => sent('token').length === 2)
  t.equal((await browser.fetch(`/launches/${launch}`, { method: 'DELETE' })).status, 204)
  t.equal((await late).headers.get('smart-bff-state'), 'session_ended')
  await until(() => sent('revoke').length === 2)
  const tokens = sent('revoke').map(({ form }) => form?.['token']?.[0])
  t.equal(new Set(tokens).size, 2, 'the old one and the one that came late')
})

t.test('introspection: a token that is not what it seems opens nothing', async (t) => {
  const { sent, sandbox, browser, patient, events } = await setUp(t, {
    quirks: { introspection: true },
  })
  const [asked] = sent('introspect')
  t.equal(asked?.method, 'POST', 'a good one does @270')
  t.ok(asked?.form?.['token'])
  const rows: [string, Raw][] = [
    ['not active', { active: false }],
    ['another client', { active: true, client_id: 'other' }],
    ['another patient', { active: true, patient: 'someone-else' }],
    ['no answer', {}],
  ]
  for (const [name, body] of rows) {
    sandbox.control.setFaults([{ where: 'introspect', kind: 'body', body }])
    await t.rejects(browser.launch({ patient }), /502/, name)
  }
  sandbox.control.setFaults([{ where: 'introspect', kind: 'status', status: 500 }])
  await t.rejects(browser.launch({ patient }), /502/, 'where it cannot be asked, nothing opens')
  t.equal((await events('launch.failed')).length, 5)
  t.equal(sent('revoke').length, 5, 'and the tokens go back')
})

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000
  // oxlint-disable-next-line no-await-in-loop -- each look follows the one before
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('it never came')
    // oxlint-disable-next-line no-await-in-loop -- see above
    await sleep(10)
  }
}
