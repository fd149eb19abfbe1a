import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type BrowserContext } from 'playwright-core'
import t from 'tap'
import { chromiumArgs, chromiumPath } from '../support/chromium.ts'
import { startHospital } from '../support/hospital.ts'

/** Cookies blocked altogether in frames: found out before anything goes to the EHR, and a window of its own works. */

const hospital = await startHospital()
const { sandbox, publicUrl } = hospital
const browsers: { close(): Promise<void> }[] = []
t.teardown(async () => {
  for (const browser of browsers) await browser.close()
  await hospital.close()
})

/** What a hospital's policy can do: no cookie for the app where this page is on top; `*` is any. */
async function withoutCookies(top: string): Promise<BrowserContext> {
  const profile = mkdtempSync(join(tmpdir(), 'smart-bff-no-cookies-'))
  mkdirSync(join(profile, 'Default'))
  const cookies = { [`${publicUrl},${top}`]: { setting: 2 } }
  const preferences = { profile: { content_settings: { exceptions: { cookies } } } }
  writeFileSync(join(profile, 'Default', 'Preferences'), JSON.stringify(preferences))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath(),
    args: [...chromiumArgs],
  })
  browsers.push({
    close: async () => {
      await context.close()
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  })
  return context
}

t.test(
  'the page says so, nothing was sent to the EHR, and the new window runs the launch',
  async (t) => {
    const context = await withoutCookies(sandbox.origin)
    const [patient] = sandbox.patients
    const page = await context.newPage()
    await page.goto(`${sandbox.origin}/chart/${patient?.id}`, { waitUntil: 'commit' })
    const frame = page.frameLocator('iframe[data-app]')
    const button = frame.getByRole('link', { name: 'Open in a new window' })
    await button.waitFor({ timeout: 20_000 })
    t.match(
      await frame.locator('body').innerText(),
      /does not keep the cookie[\s\S]*Incident number/,
    )
    t.notOk(
      sandbox.requests().some(({ where }) => where === 'authorize'),
      'the launch value is unspent',
    )
    t.match(
      (await hospital.audit()).filter(({ event }) => event === 'launch.refused'),
      [{ reason: 'LAUNCH_COOKIE_NOT_KEPT', tenant: 'north', outcome: 'refused' }],
    )

    const opening = context.waitForEvent('page')
    await button.click()
    const opened = await opening
    await opened.waitForURL(/\/app\/[\w-]+\/$/, { waitUntil: 'commit', timeout: 20_000 })
    await opened.getByRole('region', { name: 'Patient' }).waitFor({ timeout: 20_000 })
    const told = await opened.evaluate<{ patient: string }>(
      `fetch(location.pathname.replace('/app/', '/launches/').replace(/.$/, '')).then((answer) => answer.json())`,
    )
    t.equal(told.patient, patient?.id)
  },
)

t.test(
  'where no window may keep a cookie, the new one says so and offers no further',
  async (t) => {
    const context = await withoutCookies('*')
    const page = await context.newPage()
    await page.goto(`${sandbox.origin}/chart/${sandbox.patients[0]?.id}`, { waitUntil: 'commit' })
    const button = page
      .frameLocator('iframe[data-app]')
      .getByRole('link', { name: 'Open in a new' })
    await button.waitFor({ timeout: 20_000 })
    const opening = context.waitForEvent('page')
    await button.click()
    const opened = await opening
    await opened.getByRole('heading', { name: 'cannot keep you signed in' }).waitFor()
    t.match(await opened.locator('body').innerText(), /service desk[\s\S]*Incident number/)
    t.equal(await opened.getByRole('link').count(), 0)
  },
)
