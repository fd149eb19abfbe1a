import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import t from 'tap'
import { parse } from 'yaml'
import { createRedisStore } from '../../src/store/redis.ts'
import { storeContract } from '../contracts/store.ts'
import { newCertificate } from '../support/certificate.ts'
import { freePort } from '../support/http.ts'
import { findNginx, required } from '../support/programs.ts'

/** What docker-compose.yml starts beside smart-bff, started as it says, without an engine. */

const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (name: string): string => readFileSync(join(root, name), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'smart-bff-compose-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const { services } = Object(parse(read('docker-compose.yml'), { merge: true }))

/** The container's command, with its paths and its port moved into this machine's. */
function redisScript(port: number): string {
  const script: string = services.redis.command[2]
  return script
    .replaceAll('$$', '$')
    .replaceAll('/run/redis', join(folder, 'redis-secrets'))
    .replaceAll('/etc/redis-users.acl', join(root, 'config/redis-users.acl'))
    .replace("'dir /data'", `'dir ${folder}'; echo 'bind 127.0.0.1'; echo 'port ${port}'`)
    .replace("'tls-port 6379'", `'tls-port ${port}'`)
}

function startComposed(port: number, password: string): ChildProcess {
  return spawn('sh', ['-c', redisScript(port)], {
    env: { PATH: `${process.env['PATH'] ?? ''}:/usr/bin`, REDIS_PASSWORD: password },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

async function ready(child: ChildProcess): Promise<void> {
  let said = ''
  for await (const chunk of child.stdout ?? []) {
    said += String(chunk)
    if (said.includes('Ready to accept connections')) return
  }
  throw new Error(`Redis did not start: ${said}`)
}

t.test('Redis: the ACL user can do all that the store needs, and nothing dangerous', async (t) => {
  const port = await freePort()
  const child = startComposed(port, 'pass-word')
  t.teardown(async () => {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  })
  await ready(child)
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
  const nothing = new Redis(`redis://smart-bff:pass-word@127.0.0.1:${port}`)
  t.match(await nothing.info('memory'), /maxmemory_policy:noeviction/)
  nothing.disconnect()
})

t.test('Redis without a password does not start', async (t) => {
  const child = startComposed(await freePort(), '')
  child.stdout?.resume()
  const [code] = await once(child, 'exit')
  t.equal(code, 78)
})

t.test('the proxy: its configuration is what nginx takes', (t) => {
  const { cert, key } = newCertificate()
  writeFileSync(join(folder, 'proxy-cert'), cert)
  writeFileSync(join(folder, 'proxy-key'), key)
  const moved = read('config/nginx.conf')
    .replaceAll('/tmp/', `${folder}/`)
    .replaceAll('/run/secrets/', `${folder}/`)
    .replaceAll(/smart-bff-\d:/g, '127.0.0.1:')
  writeFileSync(join(folder, 'nginx.conf'), moved)
  const nginx = required(findNginx(), 'nginx')
  const said = spawnSync(nginx, ['-t', '-c', join(folder, 'nginx.conf')], { encoding: 'utf8' })
  t.equal(said.status, 0, said.stderr)
  t.end()
})
