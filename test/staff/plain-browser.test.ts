import { readFile } from 'node:fs/promises'
import { chromium } from 'playwright-core'
import t from 'tap'
import { chromiumArgs, chromiumPath } from '../support/chromium.ts'
import { startHospital } from '../support/hospital.ts'
import { staffOptions } from './staff-rig.ts'

/** The site in a browser in which JavaScript is switched off, and with more records than a page holds. */
const { url, operations } = await staffOptions()
const hospital = await startHospital({
  root: { operations, rateLimits: { fhirPerLaunchPerMinute: 100_000 } },
})
const browser = await chromium.launch({ executablePath: chromiumPath(), args: [...chromiumArgs] })
t.teardown(async () => {
  await browser.close()
  await hospital.close()
})
const context = await browser.newContext({ javaScriptEnabled: false })
const page = await context.newPage()
page.setDefaultTimeout(20_000)

const reads = 520
const patient = hospital.sandbox.patients[0]?.id ?? ''

t.before(async () => {
  const clinician = hospital.browser()
  const { launch } = await clinician.launch({ patient })
  for (let done = 0; done < reads; done += 20) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => clinician.fetch(`/fhir/${launch}/Procedure`)),
    )
    for (const answer of answers) {
      if (answer.status !== 403) throw new Error(`${answer.status}`)
      await answer.arrayBuffer()
    }
  }
})

const rows = () => page.locator('.results tbody tr')
const timesOf = async (list: string): Promise<readonly string[]> => {
  const found: unknown = await page.evaluate(
    `[...document.querySelectorAll('${list} time')].map((one) => one.dateTime)`,
  )
  return Array.isArray(found) ? found.map(String) : []
}

t.test('JavaScript is off here', async (t) => {
  await page.setContent('<p>as sent</p><script>document.body.textContent = "changed"</script>')
  t.equal(await page.locator('p').innerText(), 'as sent')
})

t.test('signing in, a wrong password first', async (t) => {
  await page.goto(`${url}/sign-in`)
  for (const password of ['wrong', 'correct horse']) {
    await page.getByLabel('Name').fill('anna.auditor')
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    if (password !== 'wrong') break
    await page.getByRole('alert').getByText('The sign-in did not succeed').waitFor()
  }
  await page.getByRole('heading', { name: 'Find', exact: true }).waitFor()
  t.equal(new URL(page.url()).pathname, '/')
})

t.test('a search of more than a page: each next page goes on where the last ended', async (t) => {
  await page.goto(`${url}/?ask=all`)
  await page.getByLabel('Event', { exact: true }).selectOption('fhir.refused')
  await page.getByRole('button', { name: 'Find', exact: true }).click()
  await page.getByText(`The first page of ${String(reads)} records`).waitFor()
  t.equal(await page.getByRole('link', { name: 'First page' }).count(), 0)
  const sizes: number[] = []
  const times: string[] = []
  for (;;) {
    sizes.push(await rows().count())
    times.push(...(await timesOf('.results')))
    const next = page.getByRole('link', { name: 'Next page' })
    if ((await next.count()) === 0 || sizes.length > 10) break
    await next.click()
    await page.getByText(`A later page of ${String(reads)} records`).waitFor()
    await page.waitForURL((now) => now.searchParams.get('event') === 'fhir.refused')
  }
  t.same(sizes, [100, 100, 100, 100, 100, 20])
  t.same(times, times.toSorted().toReversed(), 'the newest first, over all pages')
  await page.getByRole('link', { name: 'First page' }).click()
  await page.getByText(`The first page of ${String(reads)} records`).waitFor()
  t.equal(await rows().count(), 100)
})

t.test('a launch of more than a page: its story goes on, its head says how it ended', async (t) => {
  await page
    .getByRole('link', { name: /^Launch / })
    .first()
    .click()
  await page.getByText('The EHR asked to open the app.').first().waitFor()
  const verdict = await page.locator('.verdict').innerText()
  const steps = page.locator('.story > li')
  t.equal(await steps.count(), 500)
  const before = await timesOf('.story')
  t.equal(await page.getByRole('link', { name: 'From the beginning' }).count(), 0)
  await page.getByRole('link', { name: /^Next .*records$/ }).click()
  await page.getByRole('link', { name: 'From the beginning' }).waitFor()
  const more = await steps.count()
  t.ok(more > reads - 500 && more < 500, `${String(more)} on the second page`)
  const after = await timesOf('.story')
  t.same([...before, ...after], [...before, ...after].toSorted(), 'oldest first, over both')
  t.equal(await page.locator('.verdict').innerText(), verdict, 'the same word on its end')
  t.match(await page.locator('.story .since').first().innerText(), /^\+(?!0 ms)/)
  t.equal(await page.getByRole('link', { name: /^Next .*records$/ }).count(), 0)
  await page.getByRole('link', { name: 'From the beginning' }).click()
  await page.getByText('The EHR asked to open the app.').first().waitFor()
})

t.test('an export', async (t) => {
  await page.goto(`${url}/?ask=all&event=fhir.refused`)
  for (const [name, lines] of [
    ['NDJSON', reads],
    ['CSV', reads + 1],
  ] as const) {
    const coming = page.waitForEvent('download')
    await page.getByRole('link', { name, exact: true }).click()
    const download = await coming
    const text = await readFile(await download.path(), 'utf8')
    t.equal(text.trimEnd().split('\n').length, lines, name)
  }
  await page.goto(url)
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('button', { name: 'Sign in' }).waitFor()
})
