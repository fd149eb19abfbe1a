import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { errorTable } from '../../src/errors.ts'
import { compileHelper, compileHelperTypes } from '../support/browser-helper.ts'
import { openBrowser } from '../support/chromium.ts'

const launch = 'L-0123456789abcdef'
const helper = compileHelper()
const declarations = compileHelperTypes()
const page = `<!doctype html><html lang="en"><head><title>Ada Lovelace</title>
  <script type="module" src="/smart-bff.js"></script></head><body><p id="phi">Ada Lovelace</p></body></html>`
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"
const info = { launch, state: 'active', patient: 'p1', fhir: `/fhir/${launch}` }

interface Answer {
  status?: number
  headers?: Record<string, string>
  body?: unknown
  drop?: boolean
}

/** A small server in the product's place. `answers` is by path; `seen` is what arrived. */
async function start(): Promise<{
  origin: string
  answers: Map<string, Answer>
  seen: IncomingMessage[]
}> {
  const answers = new Map<string, Answer>()
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    seen.push(request)
    respond(request, response, answers)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening')
  return { origin: `http://localhost:${address.port}`, answers, seen }
}

function respond(request: IncomingMessage, response: ServerResponse, answers: Map<string, Answer>) {
  const path = new URL(request.url ?? '/', 'http://localhost').pathname
  const module = helper.get(path)
  if (module !== undefined) {
    response.setHeader('content-type', 'text/javascript').end(module)
  } else if (path.startsWith('/app/') || path === '/other') {
    response.setHeader('content-type', 'text/html').setHeader('content-security-policy', csp)
    response.end(path === '/other' ? '<!doctype html><title>Other</title>' : page)
  } else {
    const answer = answers.get(path) ?? { status: 404, body: {} }
    if (answer.drop) request.socket.destroy()
    response.writeHead(answer.status ?? 200, {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...answer.headers,
    })
    response.end(JSON.stringify(answer.body ?? {}))
  }
}

const server = await start()
const browser = await openBrowser({ blockThirdPartyCookies: true })
t.teardown(() => browser.close())
const app = await browser.context.newPage()

/** Opens the app's document and runs an expression in which `connect` and `bff` are known. */
async function inApp(expression: string, path = `/app/${launch}/`): Promise<unknown> {
  await app.goto(`${server.origin}${path}`)
  return app.evaluate(`(async () => {
      const { connect } = await import('/smart-bff.js')
      const shape = (e) => ({ name: e.name, state: e.state, status: e.status, sentence: e.sentence,
        incident: e.incident, support: e.support, over: e.over, outcome: e.outcome })
      ${expression}
    })()`)
}
const withBff = (expression: string) =>
  inApp(`const bff = await connect(); try { ${expression} } catch (e) { return shape(e) }`)

t.beforeEach(() => {
  server.answers.clear()
  server.seen.length = 0
  server.answers.set(`/launches/${launch}`, { body: info })
})

t.test('is small', async (t) => {
  const bytes = [...helper.values()].reduce((sum, text) => sum + gzipSync(text).byteLength, 0)
  t.ok(bytes < 6 * 1024, `${bytes} bytes gzipped`)
})

t.test('knows every state of the server and no other', async (t) => {
  const source = readFileSync(new URL('../../src/browser/smart-bff.ts', import.meta.url), 'utf8')
  const table = /sentences: Readonly<Record<UserState, string>> = \{([^}]*)\}/.exec(source)?.[1]
  const known = [...(table ?? '').matchAll(/^ {2}(\w+):/gm)].map((match) => match[1])
  const told = new Set<string | undefined>(Object.values(errorTable).map((row) => row.state))
  t.equal(known.length, 10)
  for (const state of told) t.ok(known.includes(state), String(state))
})

t.test('says the same of a launch as the server, in types that stand alone', async (t) => {
  const read = (name: string) =>
    readFileSync(new URL(`../../src/browser/${name}`, import.meta.url), 'utf8')
  t.ok(read('smart-bff.ts').includes(read('launch-info.ts').trim()), 'the types are the same')
  for (const text of helper.values()) t.notMatch(text, /\bimport\b\s*[\s{*("']/, 'one module')
  t.notMatch(declarations, /^import |from '\./m)
})

t.test('connect asks about the launch of the path', async (t) => {
  t.strictSame(await withBff('return [bff.launch, bff.url]'), [
    info,
    `${server.origin}/fhir/${launch}`,
  ])
  const asked = server.seen.find((request) => request.url === `/launches/${launch}`)
  t.match(asked?.headers, { 'smart-bff': '1', 'sec-fetch-site': 'same-origin' })
})

t.test("the EHR's style becomes CSS variables", async (t) => {
  const style = { color_background: '#edeae3', font_family_body: "'Open Sans', serif" }
  server.answers.set(`/launches/${launch}`, { body: { ...info, style } })
  const shown = `const look = getComputedStyle(document.body)
    return ['--smart-color-background', '--smart-font-family-body', '--smart-color-text']
      .map((name) => look.getPropertyValue(name))`
  t.strictSame(await withBff(shown), ['#edeae3', "'Open Sans', serif", ''])
})

t.test('connect works from a deeper path, and only below /app', async (t) => {
  const state = 'return (await connect()).launch.state'
  t.equal(await inApp(state, `/app/${launch}/results/7`), 'active')
  t.match(await inApp(`return connect().catch(shape)`, '/other'), { state: 'session_ended' })
})

t.test('connect refuses what is not an active launch', async (t) => {
  const refused = 'return connect().then(() => "connected", shape)'
  server.answers.set(`/launches/${launch}`, { body: { ...info, state: 'reauth_required' } })
  t.match(await inApp(refused), { state: 'authorization_expired', over: true })
  server.answers.set(`/launches/${launch}`, { body: { ...info, launch: 'another' } })
  t.match(await inApp(refused), { state: 'data_unavailable', over: false })
  server.answers.set(`/launches/${launch}`, {
    status: 409,
    headers: { 'SMART-BFF-State': 'context_changed', 'SMART-BFF-Request': 'i-7' },
    body: { state: 'context_changed', sentence: 'Another patient.', support: 'Call 4400.' },
  })
  t.strictSame(await inApp(refused), {
    name: 'SmartBffError',
    state: 'context_changed',
    status: 409,
    sentence: 'Another patient.',
    incident: 'i-7',
    support: 'Call 4400.',
    over: true,
    outcome: null,
  })
  server.answers.set(`/launches/${launch}`, { drop: true })
  t.match(await inApp(refused), { state: 'data_unavailable', status: 0 })
})

t.test('fhir fetches below the base, with the header and as FHIR', async (t) => {
  server.answers.set(`/fhir/${launch}/Patient/p1`, { body: { id: 'p1' } })
  t.equal(await withBff(`return (await (await bff.fhir('Patient/p1')).json()).id`), 'p1')
  t.equal(
    await withBff(`return (await bff.fhir(bff.url + '/Patient/p1?_a=b#c')).status`),
    200,
    'an absolute link under the base',
  )
  const asked = server.seen.find((request) => request.url?.includes('/Patient/p1'))
  t.match(asked?.headers, { 'smart-bff': '1', accept: 'application/fhir+json' })
})

t.test('fhir goes nowhere else', async (t) => {
  const elsewhere = [
    'https://ehr.example/fhir/Patient/p1',
    '//ehr.example/fhir',
    '/launches/x',
    '/fhir/another/Patient/p1',
    '../another/Patient/p1',
    '%2e%2e/another',
    '..\\another',
    'javascript:alert(1)',
    'http://[',
  ]
  const refused = await withBff(`const states = {}
    for (const path of ${JSON.stringify(elsewhere)}) {
      states[path] = await bff.fhir(path).then((answer) => answer.url, (error) => error.state)
    }
    return states`)
  t.strictSame(refused, Object.fromEntries(elsewhere.map((path) => [path, 'not_permitted'])))
  const user = `bff.url.replace('//', '//user:pw@') + '/Patient/p1'`
  t.match(await withBff(`return (await bff.fhir(${user})).status`), { state: 'not_permitted' })
  t.notOk(server.seen.some((request) => request.url?.includes('another')))
})

t.test('fhir does not follow redirects', async (t) => {
  server.answers.set(`/fhir/${launch}/Patient/p1`, { status: 302, headers: { location: '/other' } })
  t.match(await withBff(`return (await bff.fhir('Patient/p1')).url`), { state: 'data_unavailable' })
  t.notOk(server.seen.some((request) => request.url === '/other'))
})

t.test('an OperationOutcome becomes a typed error', async (t) => {
  const body = {
    resourceType: 'OperationOutcome',
    issue: [{ severity: 'error', code: 'forbidden', details: { text: 'Not granted.' } }],
  }
  const headers = { 'SMART-BFF-State': 'scope_insufficient', 'SMART-BFF-Request': 'i-8' }
  server.answers.set(`/fhir/${launch}/Goal`, { status: 403, headers, body })
  t.strictSame(await withBff(`return await bff.fhir('Goal')`), {
    name: 'SmartBffError',
    state: 'scope_insufficient',
    status: 403,
    sentence: 'Not granted.',
    incident: 'i-8',
    support: null,
    over: false,
    outcome: body,
  })
})

t.test('an unknown state or a body that is no JSON still gives a state', async (t) => {
  server.answers.set(`/fhir/${launch}/Goal`, {
    status: 401,
    headers: { 'SMART-BFF-State': 'constructor' },
    body: 'x',
  })
  t.match(await withBff(`return await bff.fhir('Goal')`), { state: 'session_ended', status: 401 })
})

t.test('a lost answer is unavailable data, or an uncertain write', async (t) => {
  server.answers.set(`/fhir/${launch}/Goal`, { drop: true })
  t.match(await withBff(`return await bff.fhir('Goal')`), { state: 'data_unavailable', status: 0 })
  const write = `return await bff.fhir('Goal', { method: 'POST', body: '{}' })`
  t.match(await withBff(write), { state: 'write_uncertain', status: 0 })
  const sent = server.seen.find((request) => request.method === 'POST')
  t.equal(sent?.headers['content-type'], 'application/fhir+json')
})

t.test('an abort of the app is its own reason', async (t) => {
  const name = `return await bff.fhir('Goal', { signal: AbortSignal.abort() })`
  t.match(await withBff(name), { name: 'AbortError' })
})

t.test(
  'a document from the back-forward cache is covered until its launch is current',
  async (t) => {
    const tab = await browser.context.newPage()
    await tab.goto(`${server.origin}/app/${launch}/`)
    await tab.evaluate(`addEventListener('pageshow', (e) => { window.wasPersisted = e.persisted })`)
    const visible = () => tab.locator('#phi').isVisible()
    const back = async () => {
      await tab.goto(`${server.origin}/other`)
      await tab.goBack({ waitUntil: 'commit' })
      t.equal(await tab.evaluate('window.wasPersisted'), true, 'it came from the cache')
    }

    await back()
    await tab.locator('#phi').waitFor({ state: 'visible' })
    t.equal(await tab.title(), 'Ada Lovelace')

    server.answers.set(`/launches/${launch}`, { drop: true })
    await back()
    await tab.getByRole('button', { name: 'Try again' }).waitFor()
    t.equal(await visible(), false, 'unknown is covered')
    t.equal(await tab.title(), '')

    server.answers.set(`/launches/${launch}`, { body: info })
    await tab.getByRole('button', { name: 'Try again' }).click()
    await tab.locator('#phi').waitFor({ state: 'visible' })

    server.answers.set(`/launches/${launch}`, {
      status: 401,
      body: { state: 'session_ended', sentence: 'This session has ended.', incident: 'i-9' },
    })
    await back()
    await tab.getByText('This session has ended.').waitFor()
    t.match(await tab.locator('html').innerText(), /Incident number i-9/)
    t.notMatch(await tab.content(), /Ada/, 'nothing of the patient is left in the document')
    await tab.close()
  },
)
