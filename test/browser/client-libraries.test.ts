import { readFileSync } from 'node:fs'
import { Client } from 'fhir-kit-client'
import t from 'tap'
import { openBrowser } from '../support/chromium.ts'
import { startHospital } from '../support/hospital.ts'

/** FHIR client libraries, unchanged, in the app's page, given nothing but the base URL of its launch. */

const hospital = await startHospital()
const { sandbox, publicUrl } = hospital
const browser = await openBrowser({ blockThirdPartyCookies: true })
t.teardown(async () => {
  await browser.close()
  await hospital.close()
})
const id = sandbox.patients[0]?.id ?? ''
const page = await browser.context.newPage()
const modules = new URL('../../node_modules/', import.meta.url)
// As if the app had been built with it.
await page.route(`${publicUrl}/assets/library/**`, (route) => {
  const path = new URL(route.request().url()).pathname.slice('/assets/library/'.length)
  return route.fulfill({
    contentType: 'text/javascript',
    body: readFileSync(new URL(path, modules), 'utf8'),
  })
})
await page.goto(`${sandbox.origin}/chart/${id}`, { waitUntil: 'commit' })
const frame = await (await page.waitForSelector('iframe[data-app]')).contentFrame()
if (frame === null) throw new Error('no frame')
await frame.waitForURL(/\/app\/[\w-]+\/$/, { timeout: 20_000 })
const base = frame.url().replace('/app/', '/fhir/').replace(/\/$/, '')

/** Runs in the frame with `base` and `id`. */
const run = (body: string) =>
  frame.evaluate<unknown>(
    `(async (base, id) => { ${body} })(${JSON.stringify(base)}, ${JSON.stringify(id)})`,
  )

t.test('fhirclient (pure) reads, searches all pages and is refused like any page', async (t) => {
  const told = await run(`
    await new Promise((done, failed) => {
      const script = document.createElement('script')
      Object.assign(script, { src: '/assets/library/fhirclient/build/fhir-client.pure.min.js',
        onload: done, onerror: failed })
      document.head.append(script)
    })
    const client = FHIR.client({ serverUrl: base })
    const patient = await client.request('Patient/' + id)
    const pages = await client.request('Observation?category=vital-signs&_count=5',
      { pageLimit: 2 })
    const refused = await client.request('Patient/another').then(() => 200, (e) => e.status)
    return { patient: patient.id, pages: pages.map((one) => one.entry.length), refused }`)
  t.same(told, { patient: id, pages: [5, 5], refused: 404 })
})

t.test('fhir-kit-client reads, searches and follows the next link', async (t) => {
  // Of the page's own: the cookie, and what a browser says of every fetch.
  const cookies = await browser.context.cookies(publicUrl)
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  const customHeaders = { cookie, 'sec-fetch-site': 'same-origin', 'sec-fetch-dest': 'empty' }
  const client = new Client({ baseUrl: base, customHeaders })
  t.match(await client.read({ resourceType: 'Patient', id }), { resourceType: 'Patient', id })
  const bundle = await client.search({
    resourceType: 'Observation',
    searchParams: { category: 'vital-signs', _count: '5' },
  })
  const link = bundle['link'] as { relation: string; url: string }[]
  const next = await client.nextPage({ bundle: { ...bundle, link } })
  for (const one of [bundle, next]) t.match(one, { entry: { length: 5 } })
  await t.rejects(client.read({ resourceType: 'Patient', id: 'another' }), /HTTP 404/)
})
