import t from 'tap'
import { axe } from '../support/axe.ts'
import { openBrowser } from '../support/chromium.ts'
import type { Raw } from '../support/config.ts'
import { demoModes } from '../support/deployment.ts'
import { startHospital } from '../support/hospital.ts'

/** Proxy access in a patient mode: the page says for whom it is open and who acts, and nothing of another's record. */

const [chart] = (await demoModes()) as readonly [Raw & { scopes: string[]; allow: Raw[] }]
const relatives = {
  feature: 'Who acts for the patient',
  resource: 'RelatedPerson',
  interactions: ['read', 'search-type'],
}
const portal = {
  ...chart,
  id: 'portal',
  user: 'patient',
  scopes: [...chart.scopes, 'patient/RelatedPerson.rs'],
  allow: [...chart.allow, relatives],
}
const hospital = await startHospital({ tenant: { modes: [portal] } })
const { sandbox, publicUrl } = hospital
const browser = await openBrowser({ blockThirdPartyCookies: true })
t.teardown(async () => {
  await browser.close()
  await hospital.close()
})
const [child, mother] = [sandbox.patient('noor'), sandbox.patient('mei')]

/** The mother as the child's record knows her. */
async function motherOfRecord(): Promise<string> {
  const patient = hospital.browser()
  const { launch } = await patient.launch({ patient: child.id, user: `Patient/${child.id}` })
  const answer = await patient.fetch(`/fhir/${launch}/RelatedPerson`)
  const { entry } = (await answer.json()) as { entry: { resource: { id: string } }[] }
  return `RelatedPerson/${entry[0]?.resource.id ?? ''}`
}

const asRelative = await motherOfRecord()

for (const [name, user, shown] of [
  ['the patient', `Patient/${child.id}`, 'Signed in: the patient'],
  ['another patient', `Patient/${mother.id}`, 'Signed in: another person, for this patient'],
  ['a related person', asRelative, 'Signed in: Mei-Ling Zhao, for this patient'],
] as const) {
  t.test(name, async (t) => {
    const page = await browser.context.newPage()
    await page.goto(sandbox.createLaunch({ patient: child.id, user }).url)
    t.ok(page.url().startsWith(`${publicUrl}/app/`))
    await page.getByText(shown, { exact: true }).waitFor()
    await page.getByText('All read from the EHR').waitFor()
    const text = await page.getByRole('region', { name: 'Patient', exact: true }).innerText()
    t.match(text, child.family, 'for whom')
    t.match(text, child.mrn)
    t.notMatch(await page.content(), mother.mrn)
    t.same(await axe(page), [])
    await page.close()
  })
}

t.test('whoever is told something here is told it as a patient', async () => {
  const page = await browser.context.newPage()
  const user = `Patient/${child.id}`
  await page.goto(sandbox.createLaunch({ user }).url)
  await page.getByText('The app was opened without a record.').waitFor()
  await page.getByText('Open the app again, from where you opened it before.').waitFor()
  await page.goto(`${publicUrl}/app/0123456789abcdefghij/`)
  await page.getByText('Open the app again, from where you opened it before.').waitFor()
  await page.goto(publicUrl)
  await page.getByText('Sign in where the hospital shows you your record.').waitFor()

  await page.goto(sandbox.createLaunch({ patient: child.id, user }).url)
  await page.getByText('All read from the EHR').waitFor()
  const launch = new URL(page.url()).pathname.split('/')[2] ?? ''
  await page.evaluate((path) => fetch(path, { method: 'DELETE' }), `/launches/${launch}`)
  await page.getByText('Open the app again, from where you opened it before.').waitFor()
  await page.close()
})

t.test('the audit knows a patient and a related person by pseudonym alone', async (t) => {
  const audit = await hospital.auditText()
  t.match(audit, '"launch.authorized"')
  for (const word of [child.id, mother.id, asRelative, asRelative.split('/')[1] ?? '', child.mrn]) {
    t.notOk(audit.includes(word))
  }
})
