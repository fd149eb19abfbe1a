import { Redis } from 'ioredis'
import t from 'tap'
import { createCookieJar, startServer } from '../support/http.ts'
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
