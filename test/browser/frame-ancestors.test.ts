import type { Frame, Page } from 'playwright-core'
import t from 'tap'
import { openBrowser } from '../support/chromium.ts'
import { startServer } from '../support/http.ts'
import { startHospital } from '../support/hospital.ts'

/**
 * Who may frame the app: the tenant's EHR and nobody else. The foreign page is of the same site as the EHR's, so that the
 * session's cookie is sent with its frame too, and nothing but `frame-ancestors` keeps the chart from it.
 */
const page = () =>
  startServer((request, response) => {
    response.setHeader('content-type', 'text/html')
    const src = new URL(request.url ?? '/', 'http://page').searchParams.get('src') ?? ''
    response.end(`<!doctype html><title>Page</title><iframe src="${src}"></iframe>`)
  })
const [ehr, foreign] = [await page(), await page()]
const hospital = await startHospital({ framedBy: [`http://127.0.0.1:${ehr.port}`] })
const browser = await openBrowser({ blockThirdPartyCookies: true })
t.teardown(async () => {
  await browser.close()
  await hospital.close()
  await Promise.all([ehr.close(), foreign.close()])
})
const { sandbox, publicUrl } = hospital
const [amara] = sandbox.patients
if (amara === undefined) throw new Error('no patient')

async function framedAt(port: number, src: string): Promise<{ tab: Page; frame: Frame }> {
  const tab = await browser.context.newPage()
  await tab.goto(`http://127.0.0.1:${port}/?src=${encodeURIComponent(src)}`)
  const frame = tab.frames()[1]
  if (frame === undefined) throw new Error('no frame')
  return { tab, frame }
}
const launchUrl = () => sandbox.createLaunch({ patient: amara.id }).url
/** Chromium shows a page of its own in the frame. */
async function seesNothing(tab: Page, frame: Frame): Promise<void> {
  await frame.waitForURL('chrome-error://chromewebdata/', { timeout: 20_000 })
  t.notMatch(await frame.content(), new RegExp(`${amara?.family}|role="region"`))
  await tab.close()
}

t.test('the EHR of the tenant shows the app; a foreign page shows nothing of it', async (t) => {
  const { tab, frame } = await framedAt(ehr.port, launchUrl())
  await frame.waitForURL(/\/app\/[\w-]+\/$/, { timeout: 20_000 })
  await frame.getByRole('region', { name: 'Patient' }).waitFor({ timeout: 20_000 })
  const address = frame.url()
  t.match(await frame.innerText('body'), new RegExp(amara.family))

  await t.test('not the address of the launch that lives beside it', async (t) => {
    const asked = browser.context.waitForEvent('request', (request) => request.url() === address)
    const other = await framedAt(foreign.port, address)
    const cookie = (await (await asked).allHeaders())['cookie'] ?? ''
    t.match(cookie, /__Host-smart-bff=/, 'the cookie was sent: nothing else would have kept it')
    await seesNothing(other.tab, other.frame)
  })
  await t.test('nor a launch of its own', async () => {
    const other = await framedAt(foreign.port, launchUrl())
    await seesNothing(other.tab, other.frame)
  })
  await t.test('nor a page of the tenant that tells of a fault', async () => {
    const launch = `${publicUrl}/launch/north/chart?iss=${encodeURIComponent('https://other')}&launch=x`
    const told = await framedAt(
      foreign.port,
      `${publicUrl}/app/${address.split('/app/')[1]}missing.js`,
    )
    await seesNothing(told.tab, told.frame)
    // One without a tenant holds text only and may be seen (DESIGN.md, Pages without a tenant).
    const { tab: plain, frame: text } = await framedAt(foreign.port, launch)
    await text.getByRole('heading').first().waitFor({ timeout: 20_000 })
    t.notMatch(await text.content(), /North Hospital|4400/)
    await plain.close()
  })
  t.equal(await frame.getByRole('region', { name: 'Patient' }).isVisible(), true)
  await tab.close()
})
