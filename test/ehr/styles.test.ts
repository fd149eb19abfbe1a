import t, { type Test } from 'tap'
import type { ServerResponse } from 'node:http'
import { createEhrHttp } from '../../src/ehr/http.ts'
import { quirksOf } from '../../src/ehr/quirks.ts'
import { createStyles } from '../../src/ehr/styles.ts'
import { json, listen, testTenant } from './support.ts'

/** The EHR's style, from a server that may answer anything. */
async function setUp(t: Test, answer: (response: ServerResponse, path: string) => unknown) {
  const server = await listen(({ path }, response) => void answer(response, path))
  const { host } = new URL(server.origin)
  const tenant = testTenant({ quirks: { styleHosts: [host] } })
  const http = createEhrHttp(tenant)
  t.teardown(() => Promise.all([http.close(), server.close()]))
  const clock = { now: 0 }
  const styles = createStyles({ quirks: quirksOf(tenant), http, now: () => clock.now })
  return { server, clock, read: (path: string) => styles.read(`${server.origin}${path}`), styles }
}

const dark = { color_background: '#101010' }

t.test('from a listed host alone, once for each address', async (t) => {
  const { read, styles, server, clock } = await setUp(t, (response) => json(response, dark))
  t.same(await read('/a.json'), dark)
  t.same(await read('/a.json'), dark)
  t.same(await read('/b.json'), dark)
  t.equal(server.heard.length, 2)
  clock.now = 90_000_000
  await read('/a.json')
  t.equal(server.heard.length, 3, 'and again after a day')
  for (const url of [undefined, '', 'style.json', 'https://elsewhere.example/style.json']) {
    t.equal(await styles.read(url), null, String(url))
  }
})

t.test('what is no style costs the launch nothing', async (t) => {
  const large = JSON.stringify({ ...dark, more: 'x'.repeat(20_000) })
  const answers: Readonly<Record<string, (response: ServerResponse) => unknown>> = {
    '/large': (response) => response.end(large),
    '/html': (response) => response.end('<html>'),
    '/list': (response) => json(response, [dark]),
    '/error': (response) => json(response, dark, 500),
    '/elsewhere': (response) => response.writeHead(302, { location: '/good' }).end(),
    '/cut': (response) => response.destroy(),
    '/good': (response) => json(response, dark),
  }
  const { read, server } = await setUp(t, (response, path) => answers[path]?.(response))
  for (const path of Object.keys(answers).filter((one) => one !== '/good')) {
    t.equal(await read(path), null, path)
  }
  t.notOk(
    server.heard.some(({ path }) => path === '/good'),
    'no redirect is followed',
  )
})

t.test('a server that does not answer is given up, and tried again after a while', async (t) => {
  let slow = true
  const { read, server, clock } = await setUp(t, (response) => {
    if (!slow) json(response, dark)
  })
  const started = performance.now()
  t.equal(await read('/a.json'), null)
  t.ok(performance.now() - started < 8_000, 'long before a token request would be given up')
  slow = false
  t.equal(await read('/a.json'), null)
  t.equal(server.heard.length, 1)
  clock.now = 301_000
  t.same(await read('/a.json'), dark)
})

t.test('addresses are not kept without end', async (t) => {
  const { read, server } = await setUp(t, (response) => json(response, dark))
  for (let count = 0; count <= 100; count += 1) {
    // oxlint-disable-next-line no-await-in-loop -- the first must be the oldest
    await read(`/${count}`)
  }
  await read('/100')
  t.equal(server.heard.length, 101)
  await read('/0')
  t.equal(server.heard.length, 102, 'the oldest made room')
})
