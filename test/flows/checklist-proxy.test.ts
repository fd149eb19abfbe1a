import t from 'tap'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { rawMode, type Raw } from '../support/config.ts'
import { portOf } from '../support/http.ts'
import { startHospital } from '../support/hospital.ts'

/** The items "Proxy" and "Headers" of the acceptance checklist that are about EHR and launch, each under its name. */

const { allow } = rawMode() as { allow: readonly Raw[] }
const withBatch = { allow: [...allow, { feature: 'Dashboard', bundle: ['batch'] }] }
const hospital = await startHospital({ mode: withBatch })
t.teardown(() => hospital.close())
const { sandbox, publicUrl } = hospital
const browser = hospital.browser()
const patient = sandbox.patient('amara').id
const { launch, response } = await browser.launch({ patient })
const get = (path: string) => browser.fetch(`/fhir/${launch}/${path}`)

/** A stranger's server that counts its visitors. */
const visitors: string[] = []
const stranger = createServer((request, answer) => {
  visitors.push(`${request.url} ${request.headers.authorization ?? ''}`)
  answer.end('{}')
}).listen(0, '127.0.0.1')
await once(stranger, 'listening')
t.teardown(() => stranger.close())
const elsewhere = `http://127.0.0.1:${portOf(stranger)}`
t.beforeEach(() => {
  sandbox.control.setFaults([])
  visitors.length = 0
})

t.test('no token to foreign origins', async (t) => {
  const bundle = {
    resourceType: 'Bundle',
    type: 'searchset',
    link: [{ relation: 'next', url: `${elsewhere}/fhir/r4?page=2` }],
    entry: [],
  }
  const contentType = 'application/fhir+json'
  sandbox.control.setFaults([{ where: 'fhir', kind: 'body', body: bundle, contentType }])
  const answer = await get('Observation?_count=1')
  t.notMatch(await answer.text(), elsewhere, '@97 @98')
  for (const path of [`${elsewhere}/Patient/1`, `//127.0.0.1:${portOf(stranger)}/Patient/1`]) {
    t.not((await get(encodeURIComponent(path))).status, 200)
    t.not((await get(path)).status, 200)
  }
  t.same(visitors, [])
})

t.test('no redirect following with Authorization', async (t) => {
  const location = `${elsewhere}/fhir/r4/Patient/${patient}`
  sandbox.control.setFaults([{ where: 'fhir', kind: 'redirect', location }])
  const answer = await get(`Patient/${patient}`)
  t.ok(answer.status >= 500)
  t.equal(answer.headers.get('location'), null)
  t.same(visitors, [])
})

t.test('no redirect following at the token endpoint', async (t) => {
  const location = `${elsewhere}/token`
  sandbox.control.setFaults([{ where: 'token', kind: 'redirect', location }])
  await t.rejects(hospital.browser().launch({ patient }), /502/)
  t.same(visitors, [], 'no code and no assertion leaves')
})

t.test('next-link rewriting', async (t) => {
  const answer = (await (await get('Observation?_count=5')).json()) as {
    readonly link: readonly { readonly relation: string; readonly url: string }[]
  }
  const next = answer.link.find(({ relation }) => relation === 'next')?.url ?? ''
  t.match(next, `${publicUrl}/fhir/${launch}/_page/`)
  t.notMatch(JSON.stringify(answer), sandbox.origin)
  t.equal((await browser.fetch(next.slice(publicUrl.length))).status, 200)
})

t.test('per-interaction action table', async (t) => {
  const status = async (method: string, path: string): Promise<number> =>
    (await browser.fetch(`/fhir/${launch}/${path}`, { method })).status
  t.equal(await status('GET', `Patient/${patient}`), 200, 'r')
  t.equal(await status('GET', 'Observation?_count=1'), 200, 's')
  for (const [method, path] of [
    ['DELETE', `Patient/${patient}`],
    ['GET', `Patient/${patient}/_history`],
    ['GET', 'Patient?name=a'],
    ['GET', 'Condition'],
    ['POST', 'Observation'],
  ] as const) {
    t.ok((await status(method, path)) >= 400, `${method} ${path} has no rule`)
  }
})

t.test('batch per entry', async (t) => {
  const post = (...urls: string[]) => {
    const entry = urls.map((url) => ({ request: { method: 'GET', url } }))
    const body = JSON.stringify({ resourceType: 'Bundle', type: 'batch', entry })
    const headers = { 'content-type': 'application/fhir+json' }
    return browser.fetch(`/fhir/${launch}`, { method: 'POST', body, headers })
  }
  const good = await post(`Patient/${patient}`, 'Observation?_count=1')
  t.equal(good.status, 200)
  const asked = sandbox.requests().length
  for (const entry of ['Patient/someone-else', 'Condition', '../oauth/token']) {
    t.ok((await post(`Patient/${patient}`, entry)).status >= 400, `refused whole: ${entry}`)
  }
  t.equal(sandbox.requests().length, asked, 'and nothing of it is sent')
})

t.test('CSP frame-ancestors from config, no X-Frame-Options, cookie flags', async (t) => {
  const policy = response.headers.get('content-security-policy') ?? ''
  t.match(policy, `frame-ancestors ${sandbox.origin}`)
  t.equal(response.headers.get('x-frame-options'), null)
  const lines: string[] = []
  const url = sandbox.createLaunch({ patient }).url
  const first = await fetch(url, {
    redirect: 'manual',
    headers: { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
  })
  lines.push(...first.headers.getSetCookie())
  t.ok(lines.length > 0)
  for (const line of lines) {
    t.match(line, /^__Host-smart-bff/)
    for (const flag of ['Path=/', 'Secure', 'HttpOnly', 'SameSite=None', 'Partitioned']) {
      t.ok(line.includes(flag), flag)
    }
  }
})
