import t from 'tap'
import { newSessionId } from '../../src/session/cookies.ts'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import {
  ask,
  joiningCallback,
  ownPage,
  publicOrigin,
  startRig,
  stores,
  watched,
  type Answer,
} from './rig.ts'

const json = (answer: Answer): Record<string, unknown> => JSON.parse(answer.text)
/** What differs from request to request. */
const withoutIncident = (answer: Answer): unknown => {
  const { incident: _incident, ...body } = json(answer)
  const {
    'smart-bff-request': _request,
    date: _date,
    'content-length': _length,
    ...headers
  } = answer.headers
  return { status: answer.status, headers, body }
}

for (const [name, openStore] of Object.entries(stores)) {
  t.test(`/launches and /session on the ${name} store`, async (t) => {
    const store = await openStore(t)
    const rig = await startRig(t, { store })
    const get = (launch: string, cookie?: string) =>
      ask(rig.port, `/launches/${launch}`, {
        headers: { ...ownPage, ...(cookie === undefined ? {} : { cookie }) },
      })
    const remove = (target: string, cookie: string) =>
      ask(rig.port, target, { method: 'DELETE', headers: { ...ownPage, cookie } })

    await t.test('what the app may know', async (t) => {
      const { cookie, launch } = await rig.begin()
      const answer = await get(launch, cookie)
      t.equal(answer.status, 200)
      t.equal(answer.headers['cache-control'], 'no-store')
      t.equal(answer.headers['x-content-type-options'], 'nosniff')
      t.match(answer.headers['content-security-policy'], /^sandbox; default-src 'none'/)
      const { expires, ...body } = json(answer)
      t.same(body, {
        launch,
        state: 'active',
        tenant: { id: 'north', name: 'North Hospital' },
        mode: 'chart',
        fhir: `/fhir/${launch}`,
        user: { fhirUser: 'Practitioner/7', kind: 'practitioner' },
        patient: 'p1',
        encounter: null,
        fhirContext: [{ reference: 'ImagingStudy/1', role: 'x', identifier: { value: '1' } }],
        intent: null,
        needPatientBanner: true,
        style: null,
        scopes: ['patient/Patient.r'],
        allow: [
          { feature: 'Patient banner', resource: 'Patient', interactions: ['read'] },
          { feature: 'Vitals', resource: 'Observation', interactions: ['read', 'search-type'] },
        ],
        support: 'Call the service desk, 4400.',
      })
      t.same(Object.keys(Object(expires)).toSorted(), ['absolute', 'idle', 'token'])
      t.notOk(/access-0|refresh-0|https:\/\/ehr\.example/.test(answer.text), 'never a token')
    })

    await t.test('asking does not count as activity', async (t) => {
      const { cookie, launch, session } = await rig.begin()
      const before = await rig.vault.open({ session, launch })
      await get(launch, cookie)
      await get(launch, cookie)
      t.same(await rig.vault.open({ session, launch }), before)
    })

    await t.test('missing and somebody else’s read exactly alike', async (t) => {
      const mine = await rig.begin()
      const theirs = await rig.begin()
      const expected = withoutIncident(await get('A'.repeat(32), mine.cookie))
      t.match(expected, { status: 401, body: { state: 'session_ended', support: null } })
      t.same(withoutIncident(await get(theirs.launch, mine.cookie)), expected)
      t.same(withoutIncident(await get(mine.launch)), expected, 'without a session')
      t.same(withoutIncident(await get('x', mine.cookie)), expected, 'no launch id at all')
      t.same(
        withoutIncident(await remove(`/launches/${theirs.launch}`, mine.cookie)),
        expected,
        'to end it too',
      )
      t.match(await rig.vault.open(theirs), { kind: 'open' })
    })

    await t.test('DELETE /launches/:launch', async (t) => {
      const { cookie, launch, session } = await rig.begin()
      rig.events.length = 0
      t.equal((await remove(`/launches/${launch}`, cookie)).status, 204)
      t.match(await rig.vault.open({ session, launch }), { kind: 'ended', state: 'ended' })
      t.match(rig.events, [
        { event: 'launch.transition', state: 'ended', tenant: 'north', launch, patient: 'p1' },
      ])
      t.ok(rig.revoked.includes(launch))
      t.equal((await get(launch, cookie)).status, 401)
      t.equal((await remove(`/launches/${launch}`, cookie)).status, 401, 'once')
      t.ok(await rig.records.read(session), 'the session stays')
    })

    await t.test('two ends at one instant are one end', async (t) => {
      const { cookie, launch } = await rig.begin()
      rig.events.length = 0
      const answers = await Promise.all(
        Array.from({ length: 4 }, () => remove(`/launches/${launch}`, cookie)),
      )
      t.same(
        answers.map(({ status }) => status).toSorted((a, b) => a - b),
        [204, 401, 401, 401],
      )
      t.equal(rig.events.length, 1)
      t.equal(rig.revoked.filter((one) => one === launch).length, 1)
    })

    await t.test('DELETE /session', async (t) => {
      const { cookie, launch, session } = await rig.begin()
      rig.events.length = 0
      const answer = await remove('/session', cookie)
      t.equal(answer.status, 204)
      t.equal(answer.headers['clear-site-data'], '"cache", "storage"')
      t.same(answer.setCookies, [
        '__Host-smart-bff=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=None; Partitioned',
      ])
      t.same(
        rig.events.map(({ event }) => event),
        ['launch.transition', 'session.ended'],
      )
      t.ok(rig.revoked.includes(launch))
      t.equal(await rig.records.read(session), undefined)
      t.equal((await get(launch, cookie)).status, 401)
      const again = await remove('/session', cookie)
      t.equal(again.status, 204, 'a second one does no harm')
      t.equal(again.setCookies.length, 1)
    })

    await t.test('a superseded launch says so', async (t) => {
      const { cookie, launch, session } = await rig.begin()
      await rig.vault.end({ session, launch }, 'superseded')
      const answer = await get(launch, cookie)
      t.equal(answer.status, 409)
      t.match(json(answer), { state: 'context_changed' })
    })
  })
}

t.test('only our own page may ask', async (t) => {
  const rig = await startRig(t)
  const { cookie, launch } = await rig.begin()
  const cases: [string, Record<string, string>, number][] = [
    ['our page', ownPage, 200],
    ['a client that says so', { 'smart-bff': '1' }, 200],
    ['nothing said', {}, 403],
    ['another site', { ...ownPage, 'sec-fetch-site': 'cross-site' }, 403],
    ['a script tag', { ...ownPage, 'sec-fetch-dest': 'script' }, 403],
    ['a service worker', { ...ownPage, 'service-worker': 'script' }, 403],
    ['a foreign Origin', { ...ownPage, origin: 'http://evil.example' }, 403],
    ['our Origin', { ...ownPage, origin: publicOrigin }, 200],
  ]
  for (const [name, headers, status] of cases) {
    const answer = await ask(rig.port, `/launches/${launch}`, { headers: { ...headers, cookie } })
    t.equal(answer.status, status, name)
    if (status === 403) t.equal(answer.headers['smart-bff-state'], 'not_permitted')
  }
  const forged = await ask(rig.port, '/session', {
    method: 'DELETE',
    headers: { cookie, ...ownPage, 'sec-fetch-site': 'same-site' },
  })
  t.equal(forged.status, 403)
  t.same(forged.setCookies, [])
  t.equal(
    (await ask(rig.port, `/launches/${launch}`, { headers: { ...ownPage, cookie } })).status,
    200,
  )
  t.same(
    rig.events.filter(({ event }) => event === 'request.refused').map(({ reason }) => reason),
    ['header_missing', 'cross_site', 'destination', 'origin', 'cross_site'],
  )
})

t.test('a logout that could not be written is no logout', async (t) => {
  const { store, failing } = watched(createEmbeddedStore({ now: Date.now }))
  const rig = await startRig(t, { store })
  const { cookie, session } = await rig.begin()
  const remove = () =>
    ask(rig.port, '/session', { method: 'DELETE', headers: { ...ownPage, cookie } })
  failing.add('endSession')
  const failed = await remove()
  t.equal(failed.status, 503)
  t.same(failed.setCookies, [])
  t.equal(failed.headers['clear-site-data'], undefined)
  t.same(rig.events, [])
  failing.clear()
  t.equal((await remove()).status, 204)
  t.equal(await rig.records.read(session), undefined)
})

t.test('a navigation is refused with a page', async (t) => {
  const rig = await startRig(t)
  const { cookie, launch } = await rig.begin()
  for (const target of [`/launches/${launch}`, '/launches/x']) {
    const answer = await ask(rig.port, target, {
      headers: {
        cookie,
        'sec-fetch-site': 'none',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
      },
    })
    t.equal(answer.status, 403)
    t.match(answer.headers['content-type'], /^text\/html/)
    t.notOk(answer.text.includes('p1'))
  }
})

t.test('the EHR is told, and nobody waits for it', async (t) => {
  const told = Promise.withResolvers<void>()
  const rig = await startRig(t, { revoke: () => told.promise })
  const { cookie, launch } = await rig.begin()
  const answer = await ask(rig.port, `/launches/${launch}`, {
    method: 'DELETE',
    headers: { ...ownPage, cookie },
  })
  t.equal(answer.status, 204)
  const closed = rig.app.close()
  told.reject(new Error('EHR down'))
  await closed
})

t.test('a launch of a tenant that left the configuration is over', async (t) => {
  const rig = await startRig(t, { routes: joiningCallback })
  const { cookie, session } = await rig.begin()
  const launch = newSessionId().slice(0, 32)
  const held = await rig.vault.list(session)
  const [first] = held
  if (first === undefined) throw new Error('no launch')
  await rig.vault.create({ session, launch }, { ...first.record, launch, tenant: 'gone' })
  const answer = await ask(rig.port, `/launches/${launch}`, { headers: { ...ownPage, cookie } })
  t.equal(answer.status, 401)
})
