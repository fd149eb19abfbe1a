import type { Frame, Page } from 'playwright-core'
import t from 'tap'
import { openBrowser } from '../support/chromium.ts'
import { startHospital } from '../support/hospital.ts'

/** One computer, two users: who leaves, leaves nothing (DESIGN rule 14). Cross-site frames in a real browser. */

// A window per chart, and storage as the EHR's browser has it: in a partition of its own.
const hospital = await startHospital()
const { sandbox, publicUrl } = hospital
const browser = await openBrowser({ blockThirdPartyCookies: false })
t.teardown(async () => {
  await browser.close()
  await hospital.close()
})
const [amara, bart] = sandbox.patients
const [first, second] = sandbox.clinicians
if (!amara || !bart || !first || !second) throw new Error('the sandbox is empty')

async function openChart(page: Page, patient: { readonly id: string }): Promise<Frame> {
  await page.goto(`${sandbox.origin}/chart/${patient.id}`, { waitUntil: 'commit' })
  const frame = await (await page.waitForSelector('iframe[data-app]')).contentFrame()
  if (frame === null) throw new Error('no frame')
  await frame.waitForURL(/\/app\/[\w-]+\/$/, { waitUntil: 'commit', timeout: 20_000 })
  await frame.getByRole('region', { name: 'Patient' }).waitFor({ timeout: 20_000 })
  return frame
}
const signIn = (page: Page, clinician: { readonly id: string }) =>
  page.goto(`${sandbox.origin}/_ehr/user?id=${clinician.id}&back=/`)
const stored = (frame: Frame) => frame.evaluate<string | null>(`localStorage.getItem('left')`)
const revoked = () => sandbox.requests().filter(({ where }) => where === 'revoke').length
const gone = async (frame: Frame) => {
  await frame.getByRole('alert').getByText('This session has ended.').waitFor({ timeout: 5_000 })
  return frame.content()
}

t.test(
  'a second user ends the first one’s launches, tells their frames and clears what is kept',
  async (t) => {
    const one = await browser.context.newPage()
    await signIn(one, first)
    const frame = await openChart(one, amara)
    await frame.evaluate(`localStorage.setItem('left', 'behind')`)
    t.equal(await stored(frame), 'behind')
    const cookieBefore = await browser.context.cookies(publicUrl)

    const two = await browser.context.newPage()
    await signIn(two, second)
    const answers: string[] = []
    two.on('response', async (response) => {
      if (!response.url().startsWith(`${publicUrl}/callback/`)) return
      answers.push((await response.headerValue('clear-site-data')) ?? '')
    })
    const other = await openChart(two, bart)
    t.same(answers, ['"cache", "storage"'])
    t.equal(await stored(other), null, 'nothing of the first user is kept')
    t.notMatch(await gone(frame), /role="region"/, 'the first user’s frame is empty')
    t.not(
      (await browser.context.cookies(publicUrl))[0]?.value,
      cookieBefore[0]?.value,
      'another session id',
    )
    t.equal(revoked(), 1)
    const ends = (await hospital.audit()).filter(({ event }) => event === 'launch.transition')
    t.match(ends, [{ state: 'ended', reason: 'other_user' }])
    await one.close()
    await two.close()
  },
)

t.test('the same user again changes nothing', async (t) => {
  const one = await browser.context.newPage()
  const frame = await openChart(one, amara)
  await frame.evaluate(`localStorage.setItem('left', 'mine')`)
  const two = await browser.context.newPage()
  const other = await openChart(two, bart)
  t.equal(await stored(other), 'mine')
  t.equal(await frame.getByRole('region', { name: 'Patient' }).isVisible(), true)
  await one.close()
  await two.close()
})

t.test('DELETE /session does the same, and the back button shows nothing', async (t) => {
  const page = await browser.context.newPage()
  const frame = await openChart(page, amara)
  await frame.evaluate(`localStorage.setItem('left', 'behind')`)
  const before = revoked()
  t.equal(
    await frame.evaluate<number>(
      `fetch('/session', { method: 'DELETE' }).then((answer) => answer.status)`,
    ),
    204,
  )
  await gone(frame)
  t.ok(revoked() > before)
  t.same(await browser.context.cookies(publicUrl), [], 'the cookie is gone')

  await page.goto(`${sandbox.origin}/`)
  await page.goBack({ waitUntil: 'commit' })
  // The EHR's page may open the app anew from its history; the launch value was used, and no session is left.
  await page.waitForTimeout(500)
  for (const child of page.frames().slice(1)) {
    t.notMatch(await child.content(), /role="region"/, child.url().replace(/\?.*/, ''))
  }
  await page.close()
})

t.test('a document that the back button brings back from the cache is empty', async (t) => {
  const open = async (): Promise<Page> => {
    const tab = await browser.context.newPage()
    await tab.goto(sandbox.createLaunch({ patient: amara.id }).url)
    await tab.getByRole('region', { name: 'Patient' }).waitFor({ timeout: 20_000 })
    return tab
  }
  const [tab, other] = [await open(), await open()]
  await tab.goto(`${publicUrl}/`)
  await other.evaluate(`fetch('/session', { method: 'DELETE' })`)
  await tab.goBack({ waitUntil: 'commit' })
  await tab.getByText('This session has ended').first().waitFor({ timeout: 5_000 })
  t.equal(await tab.getByRole('region', { name: 'Patient' }).count(), 0)
  await tab.close()
  await other.close()
})
