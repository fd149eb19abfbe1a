import type { Frame, Page } from 'playwright-core'
import t from 'tap'
import { openBrowser } from '../support/chromium.ts'
import { startHospital } from '../support/hospital.ts'

/** Six charts side by side in a browser as clinicians have it: cross-site frames, third-party cookies blocked. */

const hospital = await startHospital()
const { sandbox, publicUrl } = hospital
const browser = await openBrowser({ blockThirdPartyCookies: true })
t.teardown(async () => {
  await browser.close()
  await hospital.close()
})

const chartsOf = (ids: readonly string[]) =>
  `${sandbox.origin}/charts?${ids.map((id) => `patient=${id}`).join('&')}`

interface Told {
  readonly launch: string
  readonly patient: string
  readonly state: string
}

/** What each frame is told of its own launch, in the order of the charts. */
async function toldTo(page: Page): Promise<Told[]> {
  const frames = await Promise.all(
    (await page.locator('iframe[data-app]').elementHandles()).map((one) => one.contentFrame()),
  )
  return Promise.all(
    frames.map(async (frame) => {
      if (frame === null) throw new Error('no frame')
      await frame.waitForURL(/\/app\/[\w-]+\/$/, { waitUntil: 'commit', timeout: 20_000 })
      return askIn(frame)
    }),
  )
}

const tooMany = /^Too many charts were open/

/**
 * What each frame says in the app's place; '' where the app is still seen. A frame that asks whether its patient is still
 * the right one says that first.
 */
async function saidIn(page: Page | undefined): Promise<readonly string[]> {
  const frames = (page?.frames() ?? []).filter((frame) => /\/app\//.test(frame.url()))
  const texts = () =>
    Promise.all(
      frames.map((frame) =>
        frame.evaluate<string>(`document.querySelector('main[role=alert] h1')?.innerText ?? ''`),
      ),
    )
  const until = performance.now() + 5_000
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- polling is the point
    const said = await texts()
    if (said.filter((text) => tooMany.test(text)).length >= 4 || performance.now() > until)
      return said
    // oxlint-disable-next-line no-await-in-loop -- see above
    await page?.waitForTimeout(50)
  }
}

const askIn = async (frame: Frame) =>
  frame.evaluate<Told>(`fetch(location.pathname.replace(/^.app.([^/]+).*$/, '/launches/$1'))
    .then((answer) => answer.json())`)

const cookieNames = async () =>
  (await browser.context.cookies(publicUrl)).map(({ name }) => name.replace(/\.tx\..*/, '.tx'))

t.test('six frames at once, no cookie yet: each keeps its own patient', async (t) => {
  t.same(await browser.context.cookies(publicUrl), [], 'the browser is new here')
  const six = sandbox.patients.slice(0, 6).map(({ id }) => id)
  const page = await browser.context.newPage()
  await page.goto(chartsOf(six), { waitUntil: 'commit' })
  const told = await toldTo(page)
  t.same(
    told.map(({ patient, state }) => [patient, state]),
    six.map((id) => [id, 'active']),
  )
  t.equal(new Set(told.map(({ launch }) => launch)).size, 6)
  t.same(await cookieNames(), ['__Host-smart-bff'], 'one session, and no pending cookie is left')
})

t.test('two more join the session, and after that the oldest make room', async (t) => {
  const [before] = browser.context.pages().slice(-1)
  const page = await browser.context.newPage()
  const again = sandbox.patients.slice(2, 8).map(({ id }) => id)
  await page.goto(chartsOf(again), { waitUntil: 'commit' })
  t.same(
    (await toldTo(page)).map(({ patient, state }) => [patient, state]),
    again.map((id) => [id, 'active']),
  )
  const ended = (await hospital.audit()).filter(({ event }) => event === 'launch.transition')
  t.equal(ended.length, 4, '12 launches, of which 8 may live')
  for (const one of ended) t.match(one, { state: 'superseded', reason: 'launch_limit' })
  t.same(await cookieNames(), ['__Host-smart-bff'])
  const said = await saidIn(before)
  t.equal(said.filter((text) => tooMany.test(text)).length, 4)
  t.equal(said.filter((text) => text === '').length, 2, 'the others stay as they were')
  await before?.close()
  await page.close()
})

t.test('launches that stop at the EHR pile up no cookies', async (t) => {
  const [patient] = sandbox.patients
  sandbox.control.setFaults([{ where: 'authorize', kind: 'status', status: 503, times: 100 }])
  const page = await browser.context.newPage()
  await page.goto(`${sandbox.origin}/charts`)
  for (let count = 0; count < 24; count += 1) {
    const { url } = sandbox.createLaunch({ patient: patient?.id ?? '' })
    // oxlint-disable-next-line no-await-in-loop -- one after the other, as through a working day
    await page.evaluate(`new Promise((done) => {
      const frame = document.createElement('iframe')
      frame.onload = done
      frame.src = ${JSON.stringify(url)}
      document.body.replaceChildren(frame)
    })`)
  }
  const pending = (await cookieNames()).filter((name) => name.endsWith('.tx'))
  t.equal(pending.length, 16)
  sandbox.control.setFaults([])
  await page.close()
})
