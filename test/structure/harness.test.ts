import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import t from 'tap'
import { readFigures, tellFigures } from '../support/figures.ts'
import { createCookieJar, startServer } from '../support/http.ts'
import { programsAreThere, type Readiness } from '../support/install.ts'
import { startRedis } from '../support/redis.ts'

t.test('a Redis of the test, with a password, that comes back on its port', async (t) => {
  const first = await startRedis({ password: 'a b' })
  const client = new Redis(first.url)
  t.equal(await client.set('a', '1'), 'OK')
  client.disconnect()
  await first.stop()
  await first.stop()
  const second = await startRedis({ port: first.port })
  t.teardown(() => second.stop())
  const again = new Redis(second.url)
  t.equal(await again.get('a'), null, 'nothing was kept')
  again.disconnect()
})

t.test('a cookie jar keeps, sends and forgets', async (t) => {
  const server = await startServer((request, response) => {
    const age = request.url === '/clear' ? '; Max-Age=0' : ''
    response.setHeader('Set-Cookie', `a=1; Path=/; HttpOnly${age}`)
    response.end(request.headers.cookie ?? '')
  })
  t.teardown(() => server.close())
  const jar = createCookieJar()
  const ask = async (path: string) =>
    (await jar.fetch(`http://127.0.0.1:${server.port}${path}`)).text()
  t.equal(await ask('/'), '')
  t.equal(await ask('/'), 'a=1')
  await ask('/clear')
  t.equal(jar.cookies.size, 0)
})

t.test('programs that are missing are installed where that may be, else named in one line', (t) => {
  const there = new Set(['chromium'])
  const needs = ['redis-server', 'chromium', 'nginx-light'].map((debianPackage) => ({
    debianPackage,
    find: () => (there.has(debianPackage) ? debianPackage : undefined),
  }))
  const said: string[] = []
  const ask = (more: Partial<Readiness>) => {
    said.length = 0
    const say = (sentence: string) => said.push(sentence)
    return programsAreThere({ who: 'The tests', say, needs, mayInstall: true, ...more })
  }
  t.notOk(ask({ install: () => undefined }))
  t.match(said, [/^Installing redis-server and nginx-light/, /need redis-server and nginx-light:/])
  t.ok(ask({ only: ['chromium'] }))
  t.same(said, [])
  const install = (names: readonly string[]) => names.forEach((name) => there.add(name))
  t.ok(ask({ install, only: ['redis-server'] }))
  t.equal(said.length, 1)
  t.notOk(ask({ mayInstall: false }))
  t.same(said, ['The tests need nginx-light: install it and run the command again.'])
  // Each command of the README that needs them asks first, whichever is the first after a clone.
  for (const file of ['run.ts', 'long.ts', 'performance/bench.ts']) {
    const text = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
    t.match(text, /if \(!programsAreThere\([^)]*\)\)[^}]*exitUnavailable/, file)
  }
  t.end()
})

t.test('figures of a test are read back from its TAP, at any depth, and nothing else is', (t) => {
  const lines: string[] = []
  const figures = { requests: 3, 'seed 1': { 'read 200': 2 } }
  tellFigures({ comment: (text: string) => lines.push(`        # ${text}`) }, figures)
  t.same(lines.map(readFigures), [figures])
  for (const other of ['# 3 figures', 'ok 1 - figures {}', '# figures none']) {
    t.equal(readFigures(other), undefined, other)
  }
  t.end()
})
