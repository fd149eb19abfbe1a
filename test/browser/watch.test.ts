import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Page } from 'playwright-core'
import t from 'tap'
import { compileHelper } from '../support/browser-helper.ts'
import { openBrowser } from '../support/chromium.ts'
import { startServer } from '../support/http.ts'

/** The helper's watch over its launch, with the browser's clock in the test's hands. */

const launch = 'L-0123456789abcdef'
const helper = compileHelper()
const minuteMs = 60_000
const start = Date.UTC(2026, 0, 5, 8)
const page = `<!doctype html><html lang="en"><head><title>Ada</title>
  <script type="module" src="/smart-bff.js"></script></head><body><p id="phi">Ada Lovelace</p></body></html>`

/** The server in the product's place; `now` is its clock. */
const fresh = {
  now: start,
  idleAt: start + 15 * minuteMs,
  status: 200,
  state: 'active',
  /** So long the launch's own answer is on its way. */
  slowMs: 0,
}
const server = { ...fresh }
const seen: string[] = []
let onTheirWay: { readonly at: number; readonly send: () => void }[] = []

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = request.url ?? ''
  const module = helper.get(path)
  if (module !== undefined) response.setHeader('content-type', 'text/javascript').end(module)
  else if (path.startsWith('/app/')) response.setHeader('content-type', 'text/html').end(page)
  else {
    seen.push(`${request.method} ${path}`)
    response.setHeader('date', new Date(server.now).toUTCString())
    if (path === '/session/events') return void response.writeHead(204).end()
    if (path.endsWith('/activity')) {
      server.idleAt = server.now + 15 * minuteMs
      return void response.writeHead(204).end()
    }
    if (path.endsWith('/reauthorize'))
      return void response.end(JSON.stringify({ location: '/other' }))
    const over = server.now >= server.idleAt
    const status = over ? 401 : server.status
    response.writeHead(status, { 'content-type': 'application/json' })
    const expires = { idle: new Date(server.idleAt).toISOString() }
    const gone = { state: 'session_ended', sentence: 'This session has ended.', incident: 'i-1' }
    const info = { launch, state: server.state, user: { fhirUser: null, kind: null }, expires }
    const body = JSON.stringify(status === 200 ? info : gone)
    if (server.slowMs === 0 || !path.endsWith(launch)) response.end(body)
    else onTheirWay.push({ at: server.now + server.slowMs, send: () => response.end(body) })
  }
}

/** What has been on its way for long enough arrives. */
function arrive(): void {
  for (const { at, send } of onTheirWay) if (at <= server.now) send()
  onTheirWay = onTheirWay.filter(({ at }) => at > server.now)
}

const listener = await startServer(answer, 'localhost')
const { port } = listener
const browser = await openBrowser({ blockThirdPartyCookies: true })
t.teardown(async () => {
  await browser.close()
  await listener.close()
})
const activities = () => seen.filter((one) => one.endsWith('/activity')).length
const reads = () => seen.filter((one) => one === `GET /launches/${launch}`).length

async function open(): Promise<Page> {
  Object.assign(server, fresh)
  seen.length = 0
  onTheirWay = []
  const tab = await browser.context.newPage()
  await tab.clock.install({ time: start })
  await tab.goto(`http://localhost:${port}/app/${launch}/`)
  // An installed clock runs on by itself; from here on it goes only as the server's does.
  server.now += 10_000
  server.idleAt += 10_000
  await tab.clock.pauseAt(server.now)
  await settled(tab)
  return tab
}
/** Both clocks go on; the requests that follow are answered. */
async function pass(tab: Page, ms: number): Promise<void> {
  // In steps, so that what is asked on the way is answered at its own time; the last ones are small, so that the clock
  // which the page has last learnt from an answer is right.
  let left = ms
  while (left > 0) {
    const step = Math.min(left, left > 20_000 ? 10_000 : 1000)
    left -= step
    server.now += step
    // oxlint-disable-next-line no-await-in-loop -- one step after the other
    await tab.clock.runFor(step)
    arrive()
    // oxlint-disable-next-line no-await-in-loop -- see above
    await settled(tab)
  }
}
const settled = async (tab: Page) => {
  await tab.evaluate(`fetch('/launches/x').catch(() => null)`)
  await tab.evaluate(`fetch('/launches/x').catch(() => null)`)
}
const shown = (tab: Page) => tab.locator('#phi').isVisible()

t.test('activity is told at most once a minute, and nothing else counts as it', async (t) => {
  const tab = await open()
  await pass(tab, 10_000)
  t.equal(activities(), 0, 'reading and polling is no activity')
  for (let second = 0; second < 30; second += 1) {
    // oxlint-disable-next-line no-await-in-loop -- a busy user
    await tab.keyboard.press('a')
    // oxlint-disable-next-line no-await-in-loop -- see above
    await pass(tab, 1000)
  }
  t.equal(activities(), 1)
  await pass(tab, 31_000)
  t.equal(activities(), 2, 'what was done since is told once more')
  await pass(tab, 5 * minuteMs)
  t.equal(activities(), 2)
  await tab.evaluate(`dispatchEvent(new Event('pointerdown'))`)
  await pass(tab, 2000)
  t.equal(activities(), 2, 'an event that no hand has made')
  await tab.close()
})

t.test('before idle ends a countdown stands there, and one button keeps the chart', async (t) => {
  const tab = await open()
  await pass(tab, 13 * minuteMs)
  const warning = tab.getByRole('alertdialog')
  t.equal(await warning.count(), 0)
  await pass(tab, minuteMs + 10_000)
  t.match(await warning.innerText(), /closes in \d+ seconds/)
  const seconds = async () => Number(/(\d+) seconds/.exec(await warning.innerText())?.[1])
  const before = await seconds()
  await pass(tab, 10_000)
  const passed = before - (await seconds())
  // The server's Date knows whole seconds only, and each poll sets the clock by it.
  t.ok(passed >= 8 && passed <= 12, `${passed} of 10 seconds`)
  t.equal(await shown(tab), true)
  await warning.getByRole('button', { name: 'Keep working' }).click()
  await pass(tab, 2000)
  t.equal(await warning.count(), 0)
  t.ok(activities() >= 1)
  await pass(tab, 5 * minuteMs)
  t.equal(await shown(tab), true)
  await tab.close()
})

t.test('an answer that took long makes no countdown late', async (t) => {
  const tab = await open()
  await pass(tab, 13 * minuteMs)
  server.slowMs = 8000
  await pass(tab, 20_000)
  server.slowMs = 0
  await pass(tab, 30_000)
  await pass(tab, 20_000)
  t.equal(await tab.getByRole('alertdialog').count(), 1)
  await tab.close()
})

t.test('the cover can be read on a dark ground too', async (t) => {
  const tab = await open()
  await tab.evaluate(`document.documentElement.style.colorScheme = 'dark'`)
  await pass(tab, 15 * minuteMs - 1500)
  const [ink, ground] = await tab.evaluate<number[]>(
    `[['color'], ['backgroundColor']].map(([name]) =>
      Number(/\\d+/.exec(getComputedStyle(document.querySelector('main'))[name])[0]))`,
  )
  t.ok((ink ?? 0) > 200 && (ground ?? 255) < 60, `${String(ink)} on ${String(ground)}`)
  await tab.close()
})

t.test('idle blanks first, and says that it ended when the server says so', async (t) => {
  const tab = await open()
  await pass(tab, 15 * minuteMs - 1500)
  t.equal(await shown(tab), false, 'blank before the server has ended it')
  t.equal(await tab.getByText('This session has ended.').count(), 0)
  await pass(tab, 8000)
  await tab.getByText('This session has ended.').waitFor()
  t.notMatch(await tab.content(), /Lovelace/)
  await tab.close()
})

t.test('a wrong clock of the computer changes nothing', async (t) => {
  Object.assign(server, fresh)
  const tab = await browser.context.newPage()
  await tab.clock.install({ time: start + 3 * 60 * minuteMs })
  await tab.goto(`http://localhost:${port}/app/${launch}/`)
  await settled(tab)
  await pass(tab, 10 * minuteMs)
  t.equal(await shown(tab), true)
  await tab.close()
})

t.test('focus, online and visibility read the launch again', async (t) => {
  const tab = await open()
  for (const event of ['focus', 'online']) {
    const before = reads()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await tab.evaluate(`dispatchEvent(new Event('${event}'))`)
    // oxlint-disable-next-line no-await-in-loop -- see above
    await settled(tab)
    t.ok(reads() > before, event)
    // oxlint-disable-next-line no-await-in-loop -- see above
    t.equal(await shown(tab), true)
  }
  const before = reads()
  await tab.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`)
  await settled(tab)
  t.ok(reads() > before)
  server.status = 401
  await tab.evaluate(`dispatchEvent(new Event('focus'))`)
  await tab.getByText('This session has ended.').waitFor()
  t.notMatch(await tab.content(), /Lovelace/)
  await tab.close()
})

t.test('without a stream the launch is polled, and what cannot be known is covered', async (t) => {
  const tab = await open()
  await pass(tab, 20_000)
  const before = reads()
  await pass(tab, 21_000)
  t.ok(reads() - before >= 3, `${reads() - before} polls`)
  t.equal(await shown(tab), true, 'polls are answered')
  await tab.context().setOffline(true)
  await tab.clock.runFor(40_000)
  await tab.getByText('cannot check').waitFor()
  t.equal(await shown(tab), false)
  await tab.context().setOffline(false)
  await pass(tab, 10_000)
  await tab.locator('#phi').waitFor({ state: 'visible' })
  await tab.close()
})

t.test('a server slower than the polls is heard: the chart stays', async (t) => {
  const tab = await open()
  server.slowMs = 6000
  for (let part = 0; part < 4; part += 1) {
    // oxlint-disable-next-line no-await-in-loop -- in steps of a second
    await pass(tab, 18_000)
    // oxlint-disable-next-line no-await-in-loop -- see above
    t.equal(await shown(tab), true, `after ${18 * (part + 1)} s`)
  }
  t.ok(reads() >= 5, `${reads()} polls`)
  await tab.close()
})

t.test('a server slower than its pauses is heard when idle is over too', async (t) => {
  const tab = await open()
  await pass(tab, 14 * minuteMs)
  server.slowMs = 6000
  // oxlint-disable-next-line no-await-in-loop -- in steps of a second
  for (let part = 0; part < 4; part += 1) await pass(tab, 18_000)
  t.equal(await shown(tab), false)
  await tab.getByText('This session has ended.').waitFor()
  t.notMatch(await tab.content(), /Lovelace/)
  await tab.close()
})

t.test('a clock that is set back stops neither the polls nor the cover', async (t) => {
  const tab = await open()
  await pass(tab, 20_000)
  await tab.clock.setSystemTime(server.now - 60 * minuteMs)
  const before = reads()
  await pass(tab, 21_000)
  t.ok(reads() - before >= 3, `${reads() - before} polls`)
  t.equal(await shown(tab), true)
  await tab.clock.setSystemTime(server.now - 120 * minuteMs)
  await tab.context().setOffline(true)
  await tab.clock.runFor(2000)
  await tab.getByText('cannot check').waitFor()
  t.equal(await shown(tab), false, 'nothing was heard since')
  await tab.context().setOffline(false)
  await pass(tab, 10_000)
  t.equal(await shown(tab), true)
  await pass(tab, 14 * minuteMs)
  await tab.getByRole('alertdialog').waitFor()
  await tab.close()
})

t.test('what was typed after the clock was set back counts as activity', async (t) => {
  const tab = await open()
  await tab.keyboard.press('a')
  await pass(tab, 2000)
  t.equal(activities(), 1)
  await tab.clock.setSystemTime(server.now - 60 * minuteMs)
  await pass(tab, 2000)
  t.equal(activities(), 1, 'nothing was done since')
  await tab.keyboard.press('a')
  await pass(tab, 2000)
  t.equal(activities(), 2)
  await tab.close()
})

t.test('a listener of the app that throws leaves nothing uncovered', async (t) => {
  const tab = await open()
  const faults: string[] = []
  tab.on('pageerror', ({ message }) => faults.push(message))
  await tab.evaluate(`import('/smart-bff.js').then(async ({ connect }) => {
    window.told = []
    const bff = await connect()
    for (const type of ['active', 'reauthorize', 'ended']) {
      bff.on(type, () => { throw new Error('a fault of the app: ' + type) })
      bff.on(type, () => window.told.push(type))
    }
  })`)
  server.state = 'reauth_required'
  await tab.evaluate(`dispatchEvent(new Event('focus'))`)
  await tab.getByRole('button', { name: 'Continue' }).waitFor()
  t.equal(await shown(tab), false)
  server.state = 'active'
  await tab.evaluate(`dispatchEvent(new Event('focus'))`)
  await tab.locator('#phi').waitFor({ state: 'visible' })
  server.status = 401
  await tab.evaluate(`dispatchEvent(new Event('focus'))`)
  await tab.getByText('This session has ended.').waitFor()
  t.notMatch(await tab.content(), /Lovelace/)
  t.same(
    await tab.evaluate('window.told'),
    ['reauthorize', 'active', 'ended'],
    'the others hear it',
  )
  t.same(
    faults,
    ['reauthorize', 'active', 'ended'].map((type) => `a fault of the app: ${type}`),
    'and the app hears of its faults',
  )
  await tab.close()
})

t.test('a launch that waits for authorization is covered, kept, and leads there', async (t) => {
  const tab = await open()
  await tab.evaluate(`import('/smart-bff.js').then(async ({ connect }) => {
    window.told = []
    const bff = await connect()
    bff.on('reauthorize', (error) => window.told.push(error.state))
  })`)
  server.state = 'reauth_required'
  await tab.evaluate(`dispatchEvent(new Event('focus'))`)
  const button = tab.getByRole('button', { name: 'Continue' })
  await button.waitFor()
  t.same(await tab.evaluate('window.told'), ['authorization_expired'])
  t.match(await tab.content(), /Lovelace/, 'the app still runs and can store a draft')
  t.equal(await shown(tab), false)
  await button.click()
  await tab.waitForURL(/\/other$/, { waitUntil: 'commit' })
  await tab.close()
})
