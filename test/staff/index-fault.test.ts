import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { startDeployment } from '../support/deployment.ts'
import { plainFetch } from '../support/http.ts'
import { until } from '../support/until.ts'
import { signInAs, siteOf, withStaff } from './staff-rig.ts'

/**
 * A search index that cannot be opened, on the real program: the app goes on, and each page that asks it says what is
 * the matter. Where the audit cannot write either, that is what the page says.
 */
const control = join(mkdtempSync(join(tmpdir(), 'smart-bff-index-')), 'fault')
const deployment = await startDeployment({
  nodeArgs: ['--import', new URL('../support/disk-faults.ts', import.meta.url).pathname],
  env: { DISK_FAULTS: control },
  root: { logging: { level: 'warn' }, operations: withStaff },
})
t.teardown(async () => {
  await deployment.close()
  rmSync(join(control, '..'), { recursive: true, force: true })
})
const [replica] = deployment.replicas
if (replica === undefined) throw new Error('no replica')
const path = join(replica.auditFolder, 'replica-0.index.sqlite')
await replica.kill()
for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
mkdirSync(path)
await replica.start()

const site = siteOf(replica)
const amara = deployment.sandbox.patient('amara')
const browser = replica.browser()
const { launch } = await browser.launch({ patient: amara.id })
const readChart = async (): Promise<number> =>
  (await browser.fetch(`/fhir/${launch}/Patient/${amara.id}`)).status
const cookie = await signInAs('auditor', site)
const pages = ['/', '/?ask=all', '/overview', '/integrity', '/export?format=csv']

async function expectPages(t: Test, sentence: RegExp): Promise<void> {
  for (const page of pages) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const response = await fetch(site + page, { headers: { cookie } })
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const text = await response.text()
    t.equal(response.status, 503, page)
    t.match(text, sentence, page)
    t.match(text, /Incident number of this page <code>/, page)
  }
}

t.test('the app goes on, and each page says what is the matter', async (t) => {
  t.equal(await readChart(), 200)
  await expectPages(t, /The search index does not answer now\. Records are written all the same/)
  await until(
    () => replica.output(),
    (text) => text.includes('"event":"staff.fault"'),
  )
  t.equal((await plainFetch(`${site}/readyz`)).status, 200)
})

t.test('where nothing can be recorded either, the pages say that', async (t) => {
  writeFileSync(control, 'ENOSPC')
  t.equal(await readChart(), 503)
  await expectPages(t, /What you ask for cannot be recorded now, so it is not shown/)
  writeFileSync(control, '')
  await until(
    async () => (await plainFetch(`${site}/readyz`)).status,
    (status) => status === 200,
  )
})

t.test('it is made anew as soon as it can be opened', async (t) => {
  rmSync(path, { recursive: true })
  const page = await until(
    async () => (await fetch(`${site}/?ask=all`, { headers: { cookie } })).text(),
    (text) => text.includes('fhir.access'),
  )
  t.match(page, 'staff.signed_in')
})
