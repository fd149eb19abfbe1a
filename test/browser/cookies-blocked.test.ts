import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import t from 'tap'
import { chromiumArgs, chromiumPath } from '../support/chromium.ts'
import { startHospital } from '../support/hospital.ts'

/** Cookies blocked altogether in frames: found out before anything goes to the EHR, and a window of its own works. */

const hospital = await startHospital()
const { sandbox, publicUrl } = hospital
const profile = mkdtempSync(join(tmpdir(), 'smart-bff-no-cookies-'))
mkdirSync(join(profile, 'Default'))
writeFileSync(
  join(profile, 'Default', 'Preferences'),
  JSON.stringify({
    profile: {
      content_settings: {
        exceptions: {
          // What a hospital's policy can do: no cookie for the app where the EHR's page is on top.
          cookies: {
            [`${publicUrl},${sandbox.origin}`]: { setting: 2 },
          },
        },
      },
    },
  }),
)
const context = await chromium.launchPersistentContext(profile, {
  executablePath: chromiumPath(),
  args: [...chromiumArgs],
})
t.teardown(async () => {
  await context.close()
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  await hospital.close()
})

t.test(
  'the page says so, nothing was sent to the EHR, and the new window runs the launch',
  async (t) => {
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
