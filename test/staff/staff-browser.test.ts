import t, { type Test } from 'tap'
import { axe } from '../support/axe.ts'
import { openBrowser } from '../support/chromium.ts'
import { startHospital } from '../support/hospital.ts'
import { freePort } from '../support/http.ts'
import { startIdentityProvider, withProvider } from './staff-rig.ts'

/**
 * The two questions of the staff, answered in a real browser by clicking: "Why did the app not open for Dr A at 10:14?"
 * and "Who looked at this patient last week?" The sign-in is a real OpenID Connect provider's; the site is read without
 * JavaScript, in the provider's pages alone it runs.
 */
const port = await freePort()
const url = `http://localhost:${String(port)}`
const provider = await startIdentityProvider(`${url}/sign-in/callback`)
const hospital = await startHospital({ root: { operations: withProvider(port, provider) } })
const browser = await openBrowser({ blockThirdPartyCookies: true })
t.teardown(async () => {
  await browser.close()
  await hospital.close()
  provider.close()
})
const page = await browser.context.newPage()
page.setDefaultTimeout(20_000)
const violations: string[] = []
page.on('console', (message) => {
  if (/Content Security Policy/i.test(message.text())) violations.push(message.text())
})

/** The provider's own pages: any name and password, then its consent. */
async function signIn(name: string): Promise<void> {
  await page.goto(`${url}/sign-in`)
  await page.getByRole('link', { name: 'Sign in with your hospital account' }).click()
  await page.locator('input[name=login]').fill(name)
  await page.locator('input[name=password]').fill('any')
  await page.locator('button[type=submit]').click()
  await page.locator('button[type=submit]').click()
}

async function signOut(): Promise<void> {
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('link', { name: 'Sign in with your hospital account' }).waitFor()
  await browser.context.clearCookies()
}

const heading = (name: string | RegExp) => page.getByRole('heading', { name, exact: true })
const find = () => page.getByRole('button', { name: 'Find', exact: true }).click()

const wide = { width: 1280, height: 800 }
const narrow = { width: 400, height: 800 }

/** What every page must be: no violation of axe, also on a small screen and in the dark, nothing sideways, no script. */
async function sound(t: Test, name: string): Promise<void> {
  t.same(await axe(page), [], `${name}: axe`)
  await page.setViewportSize(narrow)
  await page.emulateMedia({ colorScheme: 'dark' })
  t.same(await axe(page), [], `${name}: axe, narrow and dark`)
  t.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), `${name}: fits`)
  t.equal(await page.locator('script, [style], [onclick]').count(), 0, `${name}: no script`)
  t.equal(await page.getByRole('heading', { level: 1 }).count(), 1, `${name}: one heading`)
  await page.setViewportSize(wide)
  await page.emulateMedia({ colorScheme: null })
}

/** What a support worker would type for a time of today: 10:14. */
const typed = (at: number): string => {
  const clock = new Date(at)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${String(clock.getFullYear())}-${two(clock.getMonth() + 1)}-${two(clock.getDate())}T${two(clock.getHours())}:${two(clock.getMinutes())}`
}

const [doctorA, doctorB] = hospital.sandbox.clinicians.map(({ id }) => `Practitioner/${id}`)
const patient = hospital.sandbox.patients[0]?.id ?? ''
const when = Date.now()

t.before(async () => {
  // Dr A opens the app without a patient; Dr B reads a patient's chart; and the EHR knows no such address.
  await hospital.browser().navigate(hospital.sandbox.createLaunch({ user: doctorA ?? '' }).url)
  const clinician = hospital.browser()
  const { launch } = await clinician.launch({ patient, user: doctorB ?? '' })
  await clinician.fetch(`/fhir/${launch}/Patient/${patient}`)
  await clinician.fetch(`/fhir/${launch}/Observation?category=vital-signs`)
  await clinician.fetch(`/fhir/${launch}/Procedure`)
})

t.test('an account without a role stays outside, and that is recorded', async (t) => {
  await signIn('mallory')
  await page.getByText('Your account has no role on this site.').waitFor()
  await sound(t, 'refused')
  t.match(await hospital.auditText(), /"staff\.refused".*"mallory".*"no_role"/)
  await browser.context.clearCookies()
})

t.test('why did the app not open for Dr A at 10:14?', async (t) => {
  await page.goto(`${url}/sign-in`)
  await sound(t, 'sign-in')
  await signIn('otto.operator')
  await heading('Find').waitFor()
  await page.getByRole('link', { name: 'Why did the app not open?' }).click()
  await page.getByLabel('Around this time').fill(typed(when))
  await page.getByLabel('User').fill(doctorA ?? '')
  await find()
  await page.getByText('The EHR sent no patient, and this mode needs one.').first().waitFor()
  await sound(t, 'find, launches')
  await page.getByRole('link', { name: /^Launch / }).click()
  await page.getByText('The app did not open.').waitFor()
  await heading('What went wrong, and what to do').waitFor()
  t.match(await page.locator('.cause').innerText(), /open a patient first.*LAUNCH_PATIENT_MISSING/s)
  t.match(await page.locator('.story').innerText(), /The user was told: No patient is open\./)
  await sound(t, 'one launch')
  await page.getByRole('link', { name: 'LAUNCH_PATIENT_MISSING' }).click()
  await heading('Causes').waitFor()
  t.match(page.url(), /\/causes#LAUNCH_PATIENT_MISSING$/)
  await sound(t, 'causes')
})

t.test(
  'the same by the number that stood on the page, as it was heard on the telephone',
  async (t) => {
    const failed = await hospital
      .browser()
      .navigate(`${hospital.publicUrl}/launch?iss=https://wrong.example/fhir&launch=abc`)
    const incident = failed.response.headers.get('smart-bff-request') ?? ''
    await page.goto(url)
    await page.getByLabel('Incident number').fill(incident.toLowerCase().replaceAll('-', ' '))
    await find()
    await page.getByText('issuer address that is not configured').waitFor()
    t.equal(await page.locator('.results tbody tr').count(), 1)
  },
)

t.test(
  'the operator ends a launch, and all of a user, after being asked for the reason',
  async (t) => {
    const clinician = hospital.browser()
    const { launch } = await clinician.launch({ patient, user: doctorB ?? '' })
    await page.getByRole('link', { name: 'Launches', exact: true }).click()
    await sound(t, 'launches')
    await page
      .getByRole('button', { name: `End all of user ${doctorB ?? ''}` })
      .first()
      .click()
    await heading('End all launches').waitFor()
    t.equal((await clinician.fetch(`/launches/${launch}`)).status, 200, 'only asked')
    await sound(t, 'end launches')
    await page.getByLabel('Reason').selectOption('An account was compromised')
    await page.getByRole('button', { name: 'End all of them' }).click()
    await page.getByText('2 launches ended.').waitFor()
    await page.getByText('No launch of North Hospital lives now.').waitFor()
    await sound(t, 'launches ended')
    t.equal((await clinician.fetch(`/launches/${launch}`)).status, 401)
    t.match(
      await hospital.auditText(),
      /"revocation\.ordered".*"otto\.operator".*"account_compromised"/,
    )
    await signOut()
  },
)

t.test('who looked at this patient last week?', async (t) => {
  await signIn('anna.auditor')
  await page.getByRole('link', { name: 'Who looked at a patient?' }).click()
  await sound(t, 'find, patient')
  await page.getByLabel('Patient id at the EHR').fill(patient)
  await page.getByLabel('Within the last').selectOption('7 days')
  await find()
  await heading('Who looked').waitFor()
  const people = page.getByRole('table').first()
  t.match(await people.innerText(), doctorB ?? 'nobody')
  t.notMatch(await people.innerText(), doctorA ?? 'nobody', 'he did not see the patient')
  t.notMatch(page.url(), patient)
  await sound(t, 'find, people')

  await page.getByLabel('Keep this search as').fill('The case of last week')
  await page.getByRole('button', { name: 'Keep' }).click()
  await page.getByRole('link', { name: 'Find', exact: true }).click()
  await page.getByRole('link', { name: 'The case of last week' }).click()
  await page.getByRole('link', { name: doctorB ?? '' }).click()
  await page
    .getByText('search-type Observation (category=vital-signs, narrowed by patient)')
    .first()
    .waitFor()
  await page
    .getByRole('link', { name: /^Launch / })
    .first()
    .click()
  await page.getByText('The EHR asked to open the app.').waitFor()
  const scopes = page.locator('.scopes')
  t.match(await scopes.innerText(), /patient\/Observation\.rs\s+granted/)
  t.match(await page.locator('.story').innerText(), /no rule of its mode allows/)

  await page.goBack()
  const download = page.waitForEvent('download')
  await page.getByRole('link', { name: 'NDJSON' }).click()
  t.match((await download).suggestedFilename(), /^smart-bff-audit-.*\.ndjson$/)
  await page.goto(`${url}/?ask=all`)
  await sound(t, 'find, all records')
  await page.getByRole('button', { name: 'Remove The case of last week' }).click()
  await page.getByRole('link', { name: 'The case of last week' }).waitFor({ state: 'detached' })
  await heading('Launches').waitFor()
})

t.test('every other page, by keyboard alone', async (t) => {
  for (const name of ['Overview', 'Tenants', 'Integrity', 'Docs']) {
    for (let step = 0; step < 12; step += 1) {
      await page.keyboard.press('Tab')
      if ((await page.evaluate('document.activeElement.textContent')) === name) break
    }
    await page.keyboard.press('Enter')
    await heading(name).waitFor()
    await sound(t, name)
  }
  await page.getByRole('link', { name: 'Tenants', exact: true }).click()
  await page.getByRole('link', { name: 'North Hospital', exact: true }).click()
  await heading('Certificates and keys').waitFor()
  await sound(t, 'one tenant')
  await page.getByRole('link', { name: 'Launch contract' }).click()
  await heading('Launch contract: North Hospital').waitFor()
  await sound(t, 'contract')
  await page.getByRole('link', { name: 'Docs', exact: true }).click()
  await page.getByRole('link', { name: 'The audit files' }).click()
  await heading('The audit files').waitFor()
  await sound(t, 'a document')
  await page.goto(`${url}/integrity`)
  await page.getByRole('button', { name: 'Verify all files now' }).click()
  await page.getByRole('cell', { name: 'whole' }).waitFor()
  await page.goto(`${url}/launch/0123456789abcdef`)
  await heading('Nothing is known of this launch').waitFor()
  await page.goto(`${url}/nowhere`)
  await sound(t, 'not found')
})

t.test('what the staff did is in the audit, without the patient', async (t) => {
  const text = await hospital.auditText()
  for (const event of ['staff.signed_in', 'staff.searched', 'staff.viewed', 'staff.exported']) {
    t.match(text, new RegExp(`"${event}".*"user":"anna.auditor"`))
  }
  t.match(text, /"staff\.searched".*"ask=patient"/)
  t.match(text, /"staff\.searched".*"request=[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}"/)
  t.notMatch(text, `"${patient}"`)
  t.same(violations, [], 'nothing on a page breaks its policy')
  await page.goto(url)
  const copied = await browser.context.cookies(url)
  await signOut()
  await page.goto(url)
  await page.getByText('Sign in to see this page.').waitFor()
  await browser.context.addCookies(copied)
  await page.goto(url)
  await heading('Your session is over').waitFor()
  await sound(t, 'session over')
})
