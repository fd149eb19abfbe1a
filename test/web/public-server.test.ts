import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { SmartBffError } from '../../src/errors.ts'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import { launchRateLimit } from '../../src/web/rate-limit.ts'
import { ask } from '../session/rig.ts'
import { testConfig } from '../support/config.ts'
import { navigation, startWeb } from './rig.ts'

const [tenant] = testConfig().tenants

/** Sends these bytes and reads until the server closes. */
async function sendRaw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(bytes)
  return text(socket)
}

t.test('headers on every answer', async (t) => {
  const { port } = await startWeb(t, async (app) => void app.get('/any', async () => ({ ok: 1 })))
  for (const target of ['/any', '/nothing']) {
    const { headers } = await ask(port, target)
    t.match(headers, {
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'cross-origin-resource-policy': 'same-origin',
      'strict-transport-security': 'max-age=63072000',
      'content-security-policy': /^sandbox; default-src 'none'/,
      'permissions-policy': /camera=\(\)/,
      'smart-bff-request': /^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}$/,
    })
    for (const absent of [
      'x-frame-options',
      'x-powered-by',
      'server',
      'access-control-allow-origin',
    ]) {
      t.notOk(Object.hasOwn(headers, absent), absent)
    }
  }
})

t.test('also on what is refused before it is a request', async (t) => {
  const { port } = await startWeb(t, async (app) => void app.get('/any/:part', async () => 'x'))
  const usual = (await ask(port, '/nothing')).headers
  const own = ['smart-bff-request', 'date', 'content-length', 'content-type', 'smart-bff-state']
  for (const target of ['/%zz', '/any/%ff', `/any/${'a'.repeat(300)}`]) {
    const { status, headers } = await ask(port, target)
    t.equal(status, 400)
    t.match(headers['smart-bff-request'], /^[0-9A-Z]{4}-/)
    for (const [name, value] of Object.entries(usual)) {
      if (!own.includes(name)) t.equal(headers[name], value, `${name} ${target.slice(0, 8)}`)
    }
  }
})

t.test('no HSTS over http', async (t) => {
  const { port } = await startWeb(t, async () => undefined, {
    publicOrigin: 'http://localhost:3000',
  })
  t.equal((await ask(port, '/')).headers['strict-transport-security'], undefined)
})

t.test('an error is a page in a navigation and a body in a fetch', async (t) => {
  const { port } = await startWeb(t, async (app) => {
    app.get('/known', async (request) => {
      request.tenant = tenant
      throw new SmartBffError('LAUNCH_PATIENT_MISSING', { detail: 'secret detail' })
    })
    app.get('/stranger', async () => {
      throw new SmartBffError('LAUNCH_ISS_UNKNOWN')
    })
  })
  const page = await ask(port, '/known', { headers: navigation })
  t.equal(page.status, 403)
  t.equal(page.headers['smart-bff-state'], 'patient_context_missing')
  t.match(page.headers['content-type'], /^text\/html/)
  t.match(page.headers['content-security-policy'], /frame-ancestors http:\/\/127\.0\.0\.1:9000$/)
  t.ok(page.text.includes(String(page.headers['smart-bff-request'])), 'the incident stands on it')
  t.ok(page.text.includes('4400'))
  const nonce = /'nonce-([^']+)'/.exec(String(page.headers['content-security-policy']))?.[1] ?? '?'
  t.ok(page.text.includes(`nonce="${nonce}"`))

  const body = await ask(port, '/known')
  t.same(JSON.parse(body.text), {
    state: 'patient_context_missing',
    sentence: 'No patient is open.',
    incident: body.headers['smart-bff-request'],
    support: 'Call the service desk, 4400.',
  })
  t.notOk(`${page.text}${body.text}`.includes('secret detail'))

  const html = await ask(port, '/stranger', { headers: { accept: 'text/html,*/*' } })
  t.match(html.headers['content-type'], /^text\/html/, 'a browser without Sec-Fetch headers')
  t.match(html.headers['content-security-policy'], /frame-ancestors \*$/)
})

t.test('no foreign text reaches anybody', async (t) => {
  const { port, faults } = await startWeb(t, async (app) => {
    app.get('/broken', async () => {
      throw new Error('password=hunter2 at /srv/app.ts')
    })
    app.post('/json', async () => ({}))
  })
  const broken = await ask(port, '/broken')
  t.equal(broken.status, 500)
  t.match(JSON.parse(broken.text), { state: 'data_unavailable' })
  t.notOk(broken.text.includes('hunter2'))
  t.match(faults, [{ code: 'INTERNAL', incident: broken.headers['smart-bff-request'] }])
  const page = await ask(port, '/broken', { headers: navigation })
  t.notOk(page.text.includes('hunter2'))

  for (const [body, type] of [
    ['{"__proto__":1}', 'application/json'],
    ['{', 'application/json'],
    ['<x/>', 'text/xml'],
    ['x'.repeat(70_000), 'text/plain'],
  ]) {
    const answer = await sendRaw(
      port,
      `POST /json HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: ${body?.length}\r\n\r\n${body}`,
    )
    t.match(answer, /^HTTP\/1\.1 400 /, String(type))
    t.match(answer, /"state":"not_permitted"/)
    t.notMatch(answer, /FST_|stack|Unexpected/)
  }
})

t.test('what is no request of ours is refused early', async (t) => {
  const { port } = await startWeb(t, async (app) => void app.get('/any', async () => 'x'))
  const worker = await ask(port, '/any', { headers: { 'service-worker': 'script' } })
  t.equal(worker.status, 403)
  for (const target of ['http://evil.example/any', '//evil.example/any', '*']) {
    const answer = await sendRaw(
      port,
      `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    )
    t.match(answer, /^HTTP\/1\.1 400 /, target)
  }
  t.match(
    await sendRaw(port, 'GET /%ff%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
    /^HTTP\/1\.1 40[04] /,
  )
  t.match(
    await sendRaw(port, `GET /any HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`),
    /^HTTP\/1\.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n$/,
  )
  t.equal(
    await sendRaw(port, 'nonsense\r\n\r\n'),
    'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
  )
  t.equal((await ask(port, '/any', { method: 'HEAD' })).status, 404, 'no HEAD of its own accord')
})

t.test('a type without a body is answered at once', async (t) => {
  const { port } = await startWeb(t, async (app) => {
    for (const method of ['POST', 'PUT', 'DELETE']) {
      app.route({ method, url: '/any', handler: async ({ body }) => ({ body: body ?? 'none' }) })
    }
  })
  // RFC 9112 6.3: without a length there is none; browsers send none with DELETE.
  const types = ['application/json', 'application/x-www-form-urlencoded', 'text/plain']
  for (const method of ['POST', 'PUT', 'DELETE']) {
    for (const type of types) {
      const head = `${method} /any HTTP/1.1\r\nhost: x\r\nconnection: close\r\n`
      const answer = await sendRaw(port, `${head}content-type: ${type}\r\n\r\n`)
      t.match(answer, /^HTTP\/1\.1 [24]\d\d /, `${method} ${type}`)
    }
  }
})

t.test('/fhir is answered before Fastify', async (t) => {
  const { port } = await startWeb(t, async (app) => void app.get('/*', async () => 'fastify'), {
    fhirDoor: (request, response) => {
      if (request.url?.startsWith('/fhir/') !== true) return false
      response.end('door')
      return true
    },
  })
  const fhir = await ask(port, '/fhir/x/Patient/1')
  t.equal(fhir.text, 'door')
  t.equal(fhir.headers['smart-bff-request'], undefined, 'no hook has run')
  t.equal((await ask(port, '/else')).text, 'fastify')
})

t.test('X-Forwarded-For counts from a trusted proxy only', async (t) => {
  const routes = async (app: Parameters<Parameters<typeof startWeb>[1]>[0]) =>
    void app.get('/ip', async (request) => request.ip)
  const headers = { 'x-forwarded-for': '192.0.2.7, 10.1.1.1' }
  const open = await startWeb(t, routes)
  t.equal((await ask(open.port, '/ip', { headers })).text, '127.0.0.1')
  const behind = await startWeb(t, routes, { trustProxy: ['127.0.0.1', '10.0.0.0/8'] })
  t.equal((await ask(behind.port, '/ip', { headers })).text, '192.0.2.7')
})

t.test('launches are limited per address and route', async (t) => {
  const { port } = await startWeb(
    t,
    async (app) => {
      await app.register(async (scope) => {
        await scope.register(
          launchRateLimit({
            launchPerMinute: () => 3,
            store: createEmbeddedStore({ now: Date.now }),
            pseudonyms: { client: (address) => `named ${address}` },
          }),
        )
        scope.get('/launch', async () => 'x')
        scope.get('/callback/north', async () => 'x')
      })
      app.get('/other', async () => 'x')
    },
    { trustProxy: ['127.0.0.1'] },
  )
  const from = async (address: string, target: string) =>
    ask(port, target, { headers: { 'x-forwarded-for': address, ...navigation } })
  for (let count = 0; count < 3; count += 1) {
    t.equal((await from('192.0.2.1', '/launch')).status, 200)
  }
  const refused = await from('192.0.2.1', '/launch')
  t.equal(refused.status, 429)
  t.equal(refused.headers['smart-bff-state'], 'data_unavailable')
  t.match(refused.headers['retry-after'], /^\d+$/)
  t.match(refused.headers['content-type'], /^text\/html/)
  t.notOk(Object.keys(refused.headers).some((name) => name.startsWith('x-ratelimit')))
  t.equal((await from('192.0.2.1', '/callback/north')).status, 200, 'each route for itself')
  t.equal((await from('192.0.2.2', '/launch')).status, 200, 'each address for itself')
  t.equal((await from('192.0.2.1', '/other')).status, 200)
  for (let host = 1; host <= 3; host += 1) {
    t.equal((await from(`2001:db8::${host}`, '/launch')).status, 200)
  }
  t.equal((await from('2001:db8::9', '/launch')).status, 429, 'an IPv6 network is one address')
})
