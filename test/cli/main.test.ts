import { createPublicKey } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { createAudit } from '../../src/audit/audit.ts'
import { genesis, link } from '../../src/audit/chain.ts'
import { loadConfig } from '../../src/config/load.ts'
import { readArguments } from '../../src/cli/arguments.ts'
import { commandNames, helpOf } from '../../src/cli/help.ts'
import { keyKinds, newKey } from '../../src/cli/keys.ts'
import { loadRaw, type Raw, rawConfig, rawKeys } from '../support/config.ts'
import { startServer } from '../support/http.ts'
import { runMain } from '../support/process.ts'

const folder = mkdtempSync(join(tmpdir(), 'smart-bff-cli-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
function write(raw: Raw): string {
  files += 1
  const path = join(folder, `${files}.yaml`)
  writeFileSync(path, stringify(raw))
  return path
}

const mainPath = new URL('../../src/main.ts', import.meta.url).pathname
const run = (args: string[], env: Record<string, string> = {}) => runMain(args, env).ended()

t.test('check: a valid configuration', async (t) => {
  const path = write(rawConfig())
  const said = await run(['check'], { SMART_BFF_CONFIG: path })
  t.equal(said.code, 0)
  t.match(said.stdout, /^The configuration is valid: .*\n(.*\n)*.*north: .*chart \(ehr\)\n$/)
  t.equal(said.stderr, '')
})

t.test('check --print: the effective configuration without secrets', async (t) => {
  const raw = rawConfig()
  const said = await run(['check', '--print'], { SMART_BFF_CONFIG: write(raw) })
  t.match(parse(said.stdout), { session: { idleMinutes: 15 }, keys: { signing: '[secret]' } })
  t.notMatch(said.stdout, /PRIVATE KEY/)
})

t.test('every fault is one line, and no stack trace', async (t) => {
  const path = write(rawConfig({ root: { publicUrl: 'x', colour: 1, store: { disk: {} } } }))
  for (const args of [['check'], []]) {
    const said = await run(args, { SMART_BFF_CONFIG: path })
    t.equal(said.code, 78)
    t.match(said.stderr, /publicUrl: found "x"; expected .*\n/)
    t.match(said.stderr, /colour: found an unknown key; expected one of /)
    t.match(said.stderr, /The configuration has 3 faults\.\n$/)
    t.notMatch(said.stderr, / at .*\.[jt]s/)
  }
})

t.test('no configuration file', async (t) => {
  const said = await run([], { SMART_BFF_CONFIG: join(folder, 'none.yaml') })
  t.equal(said.code, 78)
  t.match(said.stderr, /none\.yaml", which does not exist/)
})

t.test('wrong usage is one line', async (t) => {
  const said = await run(['--colour'])
  t.equal(said.code, 78)
  t.equal(said.stderr, 'smart-bff: unknown option --colour. See smart-bff --help.\n')
})

t.test('help of all commands and of each, in lines that fit a terminal', async (t) => {
  const overview = await run(['--help'])
  t.match(overview, { code: 0, stdout: /^Usage: smart-bff/, stderr: '' })
  for (const name of commandNames) {
    t.match(overview.stdout, new RegExp(`^  ${name} +[a-z]`, 'm'))
    const command = readArguments([...name.split(' '), '--help'])
    if (command.kind !== 'help' || command.about === undefined) throw new Error(name)
    const said = helpOf(command.about)
    t.match(said, new RegExp(`^Usage: smart-bff ${name}`))
    for (const [, option = ''] of said.matchAll(/^ {2}--([a-z]+)/gm)) {
      const read = readArguments([...name.split(' '), `--${option}=x`])
      if (read.kind === 'misused') t.notMatch(read.sentence, /option/, `${name} --${option}`)
    }
    for (const line of `${overview.stdout}${said}`.split('\n')) t.ok(line.length <= 80, line)
  }
  t.match((await run(['help', 'revoke'])).stdout, /^Usage: smart-bff revoke/)
  t.match((await run(['revoke'])).stderr, /\. See smart-bff revoke --help\.\n$/)
})

t.test('--version', async (t) => {
  t.match((await run(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/)
})

t.test('keys new prints what the configuration takes', async (t) => {
  const now = new Date('2026-03-04T05:06:07Z')
  const keys: Raw = { ...rawKeys() }
  for (const kind of keyKinds.filter((one) => one !== 'client')) {
    Object.assign(keys, parse(newKey(kind, { raw: false, now })))
  }
  t.match(keys, { encryption: [{ id: /^e20260304-[0-9a-f]{4}$/ }], session: [/^[\w-]{43}$/] })
  const client = {
    id: 'x',
    auth: 'private_key_jwt',
    ...parse(newKey('client', { raw: false, now })),
  }
  t.match(client.keys, [{ kid: /^c20260304-[0-9a-f]{4}$/, alg: 'ES384' }])
  t.equal(loadRaw(rawConfig({ root: { keys }, tenant: { client } })).ok, true)
  const said = await run(['keys', 'new', '--kind', 'session', '--raw'])
  t.match(said.stdout, /^[\w-]{43}\n$/)
})

t.test('serve answers the probe and stops on a signal', async (t) => {
  const running = runMain(['serve'], { SMART_BFF_CONFIG: write(rawConfig()) })
  const [, address] = await running.says(/operations (http:\/\/127\.0\.0\.1:\d+)/)
  t.equal((await fetch(`${address}/healthz`)).status, 200)
  running.child.kill('SIGTERM')
  t.equal((await running.ended()).code, 0)
})

t.test('a port in use is one line', async (t) => {
  const other = await startServer((_request, response) => response.end())
  t.teardown(() => other.close())
  const path = write(rawConfig({ root: { listen: { host: '127.0.0.1', port: other.port } } }))
  const said = await run([], { SMART_BFF_CONFIG: path })
  t.equal(said.code, 69)
  t.equal(said.stderr, `smart-bff: the port is in use: 127.0.0.1:${other.port}\n`)
})

t.test(
  'audit verify: with the configuration, or for an auditor who has only files and key',
  async (t) => {
    const directory = join(folder, 'audit')
    const path = write(rawConfig({ root: { audit: { directory } } }))
    const loaded = loadConfig({ path, env: {}, readFile: (file) => readFileSync(file, 'utf8') })
    if (!loaded.ok) throw new Error('the configuration is not valid')
    const { config } = loaded
    await (await createAudit({ config })).close()
    const said = await run(['audit', 'verify'], { SMART_BFF_CONFIG: path })
    t.equal(said.code, 0, said.stderr)
    t.match(said.stdout, /: whole, records 1 to 2, all under a checkpoint/)

    const key = join(folder, 'public.pem')
    const publicKey = createPublicKey(config.keys.signing.reveal())
    writeFileSync(key, publicKey.export({ type: 'spki', format: 'pem' }))
    const file = readdirSync(directory).find((name) => name.endsWith('.jsonl')) ?? ''
    const text = readFileSync(join(directory, file), 'utf8')
    writeFileSync(join(directory, file), text.replace('first_start', 'later_start'))
    const none = { SMART_BFF_CONFIG: join(folder, 'none.yaml') }
    const auditor = await run(['audit', 'verify', '--directory', directory, '--key', key], none)
    t.equal(auditor.code, 1)
    t.match(auditor.stdout, /: BROKEN at record 1 \(.*\.jsonl line 1\): the record was changed/)

    const missing = ['audit', 'verify', '--directory', directory, '--key', join(folder, 'none.pem')]
    const without = await run(missing, none)
    t.equal(without.code, 69)
    t.match(without.stderr, /none\.pem/)
    const noKey = await run(['audit', 'verify', '--directory', directory, '--key', path], none)
    t.match(noKey, {
      code: 78,
      stderr: /^smart-bff: --key: .*\.yaml holds no key in PEM form\.\n$/,
    })
    const slip = await run(['audit', 'search', directory, '--event', 'launch.refuse'], none)
    t.match(slip, { code: 78, stderr: 'smart-bff: --event must be the name of an event.\n' })
  },
)

t.test('audit search: with the configuration by a patient, and recorded', async (t) => {
  const directory = join(folder, 'searched')
  const path = write(rawConfig({ root: { audit: { directory } } }))
  const loaded = loadConfig({ path, env: {}, readFile: (file) => readFileSync(file, 'utf8') })
  if (!loaded.ok) throw new Error('the configuration is not valid')
  const audit = await createAudit({ config: loaded.config })
  for (const patient of ['pat-4711', 'pat-4712']) {
    await audit.record({ event: 'fhir.access', outcome: 'success', tenant: 'north', patient })
  }
  const env = { SMART_BFF_CONFIG: path }
  const said = await run(
    ['audit', 'search', '--patient', 'pat-4711', '--by', 'jane', '--json'],
    env,
  )
  await audit.close()
  t.equal(said.code, 0, said.stderr)
  t.equal(said.stdout.trim().split('\n').length, 1)
  const { patient } = JSON.parse(said.stdout)
  t.match(said.stderr, /1 record; looked through \d+ lines in 2 files/)

  const none = { SMART_BFF_CONFIG: join(folder, 'none.yaml') }
  const auditor = await run(['audit', 'search', directory, '--patient', patient], none)
  t.equal(auditor.code, 0, auditor.stderr)
  t.match(auditor.stdout, /success {2}fhir\.access {9}tenant=north {2}patient=p1\./)
  const recorded = await run(['audit', 'search', directory, '--event', 'staff.searched'], none)
  t.match(recorded.stdout, /user=jane/)
  t.notMatch(recorded.stdout + auditor.stdout, 'pat-4711')
  const without = await run(['audit', 'search', directory, '--patient', 'pat-4711'], none)
  t.equal(without.code, 78, 'an id needs the keys')
  const wrong = await run(['audit', 'search', '--from', 'yesterday', '--event', 'x'], env)
  t.equal(wrong.code, 78)
  t.match(wrong.stderr, /--event must be the name of an event; --from must be a time/)
  for (const day of ['2026-02-31', '2026-02-29T10:00', '2026-04-31T10:00+02:00']) {
    const no = await run(['audit', 'search', directory, '--to', day], none)
    t.equal(no.code, 78, day)
    t.match(no.stderr, /--to must be a time/)
  }
})

t.test('audit search: a user who is known by the subject of his id_token alone', async (t) => {
  const directory = join(folder, 'subjects')
  const iss = 'http://127.0.0.1:9001/fhir'
  const path = write(rawConfig({ iss, root: { audit: { directory } } }))
  const loaded = loadConfig({ path, env: {}, readFile: (file) => readFileSync(file, 'utf8') })
  if (!loaded.ok) throw new Error('the configuration is not valid')
  const audit = await createAudit({ config: loaded.config })
  const users = [
    { issuer: iss, subject: 'subject-1', fhirUser: undefined, kind: undefined },
    { issuer: iss, subject: 's', fhirUser: `${iss}/Practitioner/7`, kind: 'practitioner' },
    { issuer: undefined, subject: 's', fhirUser: 'RelatedPerson/3', kind: undefined },
  ] as const
  for (const user of users) {
    await audit.record({ event: 'fhir.access', outcome: 'success', tenant: 'north', user })
  }
  await audit.close()
  const env = { SMART_BFF_CONFIG: path }
  for (const user of ['subject-1', 'Practitioner/7', 'RelatedPerson/3']) {
    const args = ['audit', 'search', '--user', user, '--event', 'fhir.access', '--by', 'jane']
    const said = await run(args, env)
    t.match(said, { code: 0, stdout: /^[^\n]+\n$/, stderr: /^1 record; / }, user)
  }
  const gone = ['audit', 'search', '--patient', 'x', '--tenant', 'closed', '--by', 'jane']
  t.match(await run(gone, env), { code: 0, stderr: /^0 records; / }, 'a tenant of before')
})

t.test('an account without a name: nothing is done before it is said who asks', async (t) => {
  const directory = join(folder, 'nameless')
  const store = { redis: { url: 'redis://127.0.0.1:1' } }
  const path = write(rawConfig({ root: { audit: { directory }, store } }))
  const preload = join(folder, 'nameless.mjs')
  // What Node does under a number that no account has.
  writeFileSync(
    preload,
    `import os from 'node:os'
    import { syncBuiltinESMExports } from 'node:module'
    os.userInfo = () => { throw Object.assign(new Error('x'), { code: 'ERR_SYSTEM_ERROR' }) }
    syncBuiltinESMExports()`,
  )
  for (const args of [
    ['revoke', '--all', '--reason', 'maintenance'],
    ['audit', 'search', '--patient', 'pat-4711'],
  ]) {
    const options = { nodeArgs: ['--import', preload] }
    const said = await runMain(args, { SMART_BFF_CONFIG: path }, options).ended()
    const stderr = /^smart-bff: this account has no name: say with --by who you are\.\n$/
    t.match(said, { code: 78, stdout: '', stderr }, args.join(' '))
  }
})

t.test('a reader that leaves, as head does, ends a search quietly', async (t) => {
  const directory = mkdtempSync(join(folder, 'long-'))
  let head = genesis
  let text = ''
  for (let count = 0; count < 20_000; count += 1) {
    const next = link(
      head,
      `"time":"2026-03-01T10:00:00.000Z","event":"staff.searched","outcome":"success","instance":"one"`,
    )
    head = next.head
    text += `${next.line}\n`
  }
  writeFileSync(join(directory, '2026-03-01.one.jsonl'), text)
  const running = runMain(['audit', 'search', directory, '--limit', '20000', '--json'])
  const { stdout } = running.child
  stdout?.once('data', () => {
    // A pager, of which somebody reads a page first.
    stdout.pause()
    setTimeout(() => stdout.destroy(), 500)
  })
  const said = await running.ended()
  t.equal(said.code, 0)
  t.match(said.stderr, /^\d+ records, and there are more \(--limit\); [^\n]+\n$/)
  const full = openSync('/dev/full', 'w')
  const onFullDisk = spawnSync(process.execPath, [mainPath, 'audit', 'search', directory], {
    stdio: ['ignore', full, 'pipe'],
  })
  closeSync(full)
  t.equal(onFullDisk.status, 69)
  t.match(String(onFullDisk.stderr), 'smart-bff: the output is not whole: no space left')
})

t.test('preflight: exit code 1, a plain table on a pipe, and progress beside it', async (t) => {
  const raw = rawConfig({ iss: 'http://127.0.0.1:1/fhir' })
  const said = await run(['preflight'], { SMART_BFF_CONFIG: write(raw) })
  t.equal(said.code, 1)
  t.match(said.stdout, /^ {2}✗ discovery +http:\/\/127\.0\.0\.1:1\/fhir: The EHR does not answer/m)
  t.match(said.stderr, /^north: looking at discovery$/m)
  t.notOk(said.stdout.includes('\u001b'))
})

t.test('contract: Markdown for one tenant', async (t) => {
  const env = { SMART_BFF_CONFIG: write(rawConfig()) }
  const said = await run(['contract', '--tenant', 'north'], env)
  t.equal(said.code, 0)
  t.match(said.stdout, /^# Launch contract: North Hospital\n/)
})

t.test('a tenant that there is not: one answer of every command', async (t) => {
  const env = { SMART_BFF_CONFIG: write(rawConfig()) }
  for (const command of [
    'contract',
    'preflight',
    'preflight --json',
    'matrix',
    'matrix --json',
    'revoke --reason device_lost',
    'revoke --reason device_lost --user Practitioner/7',
  ]) {
    const said = await run([...command.split(' '), '--tenant', 'west'], env)
    t.match(
      said,
      { code: 78, stdout: /^$/, stderr: /^smart-bff: no tenant west; there are north\.\n$/ },
      command,
    )
  }
})
