import { cp, mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Frame, Locator, Page } from 'playwright-core'
import t from 'tap'
import { bundle } from '../support/bundle.ts'
import { openBrowser } from '../support/chromium.ts'
import { holdClock } from '../support/clock.ts'
import { startHospital } from '../support/hospital.ts'

/**
 * Beside Oracle Health's embeddable library (cerner-smart-embeddable-lib): the app's document is hidden until the MPage
 * has proved its origin, and the MPage makes the frame as tall as the document says. Whatever the helper shows has to be
 * seen there, although the frame reaches beyond the screen.
 */
const mpage = 'https://embedded.cerner.com'
const library = '../../node_modules/cerner-smart-embeddable-lib/dist/'
const tall = 3000

const directory = await mkdtemp(join(tmpdir(), 'smart-bff-embedded-'))
await mkdir(join(directory, 'assets'))
for (const [kind, name] of [
  ['js', 'cerner.js'],
  ['css', 'cerner.css'],
] as const) {
  const source = new URL(
    `${library}${kind}/cerner-smart-embeddable-lib-1.7.0.min.${kind}`,
    import.meta.url,
  )
  // oxlint-disable-next-line no-await-in-loop -- two files
  await cp(source, join(directory, 'assets', name))
}
await writeFile(
  join(directory, 'index.html'),
  `<!doctype html><html lang="en" hidden><head><title>Chart</title>
    <link rel="stylesheet" href="/assets/cerner.css"></head>
    <body><main id="phi">Ada Lovelace</main><script src="/assets/cerner.js"></script>
    <script src="/assets/app.js"></script></body></html>`,
)
await writeFile(
  join(directory, 'assets', 'app.js'),
  `document.getElementById('phi').style.height = '${tall}px'`,
)

const clock = holdClock()
const hospital = await startHospital({
  root: { app: { directory } },
  framedBy: [mpage],
})
const { sandbox } = hospital
const browser = await openBrowser({
  blockThirdPartyCookies: true,
  // A page of the public network frames this computer here.
  args: ['--disable-features=LocalNetworkAccessChecks'],
})
t.teardown(async () => {
  await browser.close()
  await hospital.close()
  clock.release()
  await rm(directory, { recursive: true, force: true })
})
const consumer = bundle(`import { Consumer } from 'xfc'
  Consumer.init()
  window.mount = (url) => {
    const frame = Consumer.mount(document.body, url, { resizeConfig: {
      customCalculationMethod: () => frame.trigger('iframeCustomResizer'),
    } })
    frame.on('iframeCustomResizer', ({ height }) => { frame.iframe.style.height = height })
  }`)
await browser.context.route(`${mpage}/**`, (route) =>
  route.fulfill({
    contentType: 'text/html',
    body: `<!doctype html><title>MPage</title><style>iframe { width: 100%; border: 0 }</style>
      <body><script>${consumer}</script>`,
  }),
)

async function open(): Promise<{ page: Page; frame: Frame }> {
  const page = await browser.context.newPage()
  await page.goto(`${mpage}/chart`)
  const { url } = sandbox.createLaunch({ patient: sandbox.patients[0]?.id ?? '' })
  await page.evaluate(`mount(${JSON.stringify(url)})`)
  const frame = await (await page.waitForSelector('iframe')).contentFrame()
  if (frame === null) throw new Error('no frame')
  await frame.waitForURL(/\/app\/[\w-]+\/$/, { timeout: 20_000 })
  await frame.locator('#phi').waitFor({ timeout: 20_000 })
  return { page, frame }
}
const heightOf = (page: Page) =>
  page.evaluate<number>(`document.querySelector('iframe').getBoundingClientRect().height`)
/** Whether all of it stands within the screen, whatever scrolls. */
async function inSight(page: Page, what: Locator): Promise<boolean> {
  const box = await what.boundingBox()
  return box !== null && box.y >= 0 && box.y + box.height <= (page.viewportSize()?.height ?? 0)
}
async function comesInSight(page: Page, what: Locator): Promise<boolean> {
  const until = performance.now() + 5000
  // oxlint-disable-next-line no-await-in-loop -- polling is the point
  while (!(await inSight(page, what)) && performance.now() < until) await page.waitForTimeout(50)
  return inSight(page, what)
}
const scrollTo = (page: Page, y: number) => page.evaluate(`scrollTo(0, ${y})`)

t.test('the frame is authorized and grows to the app’s height', async (t) => {
  const { page, frame } = await open()
  await page.waitForFunction(`document.querySelector('iframe').offsetHeight >= ${tall}`)
  t.equal(await frame.evaluate(`document.documentElement.hidden`), false)
  t.equal(await page.getAttribute('.xfc', 'data-status'), 'authorized')
  t.ok((await heightOf(page)) < tall + 100)
  await page.close()
})

t.test('the countdown and what is said at the end stand where the user looks', async (t) => {
  const { page, frame } = await open()
  await page.waitForFunction(`document.querySelector('iframe').offsetHeight >= ${tall}`)
  await scrollTo(page, 1200)
  clock.forward(14.5 * 60_000)
  await frame.evaluate(`dispatchEvent(new Event('focus'))`)
  const warning = frame.getByRole('alertdialog')
  await warning.waitFor({ timeout: 5000 })
  t.ok(await comesInSight(page, warning), 'in the middle of the frame')
  await scrollTo(page, 300)
  t.ok(await comesInSight(page, warning), 'it follows')
  await warning.getByRole('button', { name: 'Keep working' }).click()
  await warning.waitFor({ state: 'detached' })

  await scrollTo(page, 1500)
  await frame.evaluate(`fetch(location.pathname.replace('/app/', '/launches/').replace(/.$/, ''),
    { method: 'DELETE' })`)
  const said = frame.getByText('This session has ended.')
  await said.waitFor({ timeout: 5000 })
  t.ok(await comesInSight(page, said))
  t.ok(await comesInSight(page, frame.getByText('Open the app again, from the patient’s chart.')))
  t.notMatch(await frame.content(), /Lovelace/)
  await page.close()
})
