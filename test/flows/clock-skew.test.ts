import t from 'tap'
import type { LaunchInfo } from '../../src/browser/launch-info.ts'
import { startDeployment, type Replica } from '../support/deployment.ts'
import { startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

/**
 * Two replicas whose clocks are eleven minutes apart, which is more than the idle timeout, with each request at the
 * other one: no wrong patient, no early end, no lost logout.
 */
const shift = (ms: number): string =>
  `data:text/javascript,const real=Date.now;Date.now=()=>real()+${ms};` +
  `const R=Date;globalThis.Date=new Proxy(R,{construct:(t,a)=>a.length?Reflect.construct(t,a):new t(real()+${ms}),` +
  `get:(t,n)=>n==='now'?()=>real()+${ms}:Reflect.get(t,n)})`

t.test('replicas whose clocks are minutes apart', { timeout: 120_000 }, async (t) => {
  const redis = await startRedis()
  const deployment = await startDeployment({
    replicas: 2,
    refreshTokens: 'rotate',
    root: {
      store: { redis: { url: redis.url } },
      session: { idleMinutes: 5, absoluteMinutes: 600, launchesPerBrowser: 8 },
    },
    nodeArgsOf: (index) => (index === 1 ? ['--import', shift(11 * 60_000)] : []),
  })
  t.teardown(async () => {
    await deployment.close()
    await redis.stop()
  })
  const { sandbox, replicas, publicUrl } = deployment
  const [right, ahead] = replicas as [Replica, Replica]
  const { id } = sandbox.patient('amara')
  const [one, two] = [right.browser(), ahead.browser()]
  const cookie = (): string =>
    [...one.jar.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const at = (browser: typeof one, path: string, init: RequestInit = {}): Promise<Response> =>
    browser.fetch(path, {
      ...init,
      headers: { cookie: cookie(), origin: publicUrl, ...(init.headers as Record<string, string>) },
    })
  const infoAt = async (browser: typeof one, launch: string) => {
    const answer = await at(browser, `/launches/${launch}`)
    return { info: (await answer.json()) as LaunchInfo, date: answer.headers.get('date') ?? '' }
  }

  const { launch } = await one.launch({ patient: id })
  for (const browser of [two, one, two]) {
    t.equal((await at(browser, `/fhir/${launch}/Patient/${id}`)).status, 200, 'no early end')
  }

  await t.test('both say the same of its clocks, and by the same clock', async (t) => {
    const [here, there] = [await infoAt(one, launch), await infoAt(two, launch)]
    t.strictSame(there.info.expires, here.info.expires)
    t.match(there.info, { state: 'active', patient: id })
    for (const { info, date } of [here, there]) {
      const leftMs = Date.parse(info.expires.idle) - Date.parse(date)
      t.ok(leftMs > 4 * 60_000 && leftMs < 5 * 60_000 + 2_000, `${leftMs} ms until idle`)
    }
  })

  await t.test('activity at either moves the end to the same time', async (t) => {
    for (const browser of [two, one]) {
      const answer = await at(browser, `/launches/${launch}/activity`, { method: 'POST' })
      t.equal(answer.status, 204)
      const leftMs = Date.parse(answer.headers.get('smart-bff-idle') ?? '') - Date.now()
      t.ok(leftMs > 4 * 60_000 && leftMs < 5 * 60_000 + 2_000, `${leftMs} ms`)
    }
  })

  await t.test('a token is renewed once and serves both', async (t) => {
    sandbox.control.clearRequests()
    sandbox.control.revoke('access')
    const answers = await Promise.all(
      [one, two, one, two].map((browser) => at(browser, `/fhir/${launch}/Patient/${id}`)),
    )
    t.strictSame(new Set(answers.map(({ status }) => status)), new Set([200]))
    const renewals = sandbox
      .requests()
      .filter(({ form }) => form?.['grant_type']?.[0] === 'refresh_token')
    t.equal(renewals.length, 1)
    const [here, there] = [await infoAt(one, launch), await infoAt(two, launch)]
    t.equal(there.info.expires.token, here.info.expires.token)
  })

  await t.test('a draft written at one is read at the other', async (t) => {
    const path = `/launches/${launch}/draft`
    const tag = (await at(two, path)).headers.get('etag') ?? ''
    const headers = { 'if-match': tag, 'content-type': 'application/json' }
    t.equal((await at(two, path, { method: 'PUT', headers, body: '{"note":1}' })).status, 204)
    t.same(await (await at(one, path)).json(), { note: 1 })
  })

  await t.test('a page link sealed at one opens at the other', async (t) => {
    const first = await at(two, `/fhir/${launch}/Observation?_count=1`)
    t.equal(first.status, 200)
    const { link = [] } = (await first.json()) as { link?: { relation: string; url: string }[] }
    const next = link.find(({ relation }) => relation === 'next')?.url
    if (next === undefined) throw new Error('one page only')
    t.equal((await at(one, new URL(next).pathname)).status, 200)
  })

  await t.test('what the EHR signs is judged by the own clock: refused, with a page', async (t) => {
    const { response } = await ahead.browser().navigate(sandbox.createLaunch({ patient: id }).url)
    t.ok(response.status >= 400 && response.status < 600)
    t.ok(response.headers.get('smart-bff-state'))
  })

  await t.test('nothing has been ended by a clock; a logout counts at both', async (t) => {
    t.notMatch(await deployment.auditText(), /"event":"launch.transition"[^\n]*"expired"/)
    t.equal((await at(two, `/launches/${launch}`, { method: 'DELETE' })).status, 204)
    for (const browser of [one, two]) {
      const gone = async (): Promise<boolean> =>
        (await at(browser, `/fhir/${launch}/Patient/${id}`)).status === 401
      t.ok(await until(gone, Boolean), 'no lost logout')
    }
    t.match(
      ahead.output(),
      /"operation":"clock"[^\n]*"skew"/,
      'and the log says whose clock is off',
    )
  })
})
