import t from 'tap'
import type { Page } from 'playwright-core'
import { axe } from '../support/axe.ts'
import { openBrowser } from '../support/chromium.ts'
import { startHospital } from '../support/hospital.ts'
import { freePort } from '../support/http.ts'
import { startIdentityProvider } from './staff-rig.ts'

/**
 * The two questions of the staff, answered in a real browser by clicking: "Why did the app not open for Dr A at 10:14?"
 * and "Who looked at this patient last week?" The sign-in is a real OpenID Connect provider's.
 */
const port = await freePort()
const url = `http://localhost:${String(port)}`
const provider = await startIdentityProvider(`${url}/sign-in/callback`)
const hospital = await startHospital({
  root: {
    operations: {
      listen: { host: 'localhost', port },
      publicUrl: url,
      staff: {
        oidc: { issuer: provider.issuer, clientId: 'smart-bff', clientSecret: 'staff-secret' },
        roles: { claim: 'groups', auditor: ['privacy-office'], operator: ['service-desk'] },
      },
    },
  },
})
const browser = await openBrowser({ blockThirdPartyCookies: true })
t.teardown(async () => {
  await browser.close()
  await hospital.close()
  provider.close()
})

/** The provider's own pages: any name and password, then its consent. */
async function signIn(page: Page, name: string): Promise<void> {
  await page.goto(`${url}/sign-in`)
  await page.getByRole('link', { name: 'Sign in with your hospital account' }).click()
  await page.locator('input[name=login]').fill(name)
  await page.locator('input[name=password]').fill('any')
  await page.locator('button[type=submit]').click()
  await page.locator('button[type=submit]').click()
}

const seen: string[] = []
async function accessible(page: Page): Promise<string[]> {
  seen.push(new URL(page.url()).pathname)
  return axe(page)
}

t.test('an account without a role stays outside, and that is recorded', async (t) => {
  const page = await browser.context.newPage()
  await signIn(page, 'mallory')
  await page.getByText('Your account has no role on this site.').waitFor()
  t.same(await accessible(page), [])
  t.match(await hospital.auditText(), /"staff\.refused".*"mallory".*"no_role"/)
  await browser.context.clearCookies()
  await page.close()
})

t.test('why did the app not open for Dr A, and who looked at this patient?', async (t) => {
  const clinician = hospital.browser()
  const patient = hospital.sandbox.patients[0]?.id ?? ''
  const launched = await clinician.launch({ patient })
  await clinician.fetch(`/fhir/${launched.launch}/Patient/${patient}`)
  const failed = await hospital
    .browser()
    .navigate(`${hospital.publicUrl}/launch?iss=https://wrong.example/fhir&launch=abc`)
  const incident = failed.response.headers.get('smart-bff-request') ?? ''

  const page = await browser.context.newPage()
  await page.goto(`${url}/sign-in`)
  t.same(await accessible(page), [])
  await signIn(page, 'anna.auditor')
  await page.getByRole('heading', { name: 'Find' }).waitFor()
  t.same(await accessible(page), [])

  await t.test('why: denied first, then the words', async (t) => {
    await page.getByLabel('Denied first').check()
    await page.getByLabel('or the last').selectOption('24 hours')
    await page.getByRole('button', { name: 'Find' }).click()
    const row = page.getByRole('row').filter({ hasText: 'LAUNCH_ISS_UNKNOWN' }).first()
    await row.waitFor()
    t.match(await row.innerText(), /The launch was refused\./)
    await page.goto(url)
    await page.getByLabel('Incident number').fill(incident.toLowerCase())
    await page.getByRole('button', { name: 'Find' }).click()
    await page.getByRole('cell', { name: 'LAUNCH_ISS_UNKNOWN' }).waitFor()
    await page.locator('tbody a').first().click()
    await page.getByRole('heading', { name: 'What went wrong, and what to do' }).waitFor()
    t.match(await page.locator('.cause').innerText(), /issuer address that is not configured/)
    t.same(await accessible(page), [])
  })

  await t.test('who: by the id of the patient, which stays out of the address', async (t) => {
    await page.goto(url)
    await page.getByLabel('Patient id at the EHR').fill(patient)
    await page.getByLabel('or the last').selectOption('7 days')
    await page.getByLabel('Event').selectOption('fhir.access')
    await page.getByRole('button', { name: 'Find' }).click()
    const row = page.getByRole('row').filter({ hasText: 'read Patient' }).first()
    await row.waitFor()
    t.match(await row.innerText(), /Practitioner\//)
    t.notMatch(page.url(), patient)
    await row.getByRole('link').click()
    await page.getByText('The EHR asked to open the app.').waitFor()
    t.match(await page.locator('dl').innerText(), /Requested\s+.*launch/)
    t.same(await accessible(page), [])
  })

  await t.test('every other page, by keyboard and without script', async (t) => {
    for (const name of ['Overview', 'Tenants', 'Integrity']) {
      const link = page.getByRole('link', { name, exact: true })
      await link.focus()
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { level: 1, name }).waitFor()
      t.same(await accessible(page), [], name)
    }
    await page.getByRole('button', { name: 'Verify all files now' }).click()
    await page.getByRole('cell', { name: 'whole' }).waitFor()
    t.equal(await page.locator('script').count(), 0)
    t.ok(new Set(seen).size >= 6, seen.join(' '))
  })

  await t.test('what the staff did is in the audit, without the patient', async (t) => {
    const text = await hospital.auditText()
    for (const event of ['staff.signed_in', 'staff.searched', 'staff.viewed']) {
      t.match(text, new RegExp(`"${event}".*"user":"anna.auditor"`))
    }
    t.notMatch(text, `"${patient}"`)
  })

  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('link', { name: 'Sign in with your hospital account' }).waitFor()
  await page.goto(url)
  await page.getByText('Sign in to see this page.').waitFor()
})
