import type { Frame, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { openBrowser } from '../support/chromium.ts'
import { startServer } from '../support/http.ts'
import { startHospital } from '../support/hospital.ts'
import { until } from '../support/until.ts'

/** One computer, two users: who leaves, leaves nothing (DESIGN rule 14). Cross-site frames in a real browser. */

/** The EHR's own pages: one with the app in a frame, one without; unlike the sandbox's they may be kept. */
const ehr = await startServer((request, response) => {
  response.setHeader('content-type', 'text/html')
  const src = new URL(request.url ?? '/', 'http://ehr').searchParams.get('src')
  response.end(`<!doctype html><title>EHR</title>${src === null ? '' : `<iframe src="${src}">`}`)
})
const ehrOrigin = `http://127.0.0.1:${ehr.port}`
t.teardown(() => ehr.close())

for (const blockThirdPartyCookies of [true, false]) {
  const name = `third-party cookies ${blockThirdPartyCookies ? 'blocked' : 'allowed, and storage with them'}`
  t.test(name, async (t) => sharedWorkstation(t, blockThirdPartyCookies))
}

/**
 * Playwright loses sight of the frames of a page that comes back from the cache: here each frame tells the page around
 * it what it shows, and whether the chart is still in its document.
 */
const telling = `if (top === window) {
  addEventListener('message', ({ data }) => { if (data?.seen !== undefined) window.told = data })
  addEventListener('pageshow', ({ persisted }) => { window.told = undefined; window.kept = persisted })
} else setInterval(() => top.postMessage({
  seen: document.documentElement?.innerText ?? '',
  chart: document.querySelector('[role=region]') !== null,
}, '*'), 50)`
const tells = (page: Page, condition: string) =>
  until(
    // While it goes from one document to the next nothing can be asked.
    () => page.evaluate<boolean>(`${told} && (${judging(condition)})`).catch(() => false),
    Boolean,
  )
const told = 'window.told !== undefined'
const judging = (condition: string): string =>
  `(({ seen, chart }, kept) => ${condition})(window.told, window.kept)`
/** Web storage, IndexedDB and the Cache API: all that a document can keep. What is not there is seen by who looks. */
const keepEverywhere = (value: string): string => `(async () => {
  localStorage.setItem('left', '${value}')
  await new Promise((resolve, reject) => {
    const opening = indexedDB.open('${value}')
    opening.onsuccess = () => resolve(opening.result.close())
    opening.onerror = reject
  })
  await (await caches.open('${value}')).put('/left', new Response('${value}'))
})().catch(() => undefined)`
const lookEverywhere = `(async () => {
  const look = async (ask) => {
    try { return await ask() } catch (error) { return error instanceof DOMException ? 'not there' : String(error) }
  }
  return {
    local: await look(() => localStorage.getItem('left')),
    databases: await look(async () => (await indexedDB.databases()).map(({ name }) => name)),
    caches: await look(() => caches.keys()),
  }
})()`

const empty = `!chart && /This session has ended|no longer valid/.test(seen)`

async function sharedWorkstation(t: Test, blockThirdPartyCookies: boolean): Promise<void> {
  const hospital = await startHospital({ framedBy: [ehrOrigin] })
  const { sandbox, publicUrl } = hospital
  const browser = await openBrowser({ blockThirdPartyCookies })
  t.teardown(async () => {
    await browser.close()
    await hospital.close()
  })
  await browser.context.addInitScript(telling)
  const [amara, bart] = sandbox.patients
  const [first, second] = sandbox.clinicians
  if (!amara || !bart || !first || !second) throw new Error('the sandbox is empty')

  async function openChart(page: Page, patient: { readonly id: string }): Promise<Frame> {
    await page.goto(`${sandbox.origin}/chart/${patient.id}`, { waitUntil: 'commit' })
    const frame = await (await page.waitForSelector('iframe[data-app]')).contentFrame()
    if (frame === null) throw new Error('no frame')
    await frame.waitForURL(/\/app\/[\w-]+\/$/, { waitUntil: 'commit', timeout: 20_000 })
    await frame.getByRole('region', { name: 'Patient' }).waitFor({ timeout: 20_000 })
    return frame
  }
  const signIn = (page: Page, clinician: { readonly id: string }) =>
    page.goto(`${sandbox.origin}/_ehr/user?id=${clinician.id}&back=/`)
  const store = (frame: Frame, value: string) => frame.evaluate(keepEverywhere(value))
  const stored = (frame: Frame) => frame.evaluate<unknown>(lookEverywhere)
  // Where third-party cookies are blocked, a cross-site frame has no storage at all: nothing can stay behind.
  const kept = (value: string | null) =>
    blockThirdPartyCookies
      ? { local: 'not there', databases: 'not there', caches: 'not there' }
      : {
          local: value,
          databases: value === null ? [] : [value],
          caches: value === null ? [] : [value],
        }
  const revoked = () => sandbox.requests().filter(({ where }) => where === 'revoke').length
  const gone = async (frame: Frame) => {
    await frame.getByRole('alert').getByText('This session has ended.').waitFor({ timeout: 5_000 })
    return frame.content()
  }

  await t.test(
    'a second user ends the first one’s launches, tells their frames and clears what is kept',
    async (t) => {
      const one = await browser.context.newPage()
      await signIn(one, first)
      const frame = await openChart(one, amara)
      await store(frame, 'behind')
      t.same(await stored(frame), kept('behind'))
      const cookieBefore = await browser.context.cookies(publicUrl)

      const two = await browser.context.newPage()
      await signIn(two, second)
      const answers: string[] = []
      two.on('response', async (response) => {
        if (!response.url().startsWith(`${publicUrl}/callback/`)) return
        answers.push((await response.headerValue('clear-site-data')) ?? '')
      })
      const other = await openChart(two, bart)
      t.same(answers, ['"cache", "storage"'])
      t.same(await stored(other), kept(null), 'nothing of the first user is kept')
      t.notMatch(await gone(frame), /role="region"/, 'the first user’s frame is empty')
      t.not(
        (await browser.context.cookies(publicUrl))[0]?.value,
        cookieBefore[0]?.value,
        'another session id',
      )
      await until(revoked, (count) => count === 1)
      const ends = (await hospital.audit()).filter(({ event }) => event === 'launch.transition')
      t.match(ends, [{ state: 'ended', reason: 'other_user' }])
      await one.close()
      await two.close()
    },
  )

  await t.test('the same user again changes nothing', async (t) => {
    const one = await browser.context.newPage()
    const frame = await openChart(one, amara)
    await store(frame, 'mine')
    const two = await browser.context.newPage()
    const other = await openChart(two, bart)
    t.same(await stored(other), kept('mine'))
    t.equal(await frame.getByRole('region', { name: 'Patient' }).isVisible(), true)
    await one.close()
    await two.close()
  })

  await t.test('DELETE /session does the same, and the back button shows nothing', async (t) => {
    const page = await browser.context.newPage()
    const frame = await openChart(page, amara)
    await store(frame, 'behind')
    const before = revoked()
    t.equal(
      await frame.evaluate<number>(
        `fetch('/session', { method: 'DELETE' }).then((answer) => answer.status)`,
      ),
      204,
    )
    await gone(frame)
    await until(revoked, (count) => count > before)
    t.same(await browser.context.cookies(publicUrl), [], 'the cookie is gone')

    await page.goto(`${sandbox.origin}/`)
    await page.goBack({ waitUntil: 'commit' })
    // With its frame, whose answers said no-store.
    await tells(page, `kept && ${empty}`)
    await page.close()
  })

  await t.test('a document that the back button brings back from the cache is empty', async (t) => {
    const open = async (): Promise<Page> => {
      const tab = await browser.context.newPage()
      await tab.goto(sandbox.createLaunch({ patient: amara.id }).url)
      await tab.getByRole('region', { name: 'Patient' }).waitFor({ timeout: 20_000 })
      return tab
    }
    const [tab, other] = [await open(), await open()]
    await tab.goto(`${publicUrl}/`)
    await other.evaluate(`fetch('/session', { method: 'DELETE' })`)
    await tab.goBack({ waitUntil: 'commit' })
    await tab.getByText('This session has ended').first().waitFor({ timeout: 5_000 })
    t.equal(await tab.getByRole('region', { name: 'Patient' }).count(), 0)
    await tab.close()
    await other.close()
  })

  await t.test(
    'a frame from the cache is covered until its launch is known to be current',
    async (t) => {
      const other = await browser.context.newPage()
      const beside = await openChart(other, bart)
      const page = await browser.context.newPage()
      const launch = sandbox.createLaunch({ patient: amara.id, user: `Practitioner/${second.id}` })
      await page.goto(`${ehrOrigin}/?src=${encodeURIComponent(launch.url)}`)
      const region = page.frameLocator('iframe').getByRole('region', { name: 'Patient' })
      await region.waitFor({ timeout: 20_000 })
      const id = /\/app\/([\w-]+)/.exec(page.frames()[1]?.url() ?? '')?.[1]
      await page.goto(`${ehrOrigin}/`)
      await page.goBack({ waitUntil: 'commit' })
      await tells(page, `kept && chart && seen.includes('${amara.family}')`)

      await page.goto(`${ehrOrigin}/`)
      t.equal(
        await beside.evaluate(
          `fetch('/launches/${id}', { method: 'DELETE' }).then(({ status }) => status)`,
        ),
        204,
      )
      await page.goBack({ waitUntil: 'commit' })
      // A frame beside it has spoken on their channel, which throws the page out of the cache: opened anew, or kept.
      await tells(page, empty)
      await page.close()
      await other.close()
    },
  )
}
