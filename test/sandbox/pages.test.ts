import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { html } from '../../src/sandbox/pages/html.ts'
import { startSandbox } from '../../src/sandbox/sandbox.ts'

const app = createServer((_request, response) => response.end('app'))
await new Promise<void>((resolve) => app.listen(0, 'localhost', resolve))
const launchUrl = `http://localhost:${(app.address() as AddressInfo).port}/launch`
const sandbox = await startSandbox({ launchUrl })
t.teardown(async () => {
  app.closeAllConnections()
  app.close()
  await sandbox.close()
})
const amara = sandbox.patient('amara')

const open = async (path: string, headers = {}) => {
  const response = await fetch(`${sandbox.origin}${path}`, { headers, redirect: 'manual' })
  return { status: response.status, headers: response.headers, text: await response.text() }
}
/** Past `fetch`, which tidies the path up. */
const getRaw = async (origin: string, path: string) => {
  const { hostname, port, host } = new URL(origin)
  const outgoing = request({ hostname, port, path, family: 4, headers: { host } }).end()
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
  answer.resume()
  return { status: answer.statusCode, location: answer.headers.location ?? '' }
}
const frames = (text: string) =>
  [...text.matchAll(/<iframe[^>]+src="([^"]+)"/g)].map(
    ([, src = '']) => new URL(src.replaceAll('&amp;', '&')),
  )

t.test('every page says that its data are synthetic', async (t) => {
  for (const path of ['/', `/chart/${amara.id}`, `/charts?patient=${amara.id}`, '/nowhere']) {
    const page = await open(path)
    t.match(page.text, '<strong class="synthetic">Synthetic data</strong>', path)
    t.match(page.headers.get('content-security-policy'), "frame-ancestors 'none'")
  }
  t.equal((await open('/chart/nobody')).status, 404)
})

t.test('the list finds patients by name without accents, birth date and number', async (t) => {
  t.match((await open('/')).text, '14 of 14 synthetic patients')
  for (const query of ['wisniewski', '1983-05-23', sandbox.patient('tomasz').mrn]) {
    const { text } = await open(`/?q=${query}`)
    t.match(text, '1 of 14 synthetic patients')
    t.match(text, 'Wiśniewski, Tomasz Jan')
  }
  t.match((await open('/?q=%22%3E%3Cscript%3E')).text, 'value="&quot;&gt;&lt;script&gt;"')
})

t.test('a chart frames the app with a launch of its own', async (t) => {
  const page = await open(`/chart/${amara.id}`)
  const [frame] = frames(page.text)
  t.equal(`${frame?.origin ?? ''}${frame?.pathname ?? ''}`, launchUrl)
  t.equal(frame?.searchParams.get('iss'), sandbox.iss)
  const again = frames((await open(`/chart/${amara.id}`)).text)[0]
  t.not(again?.searchParams.get('launch'), frame?.searchParams.get('launch'))
  t.match(page.text, 'Type 2 diabetes mellitus')
  t.match(page.text, 'Close chart')
  const full = await open(`/chart/${amara.id}?view=full`)
  t.notMatch(full.text, 'Problem list')
  t.equal(frames(full.text).length, 1)
  t.equal((await open(`/chart?patient=${amara.id}`)).headers.get('location'), `/chart/${amara.id}`)
})

t.test('six charts stand side by side', async (t) => {
  const query = sandbox.patients
    .slice(0, 6)
    .map(({ id }) => `patient=${id}`)
    .join('&')
  const { text } = await open(`/charts?${query}`)
  const launches = new Set(frames(text).map((frame) => frame.searchParams.get('launch')))
  t.equal(launches.size, 6)
  t.match((await open('/charts')).text, 'No chart is open')
})

t.test('the clinician can be changed and is the one who launches', async (t) => {
  const other = sandbox.clinicians[1]
  const changed = await open(`/_ehr/user?id=${other?.id ?? ''}&back=/chart/${amara.id}`)
  t.equal(changed.headers.get('location'), `/chart/${amara.id}`)
  const [cookie = ''] = (changed.headers.get('set-cookie') ?? '').split(';')
  t.match((await open('/', { cookie })).text, new RegExp(`value="${other?.id ?? ''}" selected`))
  for (const back of ['//evil.example', 'https://evil.example', '/\\evil.example']) {
    const answer = await open(`/_ehr/user?id=x&back=${encodeURIComponent(back)}`)
    t.equal(answer.headers.get('location'), '/')
  }
})

t.test(
  'a page under another name for this address leads to the one the app may stand in',
  async (t) => {
    const { port } = new URL(sandbox.origin)
    const other = `http://localhost:${port}`
    for (const path of [
      '/',
      `/chart/${amara.id}?view=full`,
      '//evil.example/',
      '/\\evil.example/',
    ]) {
      const answer = await getRaw(other, path)
      t.equal(answer.status, 303, path)
      t.equal(new URL(answer.location).origin, sandbox.origin, path)
    }
    const chart = await getRaw(other, `/chart/${amara.id}?view=full`)
    t.equal(chart.location, `${sandbox.origin}/chart/${amara.id}?view=full`)
    for (const path of [
      '/fhir/r4/metadata',
      '/fhir/r4/.well-known/smart-configuration',
      '/oauth/jwks',
    ]) {
      t.equal((await getRaw(other, path)).status, 200, `${path} is not a page`)
    }
  },
)

t.test('launches that fail are each spoiled in one way', async (t) => {
  const list = await open('/failing')
  const names = [...list.text.matchAll(/href="\/failing\/([a-z-]+)"/g)].map(([, name = '']) => name)
  t.same(names, ['no-patient', 'another-user', 'used-launch', 'unknown-ehr'])
  for (const name of names) {
    const [frame] = frames((await open(`/failing/${name}`)).text)
    t.equal(frame?.searchParams.get('iss') === sandbox.iss, name !== 'unknown-ehr', name)
  }
  t.equal((await open('/failing/constructor')).status, 404)
})

t.test('an app that does not answer is said so', async (t) => {
  const alone = await startSandbox({ launchUrl: 'http://localhost:1/launch' })
  t.teardown(() => alone.close())
  const id = alone.patient('amara').id
  const text = await (await fetch(`${alone.origin}/chart/${id}`)).text()
  t.match(text, 'The app does not answer')
  t.match(text, 'http://localhost:1')
  t.equal(frames(text).length, 0)
})

t.test('templates escape what they are given', async (t) => {
  t.equal(
    html`<p title="${'"x"'}">${'<b>&'}${html`<i>ok</i>`}</p>`.html,
    '<p title="&quot;x&quot;">&lt;b&gt;&amp;<i>ok</i></p>',
  )
})
