import { readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { extname } from 'node:path'
import { fullChart, patient, practitioner, relatedPerson } from './chart-data.ts'
import { compileHelper } from '../support/browser-helper.ts'

const appDirectory = new URL('../../src/sandbox/app/', import.meta.url)
const types: Record<string, string> = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
}
const csp =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"

export const launch = 'L-0123456789abcdef'

export interface Fault {
  status: number
  state: string
  sentence: string
}

export interface AppServer {
  readonly origin: string
  readonly url: string
  /** What the EHR holds; by resource type, or by category for observations. */
  chart: ReturnType<typeof fullChart>
  patient: object
  info: object
  /** By the same keys, and `Patient`, `launch` and `_page`. */
  readonly faults: Map<string, Fault>
  readonly requests: string[]
  close(): void
}

/** Serves the demo app as the product does, over canned data: the same paths, headers and error bodies. */
export async function startAppServer(): Promise<AppServer> {
  const helper = compileHelper()
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', app.origin)
    app.requests.push(`${request.method} ${url.pathname}${url.search}`)
    const module = helper.get(url.pathname)
    if (module !== undefined) send(response, 200, module, 'text/javascript')
    // As to a frame beside the one that holds the stream.
    else if (url.pathname === '/session/events') response.writeHead(204).end()
    else if (url.pathname === `/launches/${launch}`) sendLaunch(app, response)
    else if (url.pathname.startsWith(`/fhir/${launch}/`)) sendFhir(app, url, response)
    else sendFile(url.pathname, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening')
  const origin = `http://localhost:${address.port}`
  const app: AppServer = {
    origin,
    url: `${origin}/app/${launch}/`,
    chart: fullChart(),
    patient,
    info: {
      launch,
      state: 'active',
      tenant: { id: 'north', name: 'North Hospital' },
      mode: 'chart',
      fhir: `/fhir/${launch}`,
      user: { fhirUser: 'Practitioner/7', kind: 'practitioner' },
      patient: 'p1',
      needPatientBanner: true,
      support: 'Service desk: 4400.',
    },
    faults: new Map(),
    requests: [],
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
  return app
}

function send(response: ServerResponse, status: number, body: string, type: string): void {
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'cache-control': 'no-store',
  })
  response.end(body)
}

function sendFile(path: string, response: ServerResponse): void {
  const name = path.startsWith('/assets/') ? path.slice(1) : 'index.html'
  const type = types[extname(name)] ?? 'text/plain'
  const text = readFileSync(new URL(name, appDirectory), 'utf8')
  const script = '<script type="module" src="/smart-bff.js"></script></head>'
  if (name === 'index.html') response.setHeader('content-security-policy', csp)
  send(response, 200, type === 'text/html' ? text.replace('</head>', script) : text, type)
}

function sendLaunch(app: AppServer, response: ServerResponse): void {
  const fault = app.faults.get('launch')
  const body = fault ? { ...fault, incident: 'i-4711', support: 'Service desk: 4400.' } : app.info
  if (fault) response.setHeader('SMART-BFF-State', fault.state)
  send(response, fault?.status ?? 200, JSON.stringify(body), 'application/json')
}

function sendFhir(app: AppServer, url: URL, response: ServerResponse): void {
  const path = url.pathname.slice(`/fhir/${launch}/`.length)
  const key = path.startsWith('_page')
    ? '_page'
    : (url.searchParams.get('category') ?? path.split('/')[0] ?? '')
  const fault = app.faults.get(key)
  const type = 'application/fhir+json'
  if (fault) {
    const issue = [{ severity: 'error', code: 'exception', details: { text: fault.sentence } }]
    response.setHeader('SMART-BFF-State', fault.state).setHeader('SMART-BFF-Request', 'i-4711')
    const outcome = { resourceType: 'OperationOutcome', issue }
    send(response, fault.status, JSON.stringify(outcome), type)
  } else if (path === 'Patient/p1') send(response, 200, JSON.stringify(app.patient), type)
  else if (path === 'Practitioner/7') send(response, 200, JSON.stringify(practitioner), type)
  else if (path === 'RelatedPerson/r1') send(response, 200, JSON.stringify(relatedPerson), type)
  else send(response, 200, JSON.stringify(bundle(app, key, url, path)), type)
}

/** A page link names its search, offset and size, as the product's sealed one does. */
function bundle(app: AppServer, key: string, url: URL, path: string): object {
  const [, name = key, from = '0', size] = /^_page\/([\w-]+)\.(\d+)\.(\d+)$/.exec(path) ?? []
  const all = app.chart[name] ?? []
  const count = Number(size ?? url.searchParams.get('_count') ?? 20)
  const end = Number(from) + count
  const next = {
    relation: 'next',
    url: `${app.origin}/fhir/${launch}/_page/${name}.${end}.${count}`,
  }
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    total: all.length,
    link: end < all.length ? [next] : [],
    entry: all
      .slice(Number(from), end)
      .map((resource) => ({ resource, search: { mode: 'match' } })),
  }
}
