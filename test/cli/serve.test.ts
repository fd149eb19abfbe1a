import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { X509Certificate } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { Agent, get } from 'node:http'
import { connect } from 'node:tls'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { newCertificate } from '../support/certificate.ts'
import { rawConfig, rawKeys, rawTenant, type Raw } from '../support/config.ts'
import { freePort, startServer } from '../support/http.ts'
import { newSecretKey } from '../support/keys.ts'
import { runMain } from '../support/process.ts'
import { startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'
import { withStaff } from '../staff/staff-rig.ts'

/** How the process starts, and refuses to, and stops: exit codes, one line, nothing half-started. */

const folder = mkdtempSync(join(tmpdir(), 'smart-bff-serve-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
function write(root: Raw): { path: string; audit: string } {
  count += 1
  const audit = join(folder, `audit-${count}`)
  const path = join(folder, `${count}.yaml`)
  writeFileSync(path, stringify(rawConfig({ root: { audit: { directory: audit }, ...root } })))
  return { path, audit }
}
const start = (path: string) => runMain(['serve'], { SMART_BFF_CONFIG: path })

/** The audit was closed in order: its last record says so, and no lock is left. */
function closedInOrder(directory: string): string[] {
  const [file = ''] = readdirSync(directory).filter((name) => name.endsWith('.jsonl'))
  return readFileSync(join(directory, file), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { event: string }).event)
}

// Each of them waits for a store as long as a start may: side by side.
t.jobs = 4
const beside = { buffered: true }

t.test(
  'an unreachable Redis: 69, where and why, and the audit is closed in order',
  beside,
  async (t) => {
    const port = await freePort()
    const { path, audit } = write({
      store: { redis: { url: `redis://:hunter2@127.0.0.1:${port}` } },
    })
    const said = await start(path).ended()
    t.equal(said.code, 69)
    t.equal(said.stderr, `smart-bff: STORE_UNAVAILABLE: 127.0.0.1:${port} (connection)\n`)
    t.same(closedInOrder(audit), ['audit.opened', 'audit.closed'])
  },
)

t.test('a Redis that refuses the password is named with its own word', beside, async (t) => {
  const redis = await startRedis({ password: 'right' })
  t.teardown(() => redis.stop())
  const { path } = write({ store: { redis: { url: `redis://:wrong@127.0.0.1:${redis.port}` } } })
  const said = await start(path).ended()
  t.equal(said.code, 69)
  t.match(said.stderr, /^smart-bff: STORE_UNAVAILABLE: 127\.0\.0\.1:\d+ \(WRONGPASS\)\n$/)
})

t.test(
  'secrets that every user of the machine can read, and an expired certificate',
  beside,
  async (t) => {
    const secret = join(folder, 'session')
    writeFileSync(secret, newSecretKey(), { mode: 0o644 })
    const ended = newCertificate({ notAfter: new Date('2020-02-03T04:05:06Z') })
    const certificate = join(folder, 'cert.pem')
    writeFileSync(certificate, ended.cert, { mode: 0o644 })
    const production = {
      publicUrl: 'https://app.hospital.example',
      development: false,
      store: { redis: { url: 'rediss://127.0.0.1:1' } },
      keys: { ...rawKeys(), session: [{ file: secret }] },
      listen: {
        host: '127.0.0.1',
        port: 0,
        tls: { cert: { file: certificate }, key: ended.key },
      },
      tenants: [
        rawTenant({ iss: 'https://ehr.example/fhir', frameAncestors: ['https://e.example'] }),
      ],
    }
    const { path, audit } = write(production)
    const said = await start(path).ended()
    t.equal(said.code, 78)
    t.match(said.stderr, `keys.session[0]: found the file ${secret} with mode 0644, which is open`)
    t.match(
      said.stderr,
      /listen\.tls\.cert: found a certificate that ended on 2020-02-03; expected/,
    )
    t.match(said.stderr, /The configuration has 2 faults\.\n$/)
    t.notOk(existsSync(audit))
    chmodSync(secret, 0o440)
    const fresh = newCertificate()
    writeFileSync(certificate, fresh.cert)
    const sound = write({
      ...production,
      listen: { ...production.listen, tls: { cert: { file: certificate }, key: fresh.key } },
    })
    t.equal((await start(sound.path).ended()).code, 69, 'only the Redis is missing now')
  },
)

t.test('SIGTERM while it still waits for the store: stops as well', beside, async (t) => {
  const { path, audit } = write({
    store: { redis: { url: `redis://127.0.0.1:${await freePort()}` } },
  })
  const running = start(path)
  await until(
    () => readdirSync(folder).includes(audit.split('/').at(-1) ?? ''),
    (made) => made,
  )
  running.child.kill('SIGTERM')
  const said = await running.ended()
  t.ok(said.code === 0 || said.code === 69, String(said.code))
  t.equal(closedInOrder(audit).at(-1), 'audit.closed')
})

t.test('a Redis that comes up a moment later is waited for; the probe says so', async (t) => {
  const port = await freePort()
  const operations = await freePort()
  const { path } = write({
    operations: { listen: { host: '127.0.0.1', port: operations } },
    store: { redis: { url: `redis://127.0.0.1:${port}` } },
  })
  const running = start(path)
  const ready = async (): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${operations}/readyz`).catch(() => undefined)
    return answer === undefined ? 'nothing' : `${answer.status} ${(await answer.text()).trim()}`
  }
  await until(ready, (said) => said === '503 starting')
  const redis = await startRedis({ port })
  t.teardown(() => redis.stop())
  await running.says(/smart-bff serves/)
  t.equal(await ready(), '200 ready')
  running.child.kill('SIGTERM')
  t.equal((await running.ended()).code, 0)
})

t.test('a port in use, of any listener: nothing stays open, and it never was ready', async (t) => {
  const other = await startServer((_request, response) => response.end())
  t.teardown(() => other.close())
  const taken = { host: '127.0.0.1', port: other.port }
  const staff = { ...withStaff, staff: { ...withStaff.staff, listen: taken } }
  for (const root of [
    { listen: taken },
    { operations: { listen: taken } },
    { operations: staff },
  ]) {
    const { path, audit } = write({ ...root, logging: { level: 'info' } })
    const said = await start(path).ended()
    t.equal(said.code, 69)
    t.equal(said.stderr, `smart-bff: the port is in use: 127.0.0.1:${other.port}\n`)
    t.equal(closedInOrder(audit).at(-1), 'audit.closed')
    t.notOk(closedInOrder(audit).includes('process.started'))
    t.match(said.stdout, '"event":"process.stopped"')
    t.notMatch(said.stdout, /"event":"readiness\.changed","ready":true/)
  }
})

t.test('an audit folder that cannot be used', async (t) => {
  const file = join(folder, 'a-file')
  writeFileSync(file, '')
  const { path } = write({ audit: { directory: join(file, 'audit') } })
  const said = await start(path).ended()
  t.equal(said.code, 69)
  t.equal(
    said.stderr,
    `smart-bff: AUDIT_UNAVAILABLE: the audit directory ${join(file, 'audit')} (ENOTDIR)\n`,
  )
})

t.test('an audit folder that no system can make', async (t) => {
  // The folder above is there, and the system still answers that it is not.
  const { path } = write({ audit: { directory: '/proc/audit/of-ours' } })
  const said = await start(path).ended()
  t.equal(said.code, 69)
  t.equal(
    said.stderr,
    'smart-bff: AUDIT_UNAVAILABLE: the audit directory /proc/audit/of-ours (ENOENT)\n',
  )
})

t.test('a secret, and a configuration, in a pipe that nobody writes into', async (t) => {
  const pipe = join(folder, 'pipe')
  t.equal(spawnSync('mkfifo', ['-m', '0600', pipe]).status, 0)
  const { path, audit } = write({ keys: { ...rawKeys(), signing: { file: pipe } } })
  for (const [configuration, expected] of [
    [path, /keys\.signing: found the file ".*pipe", which is no regular file/],
    [pipe, /found the file ".*pipe", which is no regular file/],
  ] as const) {
    const said = await start(configuration).ended()
    t.equal(said.code, 78)
    t.match(said.stderr, expected)
  }
  t.notOk(existsSync(audit), 'nothing was begun')
})

t.test('an audit folder of another user', async (t) => {
  const directory = join(folder, 'closed')
  mkdirSync(directory, { mode: 0o500 })
  const { path } = write({ audit: { directory } })
  // Root may write anywhere: as root the process runs as nobody.
  const other = process.getuid?.() === 0 ? { uid: 65_534 } : {}
  chmodSync(folder, 0o755)
  const said = await runMain(['serve'], { SMART_BFF_CONFIG: path }, other).ended()
  chmodSync(folder, 0o700)
  t.equal(said.code, 69)
  // tap's own hook cannot write its file as nobody, and says so behind our line.
  t.match(said.stderr, `smart-bff: AUDIT_UNAVAILABLE: the audit directory ${directory} (EACCES)\n`)
})

t.test('an app folder that does not exist, or has no page', async (t) => {
  const empty = join(folder, 'empty')
  mkdirSync(empty)
  for (const directory of [join(folder, 'no-app'), empty]) {
    const { path, audit } = write({ app: { directory } })
    const said = await start(path).ended()
    t.equal(said.code, 78)
    t.match(said.stderr, `app.directory: found ${JSON.stringify(directory)}, `)
    t.notOk(existsSync(audit), 'nothing was begun')
  }
})

t.test('keys of the wrong length', async (t) => {
  const { path } = write({ keys: { ...rawKeys(), session: ['too-short'] } })
  const said = await start(path).ended()
  t.equal(said.code, 78)
  t.match(said.stderr, /keys\.session\[0\]: found a text of 9 characters; expected 32 random bytes/)
  t.notMatch(said.stderr, /too-short/)
})

t.test('an unknown flag', async (t) => {
  const said = await runMain(['serve', '--colour']).ended()
  t.equal(said.code, 78)
  t.equal(said.stderr, 'smart-bff: unknown option --colour. See smart-bff serve --help.\n')
})

t.test(
  'SIGHUP: a new certificate and log level are taken, all else is refused by name',
  async (t) => {
    const [first, second] = [newCertificate(), newCertificate()]
    const [port, operations] = [await freePort(), await freePort()]
    const cert = join(folder, 'served.pem')
    const key = join(folder, 'served.key')
    writeFileSync(cert, first.cert)
    writeFileSync(key, first.key, { mode: 0o600 })
    const raw = rawConfig({
      root: {
        audit: { directory: join(folder, 'audit-reload') },
        logging: { level: 'info' },
        operations: { listen: { host: '127.0.0.1', port: operations } },
        listen: { host: '127.0.0.1', port, tls: { cert: { file: cert }, key: { file: key } } },
      },
    })
    const path = join(folder, 'reload.yaml')
    writeFileSync(path, stringify(raw))
    const running = start(path)
    await running.says(/smart-bff serves/)
    let said = ''
    running.child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const reload = async (expected: RegExp): Promise<void> => {
      said = ''
      running.child.kill('SIGHUP')
      await until(
        () => said,
        (text) => expected.test(text),
      )
    }
    const served = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
          resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? '')
          socket.destroy()
        })
        socket.once('error', reject)
      })
    const counted = async (): Promise<string[]> => {
      const answer = await fetch(`http://127.0.0.1:${String(operations)}/metrics`)
      return (await answer.text()).match(/reloads_total\{.*/g)?.toSorted() ?? []
    }
    const ofEach = (applied: number, refused: number) =>
      [`applied"} ${String(applied)}`, `refused"} ${String(refused)}`].map(
        (end) => `reloads_total{result="${end}`,
      )
    const fingerprint = (pem: string): string => new X509Certificate(pem).fingerprint256

    t.same(await counted(), ofEach(0, 0), 'an alert sees an increase from the first')
    await reload(/^smart-bff: nothing has changed\n$/)
    t.equal(await served(), fingerprint(first.cert))
    writeFileSync(cert, second.cert)
    await reload(/listen\.tls\.key: found the key of another certificate/)
    t.equal(await served(), fingerprint(first.cert), 'half of a change is none')
    writeFileSync(key, second.key)
    writeFileSync(path, stringify({ ...raw, logging: { level: 'error' } }))
    await reload(/logging\.level reloaded\n/)
    t.equal(await served(), fingerprint(second.cert))

    const renamed = rawTenant({ name: 'West', client: Object(raw['tenants'])[0].client })
    const changed = { ...raw, session: { idleMinutes: 5 }, tenants: [renamed] }
    writeFileSync(path, stringify(changed))
    await reload(/session\.idleMinutes needs a restart\n/)
    t.match(said, /tenants\[0\]\.name needs a restart\n/)
    writeFileSync(path, 'publicUrl: [')
    await reload(/goes on with the configuration that it has/)
    t.match(said, /reload\.yaml:1: found /)
    t.same(await counted(), ofEach(2, 3), 'a key that does not fit, a restart, no YAML')
    running.child.kill('SIGTERM')
    t.equal((await running.ended()).code, 0)
    const events = closedInOrder(join(folder, 'audit-reload'))
    t.equal(events.filter((event) => event === 'config.changed').length, 1)
  },
)

t.test('SIGHUP when nobody reads standard error any more: it goes on serving', async (t) => {
  const operations = await freePort()
  const { path } = write({ operations: { listen: { host: '127.0.0.1', port: operations } } })
  const running = start(path)
  await running.says(/smart-bff serves/)
  running.child.stderr?.destroy()
  writeFileSync(path, 'publicUrl: [')
  for (let signals = 0; signals < 3; signals += 1) {
    running.child.kill('SIGHUP')
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  t.equal(running.child.exitCode, null)
  t.equal((await fetch(`http://127.0.0.1:${operations}/healthz`)).status, 200)
  running.child.kill('SIGTERM')
  t.equal((await running.ended()).code, 0)
})

t.test('SIGTERM: not ready while draining, still answering, then gone', async (t) => {
  const operations = await freePort()
  const port = await freePort()
  const { path, audit } = write({
    listen: { host: '127.0.0.1', port },
    operations: { listen: { host: '127.0.0.1', port: operations } },
    drainSeconds: 2,
    shutdownSeconds: 8,
  })
  const running = start(path)
  await running.says(/smart-bff serves/)
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const ask = (url: string) =>
    new Promise<{ status: number | undefined; connection: string | undefined }>(
      (resolve, reject) => {
        get(url, { agent }, (answer) => {
          const { connection } = answer.headers
          answer.resume().once('end', () => resolve({ status: answer.statusCode, connection }))
        }).once('error', reject)
      },
    )
  t.match(await ask(`http://127.0.0.1:${port}/healthz`), { status: 200, connection: 'keep-alive' })
  running.child.kill('SIGTERM')
  await until(
    async () => (await fetch(`http://127.0.0.1:${operations}/readyz`)).text(),
    (said) => said === 'draining\n',
  )
  t.match(await ask(`http://127.0.0.1:${port}/healthz`), { status: 200, connection: 'close' })
  t.match(await ask(`http://127.0.0.1:${port}/fhir/x/Patient/1`), { connection: 'close' })
  t.equal((await running.ended()).code, 0)
  t.same(closedInOrder(audit).slice(-2), ['process.stopped', 'audit.closed'])
})

t.test('an error that nobody caught ends the process, told without its words', async (t) => {
  const preload = join(folder, 'crash.mjs')
  writeFileSync(
    preload,
    `process.on('SIGUSR2', () => {
      setImmediate(() => { throw new TypeError('John Smith is not iterable') })
    })`,
  )
  const { path } = write({ logging: { level: 'info' } })
  const running = runMain(
    ['serve'],
    { SMART_BFF_CONFIG: path },
    { nodeArgs: ['--import', preload] },
  )
  await running.says(/smart-bff serves/)
  running.child.kill('SIGUSR2')
  const { code, stdout, stderr } = await running.ended()
  t.equal(code, 70)
  t.match(stdout, /"event":"process.started","version":"/)
  t.match(stdout, /"event":"process.crashed","error":\{"class":"TypeError"/)
  t.match(stderr, /ended by an error that nobody caught/)
  t.notMatch(stdout + stderr, /Smith/)
})

t.test('a stop ends though nobody reads the log any more', async (t) => {
  const preload = join(folder, 'unread.mjs')
  writeFileSync(
    preload,
    `import { spawnSync } from 'node:child_process'
    spawnSync('cat', ['/dev/zero'], { stdio: ['ignore', 'inherit', 'inherit'], timeout: 500 })`,
  )
  const { path } = write({ logging: { level: 'info' }, shutdownSeconds: 8 })
  const running = runMain(
    ['serve'],
    { SMART_BFF_CONFIG: path },
    { nodeArgs: ['--import', preload] },
  )
  t.teardown(() => running.child.kill('SIGKILL'))
  running.child.stdout?.pause()
  await running.says(/smart-bff serves/)
  running.child.kill('SIGTERM')
  t.same(await once(running.child, 'exit'), [0, null])
})

t.test('a stop whose audit folder is gone: one line, and no stack trace', async (t) => {
  const { path, audit } = write({})
  const running = start(path)
  await running.says(/smart-bff serves/)
  renameSync(audit, `${audit}-gone`)
  running.child.kill('SIGTERM')
  const said = await running.ended()
  t.equal(said.code, 69)
  t.match(said.stderr, /smart-bff: not stopped in order: does not exist: \S+\n$/)
  t.notMatch(said.stderr, / at /)
})

t.test('a stop that takes too long ends at the limit', async (t) => {
  const port = await freePort()
  const { path } = write({
    listen: { host: '127.0.0.1', port },
    drainSeconds: 1,
    shutdownSeconds: 2,
  })
  const running = start(path)
  await running.says(/smart-bff serves/)
  // A request that never ends keeps the listener open.
  const slow = connectPlain({ host: '127.0.0.1', port })
  t.teardown(() => slow.destroy())
  slow.on('error', () => undefined)
  await once(slow, 'connect')
  slow.write('GET /healthz HTTP/1.1\r\nHost:')
  await new Promise((resolve) => setTimeout(resolve, 200))
  running.child.kill('SIGTERM')
  const said = await running.ended()
  t.equal(said.code, 70)
  t.match(said.stderr, /smart-bff: not stopped 2 s after SIGTERM\n$/)
})
