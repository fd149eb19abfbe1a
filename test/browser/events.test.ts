import type { Frame, Page } from 'playwright-core'
import t from 'tap'
import { openBrowser } from '../support/chromium.ts'
import { startHospital } from '../support/hospital.ts'

/** Six frames of one session over HTTP/1.1: one event stream, everything else still works, and ends reach them all. */

const hospital = await startHospital({ tenant: { onNewPatient: 'parallel' } })
const { sandbox, publicUrl } = hospital
const browser = await openBrowser({ blockThirdPartyCookies: true })
t.teardown(async () => {
  await browser.close()
  await hospital.close()
})
const six = sandbox.patients.slice(0, 6)
const charts = `${sandbox.origin}/charts?${six.map(({ id }) => `patient=${id}`).join('&')}`
const page = await browser.context.newPage()
const streams: { readonly status: number; readonly frame: Frame }[] = []
page.on('response', (response) => {
  if (response.url() !== `${publicUrl}/session/events`) return
  streams.push({ status: response.status(), frame: response.frame() })
})
const admitted = () => streams.filter(({ status }) => status === 200).map(({ frame }) => frame)

async function framesOf(of: Page): Promise<readonly Frame[]> {
  const handles = await of.locator('iframe[data-app]').elementHandles()
  return Promise.all(
    handles.map(async (handle) => {
      const frame = await handle.contentFrame()
      if (frame === null) throw new Error('no frame')
      await frame.waitForURL(/\/app\/[\w-]+\/$/, { waitUntil: 'commit', timeout: 20_000 })
      await frame.getByRole('region', { name: 'Patient' }).waitFor({ timeout: 20_000 })
      return frame
    }),
  )
}
const launchOf = (frame: Frame): string => /\/app\/([\w-]+)/.exec(frame.url())?.[1] ?? ''
/** The status of a fetch from the app's page. */
const ask = (frame: Frame, path: string, method = 'GET') =>
  frame.evaluate<number>(
    `fetch(${JSON.stringify(path)}, { method: '${method}' }).then((answer) => answer.status)`,
  )
const covered = async (frame: Frame, sentence: string) => {
  await frame.getByRole('alert').getByText(sentence).waitFor({ timeout: 5_000 })
  return frame.content()
}

await page.goto(charts, { waitUntil: 'commit' })
const frames = await framesOf(page)
const [first, second] = frames as [Frame, Frame]

t.test('six frames work at once, and one of them holds the stream', async (t) => {
  const answers = await Promise.all(
    frames.flatMap((frame) =>
      Array.from({ length: 5 }, () => ask(frame, `/launches/${launchOf(frame)}`)),
    ),
  )
  t.same(new Set(answers), new Set([200]), '30 fetches are answered')
  t.same(
    streams.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 204, 204, 204, 204, 204],
  )
})

t.test('the end of one launch blanks its frame and no other', async (t) => {
  t.equal(await ask(first, `/launches/${launchOf(second)}`, 'DELETE'), 204)
  const text = await covered(second, 'This session has ended.')
  t.notMatch(text, /role="region"/, 'nothing of the chart is left in the document')
  t.equal(await first.getByRole('region', { name: 'Patient' }).isVisible(), true)
})

t.test('when the holder goes, another frame asks for the stream', async (t) => {
  const [holder] = admitted()
  const index = frames.findIndex((frame) => frame === holder)
  await page.evaluate(`document.querySelectorAll('iframe')[${index}].remove()`)
  const until = performance.now() + 5_000
  while (admitted().length < 2 && performance.now() < until) {
    // oxlint-disable-next-line no-await-in-loop -- polling is the point
    await page.waitForTimeout(50)
  }
  t.equal(admitted().length, 2)
  t.not(admitted()[1], holder)
})

t.test('the end of the session blanks every frame that is left, by the stream', async (t) => {
  const last = page.frames().find((frame) => frame !== second && /\/app\//.test(frame.url()))
  if (last === undefined) throw new Error('no frame is left')
  const other = await browser.context.newPage()
  await other.goto(`${sandbox.origin}/charts?patient=${six[0]?.id}`, { waitUntil: 'commit' })
  const [beside] = await framesOf(other)
  if (beside === undefined) throw new Error('no frame')
  t.equal(await ask(beside, '/session', 'DELETE'), 204)
  await covered(last, 'This session has ended.')
  await covered(beside, 'This session has ended.')
  await other.close()
})
