import { readFileSync } from 'node:fs'
import t from 'tap'
import { bundle } from '../support/bundle.ts'
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
const ofFhirclient = (file: string): string =>
  readFileSync(new URL(`../../node_modules/fhirclient/build/${file}`, import.meta.url), 'utf8')
// As if the app had been built with them. Of fhirclient each of the three things that docs/build-an-app.md names.
const libraries: Readonly<Record<string, string>> = {
  fhirclient: bundle(`import FHIR from 'fhirclient'; window.FHIR = FHIR`),
  'fhir-client.pure.min.js': ofFhirclient('fhir-client.pure.min.js'),
  'fhir-client.min.js': ofFhirclient('fhir-client.min.js'),
  'fhir-kit-client': bundle(`import { Client } from 'fhir-kit-client'; window.FhirKit = Client`),
}
await page.route(`${publicUrl}/assets/library/*`, (route) =>
  route.fulfill({
    contentType: 'text/javascript',
    body: libraries[route.request().url().split('/').at(-1) ?? ''] ?? '',
  }),
)
await page.goto(`${sandbox.origin}/chart/${id}`, { waitUntil: 'commit' })
const frame = await (await page.waitForSelector('iframe[data-app]')).contentFrame()
if (frame === null) throw new Error('no frame')
await frame.waitForURL(/\/app\/[\w-]+\/$/, { timeout: 20_000 })
const base = frame.url().replace('/app/', '/fhir/').replace(/\/$/, '')

/** Runs in the frame with `base` and `id`, and with the library loaded as a script. */
const run = (library: string, body: string) =>
  frame.evaluate<unknown>(
    `(async (base, id) => {
      delete window.FHIR
      await new Promise((done, failed) => {
        const script = document.createElement('script')
        Object.assign(script, { src: '/assets/library/${library}', onload: done, onerror: failed })
        document.head.append(script)
      })
      ${body}
    })(${JSON.stringify(base)}, ${JSON.stringify(id)})`,
  )
const told = { patient: id, pages: [5, 5], refused: 404 }

for (const build of Object.keys(libraries).filter((name) => !name.startsWith('fhir-kit'))) {
  t.test(`${build} reads, searches all pages and is refused like any page`, async (t) => {
    const heard = await run(
      build,
      `const client = FHIR.client({ serverUrl: base })
      const patient = await client.request('Patient/' + id)
      const pages = await client.request('Observation?category=vital-signs&_count=5',
        { pageLimit: 2 })
      const refused = await client.request('Patient/another').then(() => 200, (e) => e.status)
      return { patient: patient.id, pages: pages.map((one) => one.entry.length), refused }`,
    )
    t.same(heard, told)
  })
}

t.test('fhir-kit-client reads, searches, follows the next link and is refused', async (t) => {
  const heard = await run(
    'fhir-kit-client',
    `const client = new FhirKit({ baseUrl: base })
    const patient = await client.read({ resourceType: 'Patient', id })
    const searchParams = { category: 'vital-signs', _count: '5' }
    const bundle = await client.search({ resourceType: 'Observation', searchParams })
    const next = await client.nextPage({ bundle })
    const refused = await client.read({ resourceType: 'Patient', id: 'another' })
      .then(() => 200, (e) => e.response.status)
    return { patient: patient.id, pages: [bundle, next].map((one) => one.entry.length), refused }`,
  )
  t.same(heard, told)
})

/** Ways in which servers write their next link (src/sandbox/fhir/paging.ts). */
const styles = ['offset', 'hapi', 'opaque', 'relative'] as const
const through: Readonly<Record<string, string>> = {
  fhirclient: `const pages = await FHIR.client({ serverUrl: base })
    .request('Observation?category=vital-signs&_count=20', { pageLimit: 0 })`,
  'fhir-kit-client': `const client = new FhirKit({ baseUrl: base })
    const searchParams = { category: 'vital-signs', _count: '20' }
    const pages = []
    let bundle = await client.search({ resourceType: 'Observation', searchParams })
    for (; bundle; bundle = await client.nextPage({ bundle })) pages.push(bundle)`,
}

for (const [library, pages] of Object.entries(through)) {
  t.test(`${library} pages to the end, however the EHR writes its links`, async (t) => {
    t.teardown(() => sandbox.control.set({ paging: 'offset' }))
    for (const paging of styles) {
      sandbox.control.set({ paging })
      const heard = (await run(
        library,
        `${pages}
        const ids = pages.flatMap(({ entry = [] }) => entry.map(({ resource }) => resource.id))
        return { pages: pages.length, ids: ids.length, different: new Set(ids).size,
          total: pages[0].total }`,
      )) as Record<string, number>
      t.ok((heard['pages'] ?? 0) > 2, `${paging}: ${heard['pages']} pages`)
      t.equal(heard['ids'], heard['total'], `${paging}: to the last record`)
      t.equal(heard['different'], heard['total'], `${paging}: each once`)
    }
    sandbox.control.set({ paging: 'foreign' })
    const before = sandbox.requests().length
    const failed = await run(
      library,
      `try { ${pages}; return 200 } catch (error) { return error.status ?? error.response.status }`,
    )
    t.equal(failed, 502, 'a next page that lies elsewhere is an error, never a short list')
    t.equal(sandbox.requests().length, before + 1)
  })
}
