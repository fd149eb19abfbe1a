import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { SmartBffError } from '../../src/errors.ts'
import { appRoutes, assetRoutes, createAppParts } from '../../src/web/app-routes.ts'
import { helperTag } from '../../src/web/helper-tag.ts'
import { ownRoutes } from '../../src/web/own-routes.ts'
import { createPages } from '../../src/web/pages.ts'
import { ask } from '../session/rig.ts'
import { testConfig } from '../support/config.ts'
import { freePort, startServer } from '../support/http.ts'
import { navigation, startWeb, type WebRig } from './rig.ts'

const [tenant] = testConfig().tenants
if (tenant === undefined) throw new Error('no tenant')

const launch = 'L'.repeat(32)
const index = '<!doctype html><html><head><title>App</title></head></html>'
const injected = index.replace('<head>', `<head>${helperTag}`)
const files = {
  'index.html': index,
  'other.html': '<p>other',
  'app.js': 'export {}',
  'assets/plain.css': 'p{}',
  'assets/chunk-B7x2Kq9Z.js': 'export {}',
  'assets/page.html': '<script>1</script>',
  'assets/.hidden': 'x',
  'assets/LICENSE': 'free',
} as const

async function appDirectory(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'smart-bff-app-'))
  t.teardown(() => rm(directory, { recursive: true }))
  await mkdir(join(directory, 'assets', 'folder'), { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
  await symlink('assets', join(directory, 'link'))
  return directory
}

const startApp = (t: Test, app: Parameters<typeof createAppParts>[0]): Promise<WebRig> =>
  startWeb(t, async (server) => {
    const parts = createAppParts(app)
    await server.register(assetRoutes(parts))
    await server.register(
      appRoutes({
        ...parts,
        openLaunch: async (request, id) => {
          if (id !== launch) throw new SmartBffError('SESSION_MISSING')
          request.tenant = tenant
          return { tenant }
        },
      }),
    )
  })

/** What is the same for both kinds of app. */
async function appContract(t: Test, { port }: WebRig): Promise<void> {
  await t.test('the document', async (t) => {
    for (const path of ['', 'results', 'results/5', 'results/', 'index.html']) {
      const answer = await ask(port, `/app/${launch}/${path}`, { headers: navigation })
      t.equal(answer.status, 200, path)
      t.equal(answer.text, injected)
      t.match(answer.headers, {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'content-security-policy':
          /script-src 'self';.*frame-ancestors http:\/\/127\.0\.0\.1:9000$/,
      })
      t.equal(answer.headers['x-frame-options'], undefined)
    }
    const other = await ask(port, `/app/${launch}/other.html`)
    t.equal(other.text, `${helperTag}<p>other`)
    const head = await ask(port, `/app/${launch}/`, { method: 'HEAD' })
    t.same({ status: head.status, text: head.text }, { status: 200, text: '' })
    t.equal((await ask(port, `/app/${launch}/`, { method: 'POST' })).status, 404)
  })

  await t.test('without the slash', async (t) => {
    const answer = await ask(port, `/app/${launch}?x=1`)
    t.equal(answer.status, 302)
    t.equal(answer.headers.location, `/app/${launch}/`)
    t.equal((await ask(port, '/app/%2F%2Fevil.example')).status, 401)
  })

  await t.test('the state page for a launch that is not this browser’s', async (t) => {
    for (const path of ['', 'results', 'app.js']) {
      const answer = await ask(port, `/app/${'M'.repeat(32)}/${path}`, { headers: navigation })
      t.equal(answer.status, 401)
      t.equal(answer.headers['smart-bff-state'], 'session_ended')
      t.match(answer.headers['content-security-policy'], /frame-ancestors \*$/)
      t.notOk(answer.text.includes('smart-bff.js'))
    }
  })

  await t.test('files beside the document', async (t) => {
    const script = await ask(port, `/app/${launch}/app.js`)
    t.equal(script.text, files['app.js'])
    t.match(script.headers['content-type'], /javascript/)
    t.equal(script.headers['cache-control'], 'no-store')
    t.equal((await ask(port, `/app/${launch}/missing.js`)).status, 404)
    t.equal((await ask(port, `/app/${launch}/missing.html`)).status, 404)
  })

  await t.test('assets', async (t) => {
    const plain = await ask(port, '/assets/plain.css?v=1')
    t.equal(plain.text, files['assets/plain.css'])
    t.equal(plain.headers['cache-control'], 'no-cache')
    t.match(plain.headers['content-type'], /^text\/css/)
    const etag = String(plain.headers.etag)
    t.equal(
      (await ask(port, '/assets/plain.css', { headers: { 'if-none-match': etag } })).status,
      304,
    )
    const hashed = await ask(port, '/assets/chunk-B7x2Kq9Z.js')
    t.equal(hashed.headers['cache-control'], 'public, max-age=31536000, immutable')
    t.match(hashed.headers['content-security-policy'], /script-src 'self'/)
    const missing = await ask(port, '/assets/missing-B7x2Kq9Z.js')
    t.equal(missing.status, 404)
    t.equal(missing.headers['cache-control'], 'no-store', 'a miss is not kept for a year')
    t.equal((await ask(port, '/assets/plain.css', { method: 'HEAD' })).text, '')
    t.equal((await ask(port, '/assets/')).status, 404)
  })

  await t.test('paths that climb, hide or are encoded', async (t) => {
    for (const path of [
      '../index.html',
      '..%2findex.html',
      '%2e%2e/index.html',
      './plain.css',
      '.hidden',
      '%2ehidden',
      'a//plain.css',
      '/plain.css',
      '..\\index.html',
      'plain%2ecss',
      'plain.css%00',
    ]) {
      for (const prefix of ['/assets/', `/app/${launch}/`]) {
        const answer = await ask(port, prefix + path)
        t.ok([400, 404].includes(answer.status), `${prefix}${path}: ${answer.status}`)
      }
    }
  })
}

t.test('an app in a directory', async (t) => {
  const directory = await appDirectory(t)
  const rig = await startApp(t, { directory, helper: 'inject', csp: {} })
  await appContract(t, rig)

  await t.test('a page among the assets runs nothing', async (t) => {
    const page = await ask(rig.port, '/assets/page.html')
    t.match(page.headers['content-security-policy'], /^sandbox; default-src 'none'/)
    t.equal((await ask(rig.port, '/assets/folder')).status, 404)
    t.equal((await ask(rig.port, '/assets/LICENSE')).status, 200)
  })
})

t.test('helper: none leaves the document as it is', async (t) => {
  const directory = await appDirectory(t)
  const { port } = await startApp(t, { directory, helper: 'none', csp: {} })
  t.equal((await ask(port, `/app/${launch}/`)).text, index)
})

t.test('an app behind a server of its own', async (t) => {
  const seen: IncomingHttpHeaders[] = []
  const upstream = await startServer((request, response) => {
    seen.push(request.headers)
    const path = (request.url ?? '').slice(1) || 'index.html'
    const text = Object.entries(files).find(([name]) => name === path)?.[1]
    response.setHeader('set-cookie', 'theirs=1')
    response.setHeader('x-powered-by', 'them')
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('cache-control', 'public, max-age=9999')
    const types = { html: 'text/html', js: 'text/javascript', css: 'text/css' }
    const type = Object.entries(types).find(([extension]) => path.endsWith(extension))?.[1]
    if (path === 'broken.js') return response.writeHead(500).end('stack trace')
    if (path === 'away.js') return response.writeHead(302, { location: 'http://evil' }).end()
    if (path === 'spa.js') return response.setHeader('content-type', 'text/html').end(index)
    if (text === undefined) return response.writeHead(404).end('nothing here')
    response.setHeader('content-type', type ?? 'application/octet-stream')
    response.setHeader('etag', '"1"')
    if (request.headers['if-none-match'] === '"1"') return response.writeHead(304).end()
    return response.end(text)
  })
  t.teardown(() => upstream.close())
  const app = { upstream: `http://127.0.0.1:${upstream.port}`, helper: 'inject', csp: {} } as const
  const rig = await startApp(t, app)
  await appContract(t, rig)

  await t.test('nothing of the user goes out, nothing but content comes back', async (t) => {
    seen.length = 0
    const headers = {
      cookie: '__Host-smart-bff=secret',
      authorization: 'Bearer x',
      'x-forwarded-for': '192.0.2.1',
      referer: 'https://ehr.example/patient/1',
      'smart-bff': '1',
    }
    const answer = await ask(rig.port, '/assets/plain.css', { headers })
    await ask(rig.port, `/app/${launch}/`, { headers })
    t.same([...new Set(seen.flatMap((one) => Object.keys(one)))].toSorted(), [
      'accept',
      'accept-encoding',
      'connection',
      'host',
    ])
    for (const name of ['set-cookie', 'x-powered-by', 'access-control-allow-origin']) {
      t.equal(answer.headers[name], undefined, name)
    }
  })

  await t.test('what is no answer', async (t) => {
    for (const [name, status] of [
      ['broken.js', 502],
      ['away.js', 502],
      ['spa.js', 404],
    ] as const) {
      const answer = await ask(rig.port, `/app/${launch}/${name}`)
      t.equal(answer.status, status, name)
      t.notOk(/stack trace|<html>/.test(answer.text))
    }
    const nobody = { ...app, upstream: `http://127.0.0.1:${await freePort()}` }
    const { port } = await startApp(t, nobody)
    const down = await ask(port, `/app/${launch}/`, { headers: navigation })
    t.equal(down.status, 502)
    t.equal(down.headers['smart-bff-state'], 'data_unavailable')
    t.match(down.text, `href="/app/${launch}/">Try again<`)
    const foreign = await ask(port, '/app/another/', { headers: navigation })
    t.notMatch(foreign.text, /<a /, 'what is over cannot be tried again')
  })
})

t.test('the helper, the home page and the bare probe', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'smart-bff-helper-'))
  t.teardown(() => rm(directory, { recursive: true }))
  await writeFile(join(directory, 'smart-bff.js'), 'export const x = 1')
  await writeFile(join(directory, 'smart-bff.d.ts'), 'export declare const x: number')
  const { port } = await startWeb(t, async (app) => {
    await app.register(ownRoutes({ pages: createPages(), helperDirectory: directory }))
  })
  const script = await ask(port, '/smart-bff.js')
  t.equal(script.text, 'export const x = 1')
  t.match(script.headers, {
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': 'no-cache',
    etag: /./,
  })
  const types = await ask(port, '/smart-bff.d.ts')
  t.equal(types.status, 200)
  t.match(types.headers['content-type'], /^text\/plain/)
  t.equal((await ask(port, '/smart-bff.js.map')).status, 404)
  const home = await ask(port, '/', { headers: navigation })
  t.equal(home.status, 200)
  t.match(home.headers['content-security-policy'], /frame-ancestors \*$/)
  t.same((await ask(port, '/healthz')).text, 'ok\n')
})
