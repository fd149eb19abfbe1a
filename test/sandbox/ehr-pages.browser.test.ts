import t from 'tap'
import { startSandbox } from '../../src/sandbox/sandbox.ts'
import { axe } from '../support/axe.ts'
import { openBrowser } from '../support/chromium.ts'
import { startServer } from '../support/http.ts'

/** The EHR's pages in a real browser: reachable by keyboard, sound for a screen reader, and nothing scrolls sideways. */

const app = await startServer((_request, response) => {
  response.setHeader('content-type', 'text/html')
  response.end('<!doctype html><html lang="en"><title>App</title><h1>App</h1></html>')
}, 'localhost')
const sandbox = await startSandbox({ launchUrl: `http://localhost:${app.port}/launch` })
const browser = await openBrowser({ blockThirdPartyCookies: true })
t.teardown(async () => {
  await browser.close()
  await sandbox.close()
  await app.close()
})
const amara = sandbox.patient('amara')
const page = await browser.context.newPage()

t.test('pages are sound for assistive technology at every width', async (t) => {
  const six = sandbox.patients.slice(0, 6).map(({ id }) => `patient=${id}`)
  for (const path of [
    '/',
    `/chart/${amara.id}`,
    `/chart/${amara.id}?view=full`,
    `/charts?${six.join('&')}`,
    '/failing',
    '/failing/no-patient',
  ]) {
    for (const width of [1440, 400]) {
      await page.setViewportSize({ width, height: 900 })
      await page.goto(`${sandbox.origin}${path}`)
      t.strictSame(await axe(page), [], `${path} at ${width} pixels`)
      const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
      t.ok(Number(overflow) <= 0, `${path} at ${width} pixels does not scroll sideways`)
    }
  }
})

t.test('a patient is found and opened with the keyboard alone', async (t) => {
  await page.setViewportSize({ width: 1280, height: 800 })
  await page.goto(sandbox.origin)
  await page.getByRole('searchbox').focus()
  await page.keyboard.type('okaf')
  t.equal(await page.locator('tbody tr:visible').count(), 1)
  t.equal(await page.locator('caption').textContent(), '1 of 14 synthetic patients')
  await page.getByRole('searchbox').fill('nobody of this name')
  await page.getByText('No patient matches this search.').waitFor()
  await page.getByRole('searchbox').fill('okaf')
  await page.getByRole('link', { name: 'Okafor' }).focus()
  await page.keyboard.press('Enter')
  await page.frameLocator('iframe').getByRole('heading', { name: 'App' }).waitFor()
  const frame = page.locator('iframe')
  t.equal((await frame.boundingBox())?.width, 400)
  await page.getByRole('link', { name: 'App, full width' }).press('Enter')
  await page.frameLocator('iframe').getByRole('heading', { name: 'App' }).waitFor()
  t.equal((await frame.boundingBox())?.width, 1280)
  await page.getByRole('link', { name: 'Close chart' }).press('Enter')
  await page.getByRole('heading', { name: 'Patients' }).waitFor()
})

t.test('another clinician is chosen in the header', async (t) => {
  await page.goto(`${sandbox.origin}/chart/${amara.id}`)
  await page.getByLabel('Signed in as').selectOption({ index: 1 })
  await page.waitForURL(`${sandbox.origin}/chart/${amara.id}`)
  const chosen = page.getByLabel('Signed in as').locator('option:checked')
  t.match(await chosen.textContent(), sandbox.clinicians[1]?.name ?? 'nobody')
})
