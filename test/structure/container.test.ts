import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Server as TlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parse } from 'yaml'
import { newCertificate } from '../support/certificate.ts'
import { freePort } from '../support/http.ts'

/** What can be known of the images without building them. */

const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (name: string): string => readFileSync(join(root, name), 'utf8')

const instructions = read('Dockerfile')
  .replaceAll('\\\n', ' ')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))

/** The lines of one stage. */
function stage(name: string): string[] {
  const start = instructions.findIndex((line) => line.endsWith(` AS ${name}`))
  const next = instructions.findIndex((line, index) => index > start && line.startsWith('FROM '))
  return instructions.slice(start, next === -1 ? undefined : next)
}

t.test('everything copied exists and is not kept out', (t) => {
  const ignored = read('.dockerignore').split('\n').filter(Boolean)
  const copies = instructions.filter((line) => /^COPY (?!--from)/.test(line))
  t.ok(copies.length > 4)
  for (const kept of ['.git', '.env', 'secrets', 'app']) t.ok(ignored.includes(kept), kept)
  for (const copy of copies) {
    for (const source of copy.split(/\s+/).slice(1, -1)) {
      t.ok(existsSync(join(root, source)), source)
      t.notOk(ignored.includes(source), `${source} is not ignored`)
    }
  }
  t.end()
})

t.test(
  'the product image is the last stage, without root, sandbox and development packages',
  (t) => {
    const runtime = stage('runtime')
    t.equal(runtime.at(-1), instructions.at(-1))
    t.ok(runtime.includes('USER 1000:1000'))
    t.ok(runtime.indexOf('USER 1000:1000') < runtime.findIndex((line) => line.startsWith('CMD')))
    t.notMatch(runtime.join('\n'), /sandbox|COPY src|COPY config|curl|wget/)
    t.match(stage('packages').join('\n'), /npm ci --omit=dev --ignore-scripts/)
    t.notMatch(instructions.join('\n'), /^ADD /m)
    const { version, devDependencies } = JSON.parse(read('package.json'))
    t.match(runtime.join('\n'), `image.version="${version}"`)
    // The Node that the tests run on.
    t.ok(instructions.includes(`ARG NODE_IMAGE=node:${devDependencies.node}-slim`))
    t.end()
  },
)

/** `["node", "-e", …]`, run as the engine would; the exit code. */
async function askHealth(environment: Record<string, string>): Promise<number | null> {
  const line = stage('runtime').find((one) => one.startsWith('HEALTHCHECK')) ?? ''
  const [program, ...args] = JSON.parse(line.slice(line.indexOf('['))) as string[]
  if (program !== 'node') throw new Error(line)
  const run = spawn(process.execPath, args, { env: environment, stdio: 'ignore' })
  const [code] = (await once(run, 'exit')) as [number | null]
  return code
}

t.test('HEALTHCHECK: well only where the listener answers 200, with TLS too', async (t) => {
  const answers: RequestListener = ({ url }, response) => {
    response.writeHead(url === '/healthz' ? 200 : 503).end()
  }
  const listening = async (server: Server | TlsServer): Promise<number> => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    return (server.address() as AddressInfo).port
  }
  const plain = await listening(createServer(answers))
  const { cert, key } = newCertificate({ host: 'somebody-else.example' })
  const tls = await listening(createTlsServer({ cert, key }, answers))
  for (const [url, code] of [
    [`http://127.0.0.1:${plain}/healthz`, 0],
    [`http://127.0.0.1:${plain}/readyz`, 1],
    [`https://127.0.0.1:${tls}/healthz`, 0],
    [`https://127.0.0.1:${tls}/readyz`, 1],
    [`https://127.0.0.1:${plain}/healthz`, 1],
    [`http://127.0.0.1:${tls}/healthz`, 1],
    [`http://127.0.0.1:${await freePort()}/healthz`, 1],
    ['nonsense', 1],
  ] as const) {
    // oxlint-disable-next-line no-await-in-loop -- one process at a time
    t.equal(await askHealth({ SMART_BFF_HEALTH_URL: url }), code, url)
  }
})

interface Service {
  readonly read_only?: boolean
  readonly cap_drop?: string[]
  readonly profiles?: string[]
  readonly network_mode?: string
  readonly build?: { target: string }
  readonly volumes?: string[]
  readonly command?: string[]
}

t.test('the services are hardened, and the demo lives in the network of the sandbox', (t) => {
  const composed: unknown = parse(read('docker-compose.yml'), { merge: true })
  const services: Record<string, Service> = Object(composed).services
  const replicas = ['smart-bff-0', 'smart-bff-1']
  const names = ['redis', ...replicas, 'proxy', 'smart-bff', 'sandbox', 'demo']
  t.same(Object.keys(services), names)
  for (const [name, service] of Object.entries(services)) {
    t.match(service, { read_only: true, cap_drop: ['ALL'] }, name)
    const target = service.build?.target
    if (target !== undefined) t.ok(stage(target).length > 0, `stage ${target}`)
    for (const volume of service.volumes ?? []) {
      const source = volume.split(':')[0] ?? ''
      // These are the user's own.
      if (source.startsWith('./') && !/^\.\/(app$|secrets\/)/.test(source))
        t.ok(existsSync(join(root, source)), source)
    }
  }
  t.match(services['smart-bff'], {
    profiles: ['commands'],
    entrypoint: ['node', 'dist/main.js'],
  })
  t.match(services['demo'], { profiles: ['demo'], network_mode: 'service:sandbox' })
  t.match(services['sandbox'], { profiles: ['demo'], build: { target: 'sandbox' } })
  const client: unknown = JSON.parse(
    services['sandbox']?.command?.at(-1)?.replace('--client-config=', '') ?? '',
  )
  t.match(client, { clientId: 'smart-bff-demo', auth: 'private_key_jwt' })
  t.end()
})
