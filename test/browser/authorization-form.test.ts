import t from 'tap'
import { axe } from '../support/axe.ts'
import { openBrowser } from '../support/chromium.ts'
import { startHospital } from '../support/hospital.ts'

/** Authorization by POST in the EHR's cross-site frame: the form posts itself, and the EHR sends the frame back to us. */

const hospital = await startHospital({ tenant: { quirks: { authorizeMethod: 'post' } } })
const { sandbox } = hospital
const browser = await openBrowser({ blockThirdPartyCookies: true })
t.teardown(async () => {
  await browser.close()
  await hospital.close()
})
const [patient] = sandbox.patients
const chart = `${sandbox.origin}/chart/${patient?.id}`

const authorizations = () => sandbox.requests().filter(({ where }) => where === 'authorize')

t.test('the form posts itself, and no policy stands in the way of the redirect back', async (t) => {
  const page = await browser.context.newPage()
  const faults: string[] = []
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) faults.push(message.text())
  })
  await page.goto(chart)
  const frame = page.frame({ url: /localhost/ }) ?? page.frames()[1]
  await frame?.waitForURL(/\/app\/[\w-]+\/$/)
  t.match(frame?.url(), `${hospital.publicUrl}/app/`)
  const [asked] = authorizations()
  t.equal(asked?.method, 'POST', 'authorization by POST, as a form @50 @52 @133')
  t.same(asked?.query, {}, 'nothing of the request stands in the URL')
  t.equal(asked?.headers['content-type'], 'application/x-www-form-urlencoded')
  const names = Object.keys(asked?.form ?? {}).filter((name) => name !== 'prompt')
  t.same(names.toSorted(), [
    'aud',
    'client_id',
    'code_challenge',
    'code_challenge_method',
    'launch',
    'redirect_uri',
    'response_type',
    'scope',
    'state',
  ])
  t.same(faults, [])
  await page.close()
})

t.test('where no script runs, the button does it', async (t) => {
  sandbox.control.clearRequests()
  const page = await browser.context.newPage()
  await page.addInitScript('HTMLFormElement.prototype.submit = () => {}')
  await page.goto(chart)
  const frame = page.frameLocator('iframe')
  await frame.getByRole('button', { name: 'Continue' }).waitFor()
  t.same(await axe(page), [])
  t.equal(authorizations().length, 0)
  await frame.getByRole('button', { name: 'Continue' }).click()
  await page.frames()[1]?.waitForURL(/\/app\/[\w-]+\/$/)
  t.equal(authorizations().length, 1)
  await page.close()
})
