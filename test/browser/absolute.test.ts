import t from 'tap'
import { openBrowser } from '../support/chromium.ts'
import { holdClock } from '../support/clock.ts'
import { startHospital } from '../support/hospital.ts'

/**
 * The absolute clock (DESIGN rule 13): however busy the user is, the launch ends, says so and is recorded. Product, EHR
 * and browser live by one clock that the test moves.
 */
const minuteMs = 60_000
const clock = holdClock()
const hospital = await startHospital({
  root: { session: { idleMinutes: 15, absoluteMinutes: 60, launchesPerBrowser: 8 } },
})
const browser = await openBrowser({ blockThirdPartyCookies: true })
t.teardown(async () => {
  await browser.close()
  await hospital.close()
  clock.release()
})
const { sandbox } = hospital
const [amara] = sandbox.patients
if (amara === undefined) throw new Error('no patient')

t.test('an hour of work, and then it is over', async (t) => {
  const page = await browser.context.newPage()
  await page.clock.install({ time: Date.now() })
  await page.goto(`${sandbox.origin}/chart/${amara.id}`, { waitUntil: 'commit' })
  const frame = await (await page.waitForSelector('iframe[data-app]')).contentFrame()
  if (frame === null) throw new Error('no frame')
  await frame.waitForURL(/\/app\/[\w-]+\/$/, { waitUntil: 'commit', timeout: 20_000 })
  const region = frame.getByRole('region', { name: 'Patient' })
  await region.waitFor({ timeout: 20_000 })
  const pass = async (ms: number): Promise<void> => {
    clock.forward(ms)
    await page.clock.fastForward(ms)
  }
  const work = async (): Promise<void> => {
    const told = page.waitForResponse((answer) => answer.url().endsWith('/activity'))
    await frame.locator('body').click({ position: { x: 4, y: 4 }, timeout: 10_000 })
    await page.clock.runFor(1000)
    t.equal((await told).status(), 204)
  }

  for (let minutes = 10; minutes <= 50; minutes += 10) {
    // oxlint-disable-next-line no-await-in-loop -- time goes by in order
    await pass(10 * minuteMs)
    // oxlint-disable-next-line no-await-in-loop -- see above
    await work()
    // oxlint-disable-next-line no-await-in-loop -- see above
    t.equal(await region.isVisible(), true, `after ${minutes} minutes`)
  }
  // The last minute is told, and no work moves the end any more.
  await pass(9 * minuteMs + 30_000)
  await page.clock.runFor(2000)
  await work()
  t.ok(await frame.getByRole('button').first().isVisible(), 'the countdown')

  await pass(minuteMs)
  await page.clock.runFor(12_000)
  await frame.getByText('This session has ended.').first().waitFor({ timeout: 10_000 })
  t.equal(await region.count(), 0)
  t.notMatch(await frame.content(), new RegExp(amara.family))
  const ends = async () =>
    (await hospital.audit()).filter(({ event }) => event === 'launch.transition')
  for (let tries = 0; tries < 100 && (await ends()).length === 0; tries += 1) {
    // oxlint-disable-next-line no-await-in-loop -- polling is the point
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  t.match(await ends(), [{ state: 'expired', reason: 'absolute' }])
  await page.close()
})
