import t from 'tap'
import { ask, ownPage, startRig, stores } from './rig.ts'

const minuteMs = 60_000
const idleMinutes = 15

for (const name of ['embedded', 'redis'] as const) {
  t.test(`activity slides the idle clocks of launch and session (${name})`, async (t) => {
    const rig = await startRig(t, name === 'redis' ? { store: await stores.redis(t) } : {})
    const { cookie, session, launch } = await rig.begin()
    const post = () =>
      ask(rig.port, `/launches/${launch}/activity`, {
        method: 'POST',
        headers: { ...ownPage, cookie },
      })
    const get = (path: string) => ask(rig.port, path, { headers: { ...ownPage, cookie } })

    for (let passed = 0; passed < 5; passed += 1) {
      rig.clock.now += 14 * minuteMs
      const answer = await post()
      t.equal(answer.status, 204)
      t.equal(answer.text, '')
      const idleAt = Date.parse(String(answer.headers['smart-bff-idle']))
      const expected = Date.now() + rig.clock.now + idleMinutes * minuteMs
      t.ok(Math.abs(idleAt - expected) < 2000, 'and says when it will end')
      const { expires } = JSON.parse((await get(`/launches/${launch}`)).text)
      t.equal(expires.idle, answer.headers['smart-bff-idle'])
    }
    t.ok(await rig.records.read(session), 'the session has slid with it')

    rig.clock.now += 14 * minuteMs
    t.equal((await get(`/launches/${launch}`)).status, 200)
    rig.clock.now += 2 * minuteMs
    t.equal((await get(`/launches/${launch}`)).status, 401, 'asking is no activity')
    t.equal((await post()).status, 401)
    t.equal((await get(`/launches/${launch}`)).status, 401, 'and nothing comes back')
    t.equal(await rig.records.read(session), undefined)
  })
}

t.test('activity never goes beyond the absolute timeout', async (t) => {
  const rig = await startRig(t)
  const { cookie, launch } = await rig.begin()
  const post = () =>
    ask(rig.port, `/launches/${launch}/activity`, {
      method: 'POST',
      headers: { ...ownPage, cookie },
    })
  const absoluteAt = Date.now() + 600 * minuteMs
  for (let minute = 0; minute < 590; minute += 10) {
    rig.clock.now += 10 * minuteMs
    const answer = await post()
    t.equal(answer.status, 204)
    const idleAt = Date.parse(String(answer.headers['smart-bff-idle']))
    if (idleAt > absoluteAt + 2000) t.fail(`${minute}: ${idleAt - absoluteAt} ms beyond`)
  }
  rig.clock.now += 11 * minuteMs
  t.equal((await post()).status, 401)
})

t.test('activity is of one launch, and of one’s own', async (t) => {
  const rig = await startRig(t)
  const [mine, other] = [await rig.begin(), await rig.begin()]
  const foreign = await ask(rig.port, `/launches/${other.launch}/activity`, {
    method: 'POST',
    headers: { ...ownPage, cookie: mine.cookie },
  })
  const unknown = await ask(rig.port, `/launches/${'x'.repeat(32)}/activity`, {
    method: 'POST',
    headers: { ...ownPage, cookie: mine.cookie },
  })
  t.equal(foreign.status, 401)
  t.strictSame(withoutIncident(foreign.text), withoutIncident(unknown.text))
  const crossSite = await ask(rig.port, `/launches/${mine.launch}/activity`, {
    method: 'POST',
    headers: { ...ownPage, 'sec-fetch-site': 'cross-site', cookie: mine.cookie },
  })
  t.equal(crossSite.status, 403)
})

t.test('a user who joins while activity is written is not lost', async (t) => {
  const rig = await startRig(t)
  const { session, cookie, launch } = await rig.begin()
  rig.clock.now += 5 * minuteMs
  const slide = await rig.records.slide(session)
  const held = await rig.records.hold(session)
  if (held === undefined || slide === undefined) throw new Error('no session')
  const users = [...held.record.users, { tenant: 'south', user: 'u2' }]
  t.ok(await rig.records.replace(session, held, { ...held.record, users }))
  const opening = await rig.vault.open({ session, launch })
  if (opening.kind !== 'open') throw new Error('not open')
  const touched = await rig.vault.touch({ session, launch }, opening.launch, slide)
  t.equal(touched.kind, 'session_changed')
  const answer = await ask(rig.port, `/launches/${launch}/activity`, {
    method: 'POST',
    headers: { ...ownPage, cookie },
  })
  t.equal(answer.status, 204)
  t.strictSame((await rig.records.read(session))?.users, users)
})

const withoutIncident = (text: string): string =>
  text.replaceAll(/[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}/g, '')
