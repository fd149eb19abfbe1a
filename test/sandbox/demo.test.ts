import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test as Tap } from 'tap'
import { freePort, startServer } from '../support/http.ts'
import { until } from '../support/until.ts'

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
  t.match(text(), `The EHR          http://127.0.0.1:${ehrPort}/`)
  t.match(await (await fetch(`http://127.0.0.1:${ehrPort}/`)).text(), 'Synthetic data')
  t.equal((await fetch(`http://localhost:${Number(port) + 1}/healthz`)).status, 200)
  await staffFindWhyALaunchFailed(t, text(), { port: Number(port), ehrPort })
  child.kill('SIGINT')
  const [code] = (await once(child, 'close')) as [unknown]
  t.equal(code, 0)
  await t.rejects(fetch(`http://127.0.0.1:${ehrPort}/`))
  await t.rejects(fetch(`http://localhost:${Number(port) + 1}/healthz`))
})

t.test('closing its terminal stops both', async (t) => {
  const [port, ehrPort] = await freePorts()
  const { child, text } = run(['--port', port, '--ehr-port', ehrPort])
  t.teardown(() => child.kill('SIGKILL'))
  await until(text, (said) => said.includes('Ctrl-C'), 60_000)
  const processes = startedBy(child.pid ?? 0)
  t.teardown(() => processes.filter(isAlive).forEach((pid) => process.kill(pid, 'SIGKILL')))
  t.equal(processes.length, 2)
  child.kill('SIGHUP')
  await once(child, 'exit')
  t.same(processes.filter(isAlive), [])
})

const startedBy = (pid: number): readonly number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** With what the demo printed and nothing else: the failing launch, its number, and the cause behind it. */
async function staffFindWhyALaunchFailed(
  t: Tap,
  said: string,
  { port, ehrPort }: { port: number; ehrPort: string },
): Promise<void> {
  const site = `http://localhost:${port + 1}`
  t.match(said, `The staff site   ${site}/`)
  const [, password = ''] = /sign in as auditor or operator, password (\S+)/.exec(said) ?? []
  t.match(said, `http://127.0.0.1:${ehrPort}/failing`)
  const framed = await (await fetch(`http://127.0.0.1:${ehrPort}/failing/unknown-ehr`)).text()
  const [, launch = ''] = /<iframe[^>]+src="([^"]+)"/.exec(framed) ?? []
  const refused = await fetch(launch.replaceAll('&amp;', '&'))
  const incident = refused.headers.get('smart-bff-request') ?? ''
  t.match(await refused.text(), incident)
  for (const name of ['auditor', 'operator']) {
    const signIn = (secret: string) =>
      fetch(`${site}/sign-in`, {
        method: 'POST',
        body: new URLSearchParams({ name, password: secret }),
        headers: { origin: site },
        redirect: 'manual',
      })
    t.equal((await signIn('another password')).status, 403)
    const [cookie = ''] = (await signIn(password)).headers.getSetCookie()
    const found = await until(
      async () => {
        const answer = await fetch(`${site}/?ask=open&request=${incident}`, { headers: { cookie } })
        return answer.text()
      },
      (page) => page.includes(incident) && page.includes('is not configured'),
    )
    t.match(found, `${name} (${name})`)
  }
}

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
