import { Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Hospital, startHospital, type TestBrowser } from '../support/hospital.ts'
import { type RedisPath, startRedisPath } from '../support/redis-path.ts'
import { startRedis } from '../support/redis.ts'

/**
 * A command that nobody waits for any more may still be on its way: a network holds it back, and Redis carries it out
 * when somebody else has long written something later. Nothing that was given up or ended comes back by it.
 */
t.test('commands that Redis carries out late', async (t) => {
  const redis = await startRedis()
  const path = await startRedisPath(redis.port)
  const raw = new Redis(redis.port)
  const hospital = await startHospital({ root: { store: { redis: { url: path.url } } } })
  t.teardown(async () => {
    await hospital.close()
    raw.disconnect()
    await path.close()
    await redis.stop()
  })
  const place = { hospital, path, raw, patient: hospital.sandbox.patients[0]?.id ?? '' }
  await hospital.browser().launch({ patient: place.patient })
  await t.test('a launch that was given up does not begin', (t) => givenUp(t, place))
  await t.test('a draft does not come back after the sign-out', (t) => draftAfterEnd(t, place))
  await t.test('a sign-out takes no later draft with it', (t) => laterDraft(t, place))
})

interface Place {
  readonly hospital: Hospital
  readonly path: RedisPath
  readonly raw: Redis
  readonly patient: string
}

/** The next command of that name, on that key, is held back until it is let go. */
function holdBack({ path }: Place, wanted: string, begins: string) {
  const [going, carried] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let held = 0
  path.judge(({ name, key }) => {
    if (held > 0 || name !== wanted || !key.startsWith(begins)) return undefined
    held += 1
    return { goOn: going.promise, done: carried.resolve }
  })
  return {
    held: () => held,
    carryOut: async () => {
      going.resolve()
      await carried.promise
    },
  }
}

async function givenUp(t: Test, place: Place): Promise<void> {
  const { hospital, raw, patient } = place
  const before = (await raw.keys('launch:*')).length
  const late = holdBack(place, 'bffCreateLaunch', 'sess:')
  await t.rejects(hospital.browser().launch({ patient }))
  t.equal(late.held(), 1)
  const failed = (await hospital.audit()).filter(({ event }) => event === 'launch.failed')
  t.match(failed, [{ state: 'data_unavailable' }])
  await late.carryOut()
  const names = await raw.keys('launch:*')
  t.equal(names.length, before + 1)
  const alive = await Promise.all(
    names.map(async (name) => (await raw.hget(name, 'ended')) === '' && name),
  )
  t.equal(alive.filter(Boolean).length, before, 'it is over before it begins')

  const members = await raw.zrange('due', '0', '-1')
  for (const member of members) await raw.zadd('due', 0, member)
  await until(async () => (await raw.zcount('due', 0, 0)) === 0)
  await until(async () => (await raw.zcard('due')) < members.length)
  const ends = (await hospital.audit()).filter(({ event }) => event === 'launch.transition')
  t.strictSame(ends, [], 'and no end of it is told of')
}

async function draftAfterEnd(t: Test, place: Place): Promise<void> {
  const { hospital, patient } = place
  const browser = hospital.browser()
  const { launch } = await browser.launch({ patient })
  const late = holdBack(place, 'bffReplaceDraft', 'draft:')
  t.equal(await put(place, browser, launch, 'one'), 503)
  t.equal(late.held(), 1)
  await signOut(browser)
  await late.carryOut()
  const again = await browser.launch({ patient })
  t.strictSame(await draftOf(browser, again.launch), { status: 204, version: 'none', text: '' })
  t.equal(await put(place, browser, again.launch, 'two'), 204, 'and a new one is kept')
  t.match(await draftOf(browser, again.launch), { status: 200, text: '"two"' })
  await signOut(browser)
}

async function laterDraft(t: Test, place: Place): Promise<void> {
  const { hospital, patient } = place
  const browser = hospital.browser()
  const { launch } = await browser.launch({ patient })
  t.equal(await put(place, browser, launch, 'one'), 204)
  const late = holdBack(place, 'bffReplaceDraft', 'draft:')
  const answer = await browser.fetch('/session', { method: 'DELETE' })
  await answer.body?.cancel()
  t.equal(answer.status, 503)
  t.equal(late.held(), 1)
  const again = await soon(() => browser.launch({ patient }))
  const { version } = await draftOf(browser, again.launch)
  t.equal(await put(place, browser, again.launch, 'later', version), 204)
  await late.carryOut()
  t.match(await draftOf(browser, again.launch), { status: 200, text: '"later"' })
}

async function put(
  { hospital }: Place,
  browser: TestBrowser,
  launch: string,
  text: string,
  version = 'none',
): Promise<number> {
  const answer = await browser.fetch(`/launches/${launch}/draft`, {
    method: 'PUT',
    headers: {
      'content-type': 'application/json',
      'if-match': `"${version}"`,
      origin: hospital.publicUrl,
    },
    body: JSON.stringify(text),
  })
  await answer.body?.cancel()
  return answer.status
}

async function draftOf(browser: TestBrowser, launch: string) {
  const answer = await browser.fetch(`/launches/${launch}/draft`)
  const version = answer.headers.get('etag')?.slice(1, -1) ?? ''
  return { status: answer.status, version, text: await answer.text() }
}

/** Once the connection is there again. */
function signOut(browser: TestBrowser): Promise<void> {
  return soon(async () => {
    const answer = await browser.fetch('/session', { method: 'DELETE' })
    await answer.body?.cancel()
    if (answer.status !== 204) throw new Error(String(answer.status))
  })
}

async function soon<T>(work: () => Promise<T>, before = Date.now() + 20_000): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (Date.now() > before) throw error
    await sleep(50)
    return soon(work, before)
  }
}

const until = (holds: () => Promise<boolean>): Promise<void> =>
  soon(async () => {
    if (!(await holds())) throw new Error('not yet')
  })
