import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { Agent } from 'undici'
import { parse, stringify } from 'yaml'
import { publicKeySet } from '../../src/ehr/client-keys.ts'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import { storeContract } from '../contracts/store.ts'
import { newCertificate } from '../support/certificate.ts'
import { compose, type Composed, type ReplicaName } from '../support/composed.ts'
import { configOf, rawConfig, rawTenant } from '../support/config.ts'
import { createBrowser } from '../support/hospital.ts'
import { freePort, plainFetch, toThisMachine } from '../support/http.ts'
import { newClientKey, newSecretKey, newSigningKey } from '../support/keys.ts'
import type { Running } from '../support/process.ts'
import { until } from '../support/until.ts'

/** What docker-compose.yml starts, started as it says, without an engine. */

const root = fileURLToPath(new URL('../../', import.meta.url))

/** A user's folder beside docker-compose.yml, with what its first lines ask for. */
function userFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'smart-bff-compose-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(join(root, 'config'), join(folder, 'config'), { recursive: true })
  cpSync(join(root, 'src/sandbox/app'), join(folder, 'app'), { recursive: true })
  mkdirSync(join(folder, 'secrets/redis'), { recursive: true })
  return folder
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

async function startRedis(t: Test, composed: Composed): Promise<number> {
  const child = await composed.startRedis()
  t.teardown(() => stop(child))
  return composed.port('redis:6379')
}

t.test('Redis: the ACL user can do all that the store needs, and nothing dangerous', async (t) => {
  const composed = await compose(userFolder(t), { REDIS_PASSWORD: 'pass-word' })
  const port = await startRedis(t, composed)
  t.ok(composed.redisIsHealthy())
  const url = `redis://smart-bff:pass-word@127.0.0.1:${port}`
  const config = { url: { reveal: () => url } } as never
  const [store, other] = [0, 1].map(() => createRedisStore({ config, now: Date.now }))
  if (store === undefined || other === undefined) throw new Error('no store')
  t.teardown(async () => Promise.all([store.close(), other.close()]))
  await t.test('the store keeps its contract under the ACL', async (t) =>
    storeContract(t, async () => ({
      store,
      other,
      now: Date.now,
      pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    })),
  )
  const raw = new Redis(url)
  t.teardown(() => raw.disconnect())
  for (const forbidden of [
    ['flushall'],
    ['config', 'get', '*'],
    ['keys', '*'],
    ['acl', 'list'],
    ['shutdown'],
    ['script', 'flush'],
    ['replicaof', 'no', 'one'],
    ['publish', 'another', 'x'],
  ] as const) {
    const [command, ...args] = forbidden
    await t.rejects(raw.call(command, ...args), /NOPERM/, command)
  }
  const anonymous = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: null })
  anonymous.on('error', () => undefined)
  await t.rejects(
    anonymous.connect().then(() => anonymous.get('x')),
    /NOAUTH|closed/,
  )
  anonymous.disconnect()
  const nothing = new Redis(url)
  t.match(await nothing.info('memory'), /maxmemory_policy:noeviction/)
  nothing.disconnect()
})

t.test('Redis without a password does not start', async (t) => {
  const composed = await compose(userFolder(t), {})
  await t.rejects(composed.startRedis(), /ended with 78/)
})

t.test('the whole, with TLS everywhere: a launch behind the proxy on two replicas', async (t) => {
  const folder = userFolder(t)
  const secret = (name: string, text: string): void =>
    writeFileSync(join(folder, 'secrets', name), text, { mode: 0o400 })
  const [proxy, redis, ehr] = [
    newCertificate({ host: '*.hospital.example' }),
    newCertificate(),
    newCertificate({ host: 'ehr.north.example' }),
  ]
  const clientKey = newClientKey('ES384')
  for (const name of ['encryption', 'session', 'pseudonym']) secret(name, newSecretKey())
  secret('signing', newSigningKey())
  secret('north-client-key', clientKey)
  secret('proxy-cert', proxy.cert)
  secret('proxy-key', proxy.key)
  secret('redis/tls.crt', redis.cert)
  secret('redis/tls.key', redis.key)
  secret('redis/ca.crt', redis.cert)

  const publicUrl = 'https://app.hospital.example'
  const keys = [{ kid: 'north-1', alg: 'ES384', key: clientKey }]
  const { tenants } = configOf(
    rawConfig({ tenant: rawTenant({ client: { id: 'x', auth: 'private_key_jwt', keys } }) }),
  )
  const sandbox = await startSandbox({
    tls: { ...ehr, name: 'ehr.north.example' },
    vendor: 'epic',
    launchUrl: `${publicUrl}/launch`,
    clients: [
      {
        clientId: 'registered-id',
        auth: 'private_key_jwt',
        jwks: { keys: [...publicKeySet(tenants).keys] },
        redirectUris: [`${publicUrl}/callback/north`],
      },
    ],
  })
  t.teardown(() => sandbox.close())

  // What the user edits: his EHR, and what docker-compose.yml says of TLS to Redis.
  const file = join(folder, 'config/smart-bff.yaml')
  const edited = Object(parse(readFileSync(file, 'utf8')))
  edited.store.redis.tls = { ca: { file: '/run/redis/ca.crt' } }
  Object.assign(edited.tenants[0], { iss: sandbox.iss, frameAncestors: [sandbox.origin] })
  edited.tenants[0].upstream.ca = ehr.cert
  writeFileSync(file, stringify(edited))

  const composed = await compose(
    folder,
    // A password may hold what has a meaning in an address.
    { REDIS_PASSWORD: 'p@ss:w/rd+%1', REDIS_SCHEME: 'rediss', NORTH_CLIENT_ID: 'registered-id' },
    ['ehr.north.example'],
  )
  await startRedis(t, composed)
  t.ok(composed.redisIsHealthy(), 'its health check speaks TLS too')
  const replicas: Running[] = []
  t.teardown(async () => {
    for (const { child } of replicas) child.kill('SIGTERM')
    await Promise.all(replicas.map((running) => running.ended()))
  })
  const start = async (name: ReplicaName) => {
    const running = await composed.startReplica(name)
    replicas.push(running)
    return running
  }
  const [first] = await Promise.all([start('smart-bff-0'), start('smart-bff-1')])
  const nginx = await composed.startProxy()
  t.teardown(() => stop(nginx))

  const port = composed.port('proxy:8443')
  const through = (host: string) => {
    const agent = new Agent({ connect: { ca: proxy.cert, servername: host } })
    t.teardown(() => agent.destroy())
    const send = async (url: string | URL, init: RequestInit = {}): Promise<Response> => {
      const headers = new Headers(init.headers)
      headers.set('host', host)
      return plainFetch(url, { ...init, headers }, agent)
    }
    return send
  }
  const ehrAgent = new Agent({ connect: { ca: ehr.cert, lookup: toThisMachine } })
  t.teardown(() => ehrAgent.destroy())
  const browser = createBrowser(
    `https://127.0.0.1:${port}`,
    publicUrl,
    sandbox,
    through('app.hospital.example'),
    async (url, init) => plainFetch(url, init, ehrAgent),
  )
  const { id: patient } = sandbox.patient('amara')
  const { launch, response } = await browser.launch({ patient })
  t.equal(response.status, 200)
  const read = async (): Promise<number> => {
    const answer = await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
    t.equal((JSON.parse(await answer.text()) as { id?: string }).id, patient)
    return answer.status
  }
  for (let count = 0; count < 6; count += 1) t.equal(await read(), 200)
  first.child.kill('SIGKILL')
  await first.ended()
  for (let count = 0; count < 6; count += 1) t.equal(await read(), 200, 'one replica is enough')
  const again = await start('smart-bff-0')
  t.ok(again.child.pid, 'and the other comes back to its audit files')

  const audit = through('audit.hospital.example')
  for (const path of ['healthz', 'readyz', 'metrics']) {
    t.equal((await audit(`https://127.0.0.1:${port}/${path}`)).status, 404, `no ${path} outside`)
  }
  const ready = await fetch(`http://127.0.0.1:${composed.port('smart-bff-1:3001')}/readyz`)
  t.equal(await ready.text(), 'ready\n')

  const stranger = connect({ port, host: '127.0.0.1', servername: 'other.example', ca: proxy.cert })
  const [fault] = (await once(stranger, 'error')) as [Error]
  t.match(fault.message, /alert|handshake|unrecognized/i, 'no certificate for another name')
  const plain = new Redis({
    port: composed.port('redis:6379'),
    lazyConnect: true,
    retryStrategy: null,
  })
  plain.on('error', () => undefined)
  await t.rejects(
    plain.connect().then(() => plain.ping()),
    'Redis has no plain port',
  )
  plain.disconnect()
})

t.test('the configuration of the proxy is what nginx takes, without a word', async (t) => {
  const folder = userFolder(t)
  const { cert, key } = newCertificate()
  writeFileSync(join(folder, 'secrets/proxy-cert'), cert)
  writeFileSync(join(folder, 'secrets/proxy-key'), key)
  const composed = await compose(folder, {})
  const nginx = await composed.startProxy()
  const file = join(folder, 'nginx.conf')
  const said = spawnSync(nginx.spawnfile, ['-t', '-q', '-c', file], { encoding: 'utf8' })
  await stop(nginx)
  t.equal(said.stderr, '')
  t.equal(said.status, 0)
  await until(
    () => nginx.exitCode,
    (code) => code === 0,
  )
})

t.test('the demo: both services as their commands say, and a launch', async (t) => {
  const folder = userFolder(t)
  const { services } = Object(parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8')))
  const ports = new Map<string, number>()
  for (const port of ['3000', '3001', '9000']) ports.set(port, await freePort())
  /** Other ports, because a developer's demo may have these; paths of the image on this machine. */
  const here = (text: string): string =>
    text
      .replaceAll('$$', '$')
      .replaceAll(/\b(3000|3001|9000)\b/g, (port) => String(ports.get(port)))
      .replaceAll('/smart-bff/dist', join(root, 'dist'))
  const file = join(folder, 'config/demo.yaml')
  writeFileSync(file, here(readFileSync(file, 'utf8')).replace('../src/sandbox/app', '../app'))
  let said = ''
  for (const name of ['sandbox', 'demo']) {
    const own = name === 'sandbox' ? [`--port=${String(ports.get('9000'))}`] : []
    const [, ...args] = [...services[name].command.map(here), ...own]
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...services[name].environment, PATH: process.env['PATH'], SMART_BFF_CONFIG: file },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    t.teardown(() => stop(child))
  }
  const [app, probes, ehr] = ['3000', '3001', '9000'].map((port) => ports.get(port))
  await until(
    async () =>
      (await fetch(`http://127.0.0.1:${String(probes)}/readyz`).catch(() => undefined))?.status,
    (status) => status === 200,
    60_000,
  )
  const origin = `http://127.0.0.1:${String(ehr)}`
  const patients = await until(
    async () =>
      fetch(`${origin}/_control/patients`).then(
        async (answer) => (await answer.json()) as { id: string }[],
        () => [],
      ),
    (list) => list.length > 0,
    60_000,
  )
  const patient = patients[0]?.id ?? ''
  const made = await fetch(`${origin}/_control/launches`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ patient }),
  })
  const { url } = (await made.json()) as { url: string }
  const publicUrl = `http://localhost:${String(app)}`
  const browser = createBrowser(publicUrl, publicUrl, { origin } as Sandbox)
  const { url: opened } = await browser.navigate(url)
  const launch = /\/app\/([\w-]+)\/$/.exec(opened)?.[1]
  t.ok(launch, opened)
  const chart = await browser.fetch(`/fhir/${String(launch)}/Patient/${patient}`)
  t.match(await chart.json(), { resourceType: 'Patient', id: patient })

  const password = /sign in as auditor or operator, password (\S+)/.exec(said)?.[1] ?? ''
  const welcomed = await fetch(`http://localhost:${String(probes)}/sign-in`, {
    method: 'POST',
    body: new URLSearchParams({ name: 'auditor', password }),
    redirect: 'manual',
  })
  t.match(welcomed.headers.getSetCookie()[0], '__Host-smart-bff-staff=', said)
})
