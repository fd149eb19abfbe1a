import type { Frame, Page } from 'playwright-core'
import t from 'tap'
import { rawMode } from '../support/config.ts'
import { openBrowser } from '../support/chromium.ts'
import { holdClock } from '../support/clock.ts'
import { startHospital } from '../support/hospital.ts'

/**
 * A shift of eight hours within a minute: product, EHR and browser live by one clock that the test moves. Tokens last
 * 40 minutes, idle is 15. Whoever works goes on working; whoever comes back is either working or asked to authorize
 * anew; and no draft is lost.
 */
const minuteMs = 60_000
const scopes = ['openid', 'fhirUser', 'offline_access', 'patient/Patient.rs']
const allow = [{ feature: 'Patient banner', resource: 'Patient', interactions: ['read'] }]
const clock = holdClock()
const hospital = await startHospital({
  accessTokenSeconds: 40 * 60,
  tenant: {
    modes: [
      rawMode({ scopes: ['launch', ...scopes], allow }),
      rawMode({ id: 'desk', launch: 'standalone', scopes: ['launch/patient', ...scopes], allow }),
    ],
  },
})
const { sandbox, publicUrl } = hospital
const browser = await openBrowser({ blockThirdPartyCookies: true })
t.teardown(async () => {
  await browser.close()
  await hospital.close()
  clock.release()
})
const [amara] = sandbox.patients
const [ada, bob] = sandbox.clinicians
if (!amara || !ada || !bob) throw new Error('the sandbox is empty')

async function pass(page: Page, ms: number): Promise<void> {
  clock.forward(ms)
  await page.clock.fastForward(ms)
}
async function openChart(page: Page): Promise<Frame> {
  await page.goto(`${sandbox.origin}/chart/${amara?.id}`, { waitUntil: 'commit' })
  const frame = await (await page.waitForSelector('iframe[data-app]')).contentFrame()
  if (frame === null) throw new Error('no frame')
  await frame.waitForURL(/\/app\/[\w-]+\/$/, { waitUntil: 'commit', timeout: 20_000 })
  await frame.getByRole('region', { name: 'Patient' }).waitFor({ timeout: 20_000 })
  return frame
}
async function newPage(): Promise<Page> {
  const page = await browser.context.newPage()
  await page.clock.install({ time: Date.now() })
  return page
}
/** The user does something, and the helper says so to the server. */
async function work(page: Page, frame: Frame): Promise<void> {
  const told = page.waitForResponse((answer) => answer.url().endsWith('/activity'))
  await frame.locator('body').click({ position: { x: 4, y: 4 }, timeout: 10_000 })
  await page.clock.runFor(1000)
  await told
}
const withBff = (frame: Frame | Page, expression: string) =>
  frame.evaluate<unknown>(
    `import('/smart-bff.js').then(({ connect }) => connect()).then(async (bff) => (${expression}))`,
  )
const read = (frame: Frame | Page) =>
  withBff(
    frame,
    `bff.fhir('Patient/' + bff.launch.patient).then(({ status }) => status, (error) => error.state)`,
  )
const write = (frame: Frame | Page, draft: string) =>
  withBff(frame, `bff.draft.read().then(() => ${writing(draft)})`)
const writing = (draft: string) =>
  `bff.draft.write(${JSON.stringify(draft)}).then(() => 'kept', (error) => error.state)`
const draftIn = (frame: Frame | Page) => withBff(frame, 'bff.draft.read()')
const refreshes = () =>
  sandbox.requests().filter(({ form }) => form?.['grant_type']?.includes('refresh_token')).length

t.test('eight hours of work: ten tokens and an EHR that was away for a while', async (t) => {
  const page = await newPage()
  const frame = await openChart(page)
  const address = frame.url()
  t.equal(await write(frame, 'half a letter'), 'kept')
  for (let tens = 1; tens <= 48; tens += 1) {
    // oxlint-disable-next-line no-await-in-loop -- a shift goes by in order
    await pass(page, 10 * minuteMs)
    // oxlint-disable-next-line no-await-in-loop -- see above
    await work(page, frame)
    const away = tens === 21
    sandbox.control.setFaults(away ? [{ where: 'any', kind: 'reset' }] : [])
    // oxlint-disable-next-line no-await-in-loop -- see above
    t.equal(await read(frame), away ? 'data_unavailable' : 200, `after ${tens * 10} minutes`)
  }
  t.ok(refreshes() >= 10, `${refreshes()} tokens ran out`)
  t.equal(frame.url(), address, 'the same launch all day')
  t.equal(await frame.getByRole('region', { name: 'Patient' }).isVisible(), true)
  t.equal(await draftIn(frame), 'half a letter')
  await page.close()
})

t.test('two hours away: blank, ended, and the draft waits in the next launch', async (t) => {
  const page = await newPage()
  const frame = await openChart(page)
  t.equal(await write(frame, 'another letter'), 'kept')
  await pass(page, 120 * minuteMs)
  await frame.getByText('This session has ended.').waitFor({ timeout: 10_000 })
  t.notMatch(await frame.content(), new RegExp(amara.family))
  t.equal(await frame.getByText('Call the service desk, 4400.').isVisible(), true)
  const next = await openChart(page)
  t.equal(await read(next), 200)
  t.equal(await withBff(next, writing('over it')), 'write_conflict', 'nothing goes unseen')
  t.equal(await draftIn(next), 'another letter')
  t.equal(await write(next, 'read, and gone on with'), 'kept')
  await page.close()
})

t.test('an EHR that has forgotten its tokens: asked in place, and back where it was', async (t) => {
  const desk = `${publicUrl}/launch/north/desk`
  const standalone = (user: { readonly id: string }) =>
    sandbox.control.set({ standalone: { patient: amara.id, user: `Practitioner/${user.id}` } })
  standalone(ada)
  const page = await newPage()
  await page.goto(desk)
  await page.getByRole('region', { name: 'Patient' }).waitFor({ timeout: 20_000 })
  // The user has gone on within the app.
  const deep = `${page.url()}trend?days=7#bp`
  t.equal(await write(page, 'a third letter'), 'kept')
  sandbox.control.revoke('all')
  t.equal(await read(page), 'authorization_expired')
  const button = page.getByRole('button', { name: 'Continue' })
  await button.waitFor({ timeout: 5000 })
  t.equal(await page.getByRole('region', { name: 'Patient' }).isVisible(), false, 'covered')

  await t.test('somebody else comes back: refused and recorded', async (t) => {
    standalone(bob)
    await button.click()
    await page.getByText('signed in another user').waitFor({ timeout: 20_000 })
    t.match((await hospital.audit()).filter(({ event }) => event === 'launch.failed').at(-1), {
      reason: 'LAUNCH_REAUTHORIZED_OTHER',
    })
    standalone(ada)
    await page.goto(deep)
    await button.waitFor({ timeout: 10_000 })
  })

  await button.click()
  await page.waitForURL(deep, { waitUntil: 'commit', timeout: 20_000 })
  await page.getByRole('region', { name: 'Patient' }).waitFor({ timeout: 20_000 })
  t.equal(await read(page), 200)
  t.equal(await draftIn(page), 'a third letter')
  await page.close()
})
