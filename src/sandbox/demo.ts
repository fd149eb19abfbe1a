import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { demoSecrets, deriveConfiguration, isUrl, newStaffPassword } from './demo-configuration.ts'

/** `npm run demo`: the sandbox EHR and smart-bff, each a process of its own, until Ctrl-C. */

const help = `Starts the sandbox EHR and smart-bff with its demo app.

  npm run demo -- [options]

  --app DIR|URL   your own app instead: a folder with index.html, or the address of a development server
  --port N        smart-bff (3000); probes and the staff site take the next port
  --ehr-port N    the sandbox EHR (9000)
  --help          this text
`

const readyWithinMs = 60_000
const stopWithinMs = 10_000

const { values } = parseArgs({
  options: {
    app: { type: 'string' },
    port: { type: 'string', default: '3000' },
    'ehr-port': { type: 'string', default: '9000' },
    help: { type: 'boolean', default: false },
  },
})

const root = fileURLToPath(new URL('../../', import.meta.url))
const configuration = join(root, 'config', 'demo.yaml')
const children: ChildProcess[] = []
let folder: string | undefined
let stopping = false

if (values.help) process.stdout.write(help)
else await run()

async function run(): Promise<void> {
  // SIGHUP is the terminal that was closed: the children are in groups of their own and would stay.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => void stop(0))
  process.once('exit', () => {
    for (const child of children) child.kill('SIGKILL')
  })
  const port = portNumber('port', values.port)
  const ehrPort = portNumber('ehr-port', values['ehr-port'])
  const app = chosenApp(values.app)
  await mustBeFree(port, 'localhost', 'smart-bff', '--port')
  await mustBeFree(port + 1, 'localhost', "smart-bff's operations listener", '--port')
  await mustBeFree(ehrPort, '127.0.0.1', 'the sandbox EHR', '--ehr-port')

  const auditDirectory = join(root, '.demo', String(port), 'audit')
  rmSync(auditDirectory, { recursive: true, force: true })
  const choice = { port, operationsPort: port + 1, ehrPort, app, auditDirectory }
  const derived = deriveConfiguration(readFileSync(configuration, 'utf8'), choice, (path) =>
    resolve(root, 'config', path),
  )
  folder = mkdtempSync(join(tmpdir(), 'smart-bff-demo-'))
  const file = join(folder, 'demo.json')
  writeFileSync(file, derived.text, { mode: 0o600 })

  const client = {
    clientId: derived.clientId,
    auth: 'private_key_jwt',
    jwksUri: `http://localhost:${port}/.well-known/jwks.json`,
    redirectUris: [derived.redirectUri],
  }
  start('the sandbox EHR', [
    join(root, 'src', 'sandbox', 'main.ts'),
    `--port=${ehrPort}`,
    `--launch-url=http://localhost:${port}/launch`,
    `--client-config=${JSON.stringify(client)}`,
  ])
  const password = newStaffPassword()
  start('smart-bff', [join(root, 'src', 'main.ts'), 'serve'], {
    ...demoSecrets(password),
    SMART_BFF_CONFIG: file,
  })
  const ehr = `http://127.0.0.1:${ehrPort}/`
  await ready('the sandbox EHR', `${ehr}_control`)
  await ready('smart-bff', `http://localhost:${port + 1}/healthz`)
  process.stdout.write(`
  The demo runs. Every patient in it is synthetic.

    The EHR          ${ehr}
    The staff site   http://localhost:${port + 1}/
                     sign in as auditor or operator, password ${password}

  Launches that fail, to look up on the staff site: ${ehr}failing
  smart-bff serves http://localhost:${port}. Its audit files: ${relative(process.cwd(), auditDirectory)}
  Ctrl-C stops both.

`)
}

/** A child in a process group of its own, so that Ctrl-C reaches it once, from here. */
function start(name: string, args: readonly string[], env: Record<string, string> = {}): void {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
    env: { ...process.env, ...env },
  })
  children.push(child)
  child.once('exit', (code, signal) => {
    if (stopping) return
    say(`${name} ended by itself (${signal ?? `exit code ${code ?? 0}`}); stopping the demo.`)
    void stop(1)
  })
}

async function ready(name: string, url: string): Promise<void> {
  const deadline = Date.now() + readyWithinMs
  while (!stopping) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer?.ok === true) return
    if (Date.now() > deadline) {
      say(`${name} did not become ready within ${readyWithinMs / 1000} s.`)
      await stop(1)
    }
    await sleep(100)
  }
}

async function stop(code: number): Promise<void> {
  if (stopping) return
  stopping = true
  for (const child of children) child.kill('SIGTERM')
  const ended = children
    .filter((child) => child.exitCode === null && child.signalCode === null)
    .map((child) => new Promise((end) => child.once('exit', end)))
  await Promise.race([Promise.all(ended), sleep(stopWithinMs, undefined, { ref: false })])
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  process.exit(code)
}

async function mustBeFree(port: number, host: string, who: string, option: string): Promise<void> {
  const free = await new Promise<boolean>((settle) => {
    const probe = createServer()
    probe.once('error', () => settle(false))
    probe.listen(port, host, () => probe.close(() => settle(true)))
  })
  if (free) return
  say(`port ${port} is taken, and ${who} needs it. Choose another with ${option}.`)
  process.exit(1)
}

function portNumber(name: string, value: string): number {
  const port = Number(value)
  if (Number.isInteger(port) && port > 0 && port < 65_535) return port
  say(`--${name} wants a port number, not ${value}.`)
  process.exit(64)
}

/** A folder must have an index.html; a URL is taken as it is. */
function chosenApp(app: string | undefined): string | undefined {
  if (app === undefined || isUrl(app)) return app
  const directory = resolve(process.env['INIT_CWD'] ?? process.cwd(), app)
  if (existsSync(join(directory, 'index.html'))) return directory
  say(`--app: ${directory} has no index.html.`)
  process.exit(64)
}

function say(sentence: string): void {
  process.stderr.write(`demo: ${sentence}\n`)
}
