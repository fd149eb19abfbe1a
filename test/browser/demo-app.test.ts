import t from 'tap'
import type { Page } from 'playwright-core'
import { startAppServer } from './app-server.ts'
import { fullChart, patient } from './chart-data.ts'
import { axe } from '../support/axe.ts'
import { openBrowser } from '../support/chromium.ts'

const server = await startAppServer()
const viewport = { width: 400, height: 800 }
const browser = await openBrowser({ blockThirdPartyCookies: true, viewport })
const page = await browser.context.newPage()
const faults: string[] = []
page.on('pageerror', (error) => faults.push(error.message))
page.on('console', (message) => {
  if (/Content Security Policy/i.test(message.text())) faults.push(message.text())
})
t.teardown(async () => {
  await browser.close()
  server.close()
})

const original = { ...server.info }
const ehrDown = { status: 502, state: 'data_unavailable', sentence: 'The EHR does not answer.' }
const current = (tab: Page) => tab.getByText(/^All read from the EHR at/).waitFor()
const settled = (tab: Page) =>
  tab.getByRole('button', { name: 'Refresh', disabled: false }).waitFor()
const section = (name: string) => page.getByRole('region', { name, exact: true })
const open = async (): Promise<void> => {
  await page.goto(server.url)
  await settled(page)
}

t.beforeEach(() => {
  server.faults.clear()
  server.chart = fullChart()
  server.patient = patient
  server.info = original
  server.requests.length = 0
})
t.test('shows the chart, and talks to its own launch only', async (t) => {
  await open()
  await current(page)
  const banner = await section('Patient').innerText()
  t.match(banner, /Lovelace, Ada Augusta/)
  t.match(banner, /10 Dec 1958 \(\d+ years\)/)
  t.match(banner, /Female/)
  t.match(banner, /MRN\s+MRN-0042/)
  t.notMatch(banner, /Byron/, 'an old name is not the name')
  await page.getByText('Signed in: Dr Maria Lopez').waitFor()
  t.ok(await page.getByText('Synthetic data').isVisible())
  t.match(
    await section('Medications').innerText(),
    /Ibuprofen Do not give[\s\S]*Lisinopril 10 mg tablet On hold/,
  )
  const own =
    /^GET \/(app|assets|fhir\/L-0123456789abcdef|launches\/L-0123456789abcdef|smart-bff(-\w+)?\.js|session\/events)/
  t.strictSame(
    server.requests.filter((request) => !own.test(request)),
    [],
  )
})

t.test('proxy access: the banner says who acts and for whom', async (t) => {
  const rows = [
    ['Patient/p1', 'patient', 'Signed in: the patient'],
    ['Patient/p2', 'patient', 'Signed in: another person, for this patient'],
    ['RelatedPerson/r1', 'related_person', 'Signed in: Mary Shelley, for this patient'],
  ] as const
  for (const [fhirUser, kind, shown] of rows) {
    server.info = { ...original, user: { fhirUser, kind } }
    await open()
    await page.getByText(shown, { exact: true }).waitFor()
    t.match(await section('Patient').innerText(), /Lovelace, Ada Augusta/, shown)
  }
  t.notOk(server.requests.some((request) => request.includes('Patient/p2')))
})

t.test('shows conflicting codings and contradictions, and no mistaken entries', async (t) => {
  await open()
  const problems = await section('Problems').innerText()
  t.match(problems, /Codes differ[\s\S]*SNOMED CT 44054006[\s\S]*ICD-10-CM E10\.9/)
  t.notMatch(problems, /Gout/)
  t.match(problems, /Essential hypertension Also recorded as over/)
  t.match(await section('Allergies').innerText(), /The record contradicts itself/)
})

t.test('draws vital signs, with values for keyboard and screen reader', async (t) => {
  await open()
  const chart = page.getByRole('slider', { name: /^Blood pressure, 24 readings/ })
  await chart.focus()
  const newest = await chart.getAttribute('aria-valuetext')
  t.match(newest, /^\d+\/\d+ mmHg, 3 Mar 2026, \d\d:\d\d$/)
  await page.keyboard.press('ArrowLeft')
  t.match(await chart.getAttribute('aria-valuetext'), /3 Feb 2026/)
  await page.keyboard.press('Home')
  t.equal(await chart.getAttribute('aria-valuenow'), '1')
  t.equal(await page.locator('.plot path.line').count(), 2)

  await page.getByRole('button', { name: /^Weight/ }).click()
  t.ok(await page.getByRole('slider', { name: /^Weight, 23 readings/ }).isVisible())
  t.match(await section('Vital signs').innerText(), /1 not in the chart \(another unit/)
  t.match(await page.getByRole('button', { name: /^Heart rate/ }).innerText(), /^Heart rate\s+74/)
  await page.getByText('Weight as a table (24)').click()
  t.match(await section('Weight, table').innerText(), /171 lb/)
})

t.test('pages through the results by the next links', async (t) => {
  await open()
  const results = section('Laboratory results')
  const more = results.getByRole('button', { name: 'Show older results' })
  await results.getByText('20 of 46 results shown.').waitFor()
  await more.click()
  await results.getByText('40 of 46 results shown.').waitFor()
  await more.click()
  await results.getByText('All 46 results shown.').waitFor()
  t.equal(await more.isVisible(), false)
  const text = await results.innerText()
  t.match(text, /Critically high/)
  t.match(text, /<b>final<\/b>/, 'markup in a value is text')

  await open()
  server.faults.set('_page', { status: 410, state: 'data_unavailable', sentence: 'Search again.' })
  await more.click()
  await results.getByText('This list is too old to go on.').waitFor()
})

t.test('tells an empty list from one that is not available', async (t) => {
  server.chart = {}
  server.faults.set('Condition', ehrDown)
  server.faults.set('MedicationRequest', {
    status: 403,
    state: 'scope_insufficient',
    sentence: 'Not granted.',
  })
  await open()
  t.match(
    await section('Allergies').innerText(),
    /No allergies recorded\.\s+This does not mean that the patient has none/,
  )
  t.match(
    await section('Problems').innerText(),
    /not available[\s\S]*The EHR does not answer\.[\s\S]*i-4711/,
  )
  t.match(await section('Medications').innerText(), /Not granted\./)
  t.equal(await section('Medications').getByRole('button').count(), 0, 'no use in trying again')
  t.strictSame(await axe(page), [])

  server.faults.clear()
  await section('Problems').getByRole('button', { name: 'Try again' }).click()
  await section('Problems').getByText('No problems recorded.').waitFor()
})

t.test('says that the data is not current when a refresh fails', async (t) => {
  await open()
  server.faults.set('AllergyIntolerance', ehrDown)
  await page.getByRole('button', { name: 'Refresh' }).click()
  await page.getByRole('alert').getByText('This is not this patient’s current data.').waitFor()
  t.match(await section('Allergies').innerText(), /Not current\. Read at[\s\S]*Penicillin/)
  t.notMatch(await section('Problems').innerText(), /Not current/)
  t.strictSame(await axe(page), [])

  server.faults.clear()
  await page.getByRole('button', { name: 'Refresh' }).click()
  await current(page)
  t.notMatch(await page.locator('body').innerText(), /not this patient’s current|Not current/)
})

t.test('takes the patient out of the document when the launch is over', async (t) => {
  for (const [key, fault] of [
    ['laboratory', { status: 401, state: 'session_ended', sentence: 'This session has ended.' }],
    ['Patient', { status: 409, state: 'context_changed', sentence: 'Another patient was opened.' }],
  ] as const) {
    server.faults.clear()
    await open()
    server.faults.set(key, fault)
    await page.getByRole('button', { name: 'Refresh' }).click()
    await page.getByRole('heading', { name: fault.sentence }).waitFor()
    t.notMatch(await page.content(), /Lovelace|Penicillin|Metformin|MRN-0042/)
    t.strictSame(await axe(page), [], fault.state)
  }
})

t.test('does not open for a launch that is over', async (t) => {
  server.faults.set('launch', {
    status: 401,
    state: 'session_ended',
    sentence: 'This session has ended.',
  })
  await page.goto(server.url)
  await page.getByRole('heading', { name: 'This session has ended.' }).waitFor()
  t.match(await page.locator('html').innerText(), /Service desk: 4400\.[\s\S]*i-4711/)
  t.notOk(server.requests.some((request) => request.includes('/fhir/')))
})

t.test('shows no data without the name it belongs to, and none of another patient', async (t) => {
  server.faults.set('Patient', ehrDown)
  await open()
  t.notMatch(await page.locator('body').innerText(), /Penicillin/)
  server.faults.clear()
  await page.getByRole('button', { name: 'Refresh' }).click()
  await section('Allergies').getByText('Penicillin').waitFor()

  server.patient = { ...patient, id: 'p2', name: [{ family: 'Somebody' }] }
  await page.getByRole('button', { name: 'Refresh' }).click()
  await page.getByRole('heading', { name: 'The EHR answered about another patient.' }).waitFor()
  t.notMatch(await page.content(), /Somebody|Penicillin/)
})

t.test(
  'shows what is recorded of a sparse patient, and leaves the banner to an EHR that has one',
  async (t) => {
    server.patient = { resourceType: 'Patient', id: 'p1', birthDate: '1990' }
    await open()
    const banner = section('Patient')
    t.match(
      await banner.innerText(),
      /Name not recorded[\s\S]*1990 \(about \d+ years\)[\s\S]*Not recorded/,
    )
    server.patient = patient
    server.info = { ...original, needPatientBanner: false }
    await open()
    t.equal((await banner.innerText()).trim(), 'Lovelace, Ada Augusta')
  },
)

t.test('fits a sidebar and a page, and is accessible in both', async (t) => {
  for (const width of [400, 1200]) {
    await page.setViewportSize({ width, height: 800 })
    await open()
    await current(page)
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), width)
    t.strictSame(await axe(page), [], `${width} pixels`)
  }
})

t.test('no script failed, and nothing was against the policy', async (t) => {
  t.strictSame(faults, [])
})
