import type { Frame, Page } from 'playwright-core'
import t from 'tap'
import type { Sandbox } from '../../src/sandbox/sandbox.ts'
import { openBrowser } from '../support/chromium.ts'
import { startHospital } from '../support/hospital.ts'

/**
 * `onNewPatient: supersede`, in tabs and frames, at two tenants in one browser: the chart that was left is blank at once,
 * and whatever is of another tenant or of the same patient stays.
 */
const hospital = await startHospital({ tenant: { onNewPatient: 'supersede' }, south: true })
const { sandbox: north, south, publicUrl } = hospital
const browser = await openBrowser({ blockThirdPartyCookies: true })
t.teardown(async () => {
  await browser.close()
  await hospital.close()
})
if (south === undefined) throw new Error('one tenant only')
const [amara, bart] = north.patients
const carla = south.patients[2]
if (!amara || !bart || !carla) throw new Error('the sandbox is empty')

interface Chart {
  readonly page: Page
  readonly frame: Frame
}

async function open(sandbox: Sandbox, patient: { readonly id: string }): Promise<Chart> {
  const page = await browser.context.newPage()
  await page.goto(`${sandbox.origin}/chart/${patient.id}`, { waitUntil: 'commit' })
  const frame = await (await page.waitForSelector('iframe[data-app]')).contentFrame()
  if (frame === null) throw new Error('no frame')
  await frame.waitForURL(/\/app\/[\w-]+\/$/, { waitUntil: 'commit', timeout: 20_000 })
  await frame.getByRole('region', { name: 'Patient' }).waitFor({ timeout: 20_000 })
  return { page, frame }
}
const told = async ({ frame }: Chart) =>
  frame.evaluate<Record<string, unknown>>(
    `fetch(location.pathname.replace('/app/', '/launches/').replace(/.$/, ''))
      .then((answer) => answer.json())`,
  )
const isSeen = ({ frame }: Chart) => frame.getByRole('region', { name: 'Patient' }).isVisible()
/** Sooner than any heartbeat or poll could have told. */
const atOnce = { timeout: 5_000 }

t.test('tabs of two tenants that open at the same instant, without any cookie', async (t) => {
  t.same(await browser.context.cookies(publicUrl), [])
  const [one, two] = await Promise.all([open(north, amara), open(south, carla)])
  t.match(await told(one), { state: 'active', patient: amara.id, tenant: { id: 'north' } })
  t.match(await told(two), { state: 'active', patient: carla.id, tenant: { id: 'south' } })
  const cookies = await browser.context.cookies(publicUrl)
  t.same(
    cookies.map(({ name }) => name),
    ['__Host-smart-bff'],
    'one session for both',
  )

  await t.test('the same patient again leaves both', async (t) => {
    const again = await open(north, amara)
    for (const chart of [one, two, again]) t.equal(await isSeen(chart), true)
    await again.page.close()
  })

  await t.test('another patient of the first tenant blanks its chart, and says so', async (t) => {
    const other = await open(north, bart)
    await one.frame.getByRole('alert').getByText('Another patient was opened.').waitFor(atOnce)
    const text = await one.frame.content()
    t.notMatch(text, /role="region"/, 'nothing of the chart is left in the document')
    t.notMatch(text, new RegExp(`${amara.family}|${amara.mrn}`))
    t.equal(await isSeen(two), true, 'the other tenant’s chart stays')
    t.match(await told(two), { state: 'active', patient: carla.id })
    t.match(await told(one), { state: 'context_changed' })
    await other.page.close()
  })
  await Promise.all([one.page.close(), two.page.close()])
})
