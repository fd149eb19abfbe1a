import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Frame, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { openBrowser } from '../support/chromium.ts'
import { startDeployment } from '../support/deployment.ts'

/**
 * The main job in a real browser: the EHR on 127.0.0.1 frames smart-bff on localhost, which is cross-site, with
 * third-party cookies blocked. Whoever wants the pictures sets SMART_BFF_SCREENSHOTS to a folder.
 */
const pictures = process.env['SMART_BFF_SCREENSHOTS'] ?? join(tmpdir(), 'smart-bff-screenshots')

async function setUp(t: Test) {
  const deployment = await startDeployment()
  const browser = await openBrowser({
    blockThirdPartyCookies: true,
    viewport: { width: 1360, height: 1000 },
  })
  t.teardown(async () => {
    await browser.close()
    await deployment.close()
  })
  const page = await browser.context.newPage()
  return { deployment, page, sandbox: deployment.sandbox }
}

async function appFrame(page: Page, publicUrl: string): Promise<Frame> {
  const deadline = Date.now() + 20_000
  while (Date.now() < deadline) {
    const frame = page.frames().find((one) => one.url().startsWith(`${publicUrl}/app/`))
    if (frame !== undefined) return frame
    // oxlint-disable-next-line no-await-in-loop
    await page.waitForTimeout(50)
  }
  throw new Error(
    `no app frame: ${page
      .frames()
      .map((frame) => frame.url())
      .join(' ')}`,
  )
}

t.test('choose a patient: the chart of that patient stands in the EHR frame', async (t) => {
  const { deployment, page, sandbox } = await setUp(t)
  const amara = sandbox.patient('amara')
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text())
  })
  await page.goto(`${sandbox.origin}/`)
  await page.getByRole('link', { name: 'Okafor, Amara Ngozi' }).click()
  const frame = await appFrame(page, deployment.publicUrl)
  await frame.getByText(amara.mrn).first().waitFor({ timeout: 20_000 })
  await frame.getByText('All read from the EHR').waitFor({ timeout: 20_000 })
  const text = await frame.locator('body').innerText()
  t.match(text, amara.family)
  t.match(text, 'Synthetic data')
  t.match(text, 'Grace Halvorsen', 'who is signed in')
  for (const section of [
    'Allergies',
    'Problems',
    'Medications',
    'Vital signs',
    'Laboratory results',
  ]) {
    t.match(text, section)
  }
  t.same(errors, [], 'a quiet console')

  await mkdir(pictures, { recursive: true })
  await page.screenshot({ path: join(pictures, 'chart-sidebar.png') })
  await page.goto(`${sandbox.origin}/chart/${amara.id}?view=full`)
  const full = await appFrame(page, deployment.publicUrl)
  await full.getByText('All read from the EHR').waitFor({ timeout: 20_000 })
  await page.screenshot({ path: join(pictures, 'chart-full.png') })
})

t.test('the next chart shows the next patient and nothing of the one before', async (t) => {
  const { deployment, page, sandbox } = await setUp(t)
  const [amara, bart] = [sandbox.patient('amara'), sandbox.patient('bart')]
  for (const [patient, other] of [
    [amara, bart],
    [bart, amara],
  ] as const) {
    await page.goto(`${sandbox.origin}/chart/${patient.id}`)
    const frame = await appFrame(page, deployment.publicUrl)
    await frame.getByText(patient.mrn).first().waitFor({ timeout: 20_000 })
    const text = await frame.locator('body').innerText()
    t.match(text, patient.family)
    t.notMatch(text, other.family)
  }
})
