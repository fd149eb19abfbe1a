import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { freePort, startServer } from '../support/http.ts'

/** `npm run demo` as a person meets it: both processes, the address to open, Ctrl-C, and clear refusals. */

const demo = fileURLToPath(new URL('../../src/sandbox/demo.ts', import.meta.url))

function run(args: readonly string[]): { child: ChildProcess; text: () => string } {
  const child = spawn(process.execPath, [demo, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  return { child, text: () => said }
}

async function ending(args: readonly string[]): Promise<{ code: unknown; text: string }> {
  const { child, text } = run(args)
  const [code] = (await once(child, 'close')) as [unknown]
  return { code, text: text() }
}

/** Two neighbouring free ports for smart-bff, and one for the EHR. */
async function freePorts(): Promise<[port: string, ehrPort: string]> {
  return [String(await freePort()), String(await freePort())]
}

t.test('runs until Ctrl-C', async (t) => {
  const [port, ehrPort] = await freePorts()
  const { child, text } = run(['--port', port, '--ehr-port', ehrPort])
  t.teardown(() => child.kill('SIGKILL'))
  while (!text().includes('Ctrl-C')) {
    if (child.exitCode !== null) throw new Error(text())
    await sleep(50)
  }
  t.match(text(), `Open   http://127.0.0.1:${ehrPort}/`)
  t.match(await (await fetch(`http://127.0.0.1:${ehrPort}/`)).text(), 'Synthetic data')
  t.equal((await fetch(`http://localhost:${Number(port) + 1}/healthz`)).status, 200)
  child.kill('SIGINT')
  const [code] = (await once(child, 'close')) as [unknown]
  t.equal(code, 0)
  await t.rejects(fetch(`http://127.0.0.1:${ehrPort}/`))
  await t.rejects(fetch(`http://localhost:${Number(port) + 1}/healthz`))
})

t.test('says which port is taken and what to do', async (t) => {
  const taken = await startServer((_request, response) => response.end())
  t.teardown(() => taken.close())
  const [port] = await freePorts()
  const { code, text } = await ending(['--port', port, '--ehr-port', String(taken.port)])
  t.equal(code, 1)
  t.match(text, `port ${taken.port} is taken`)
  t.match(text, '--ehr-port')
})

t.test('refuses what it cannot use and explains itself', async (t) => {
  t.match(await ending(['--port', 'many']), { code: 64, text: /wants a port number/ })
  t.match(await ending(['--app', '/does/not/exist']), { code: 64, text: /has no index\.html/ })
  t.match(await ending(['--help']), { code: 0, text: /--app DIR\|URL/ })
})
