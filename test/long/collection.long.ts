import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { tellFigures } from '../support/figures.ts'

/** The Bruno collection of docs/bruno against the demo, run by Bruno's own command. */
const root = new URL('../../', import.meta.url).pathname
const bruno = '@usebruno/cli@4.1.0'

t.test(
  'every request of the collection is answered as it says',
  { timeout: 300_000 },
  async (t) => {
    const ports = { app: 3950, ehr: 9950 }
    const demo = spawn(
      process.execPath,
      [`${root}src/sandbox/demo.ts`, '--port', String(ports.app), '--ehr-port', String(ports.ehr)],
      { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
    )
    t.teardown(() => demo.kill())
    for await (const line of createInterface({ input: demo.stdout })) {
      if (line.includes('Ctrl-C')) break
    }
    demo.stdout.resume()
    const variables = [
      `app=http://localhost:${ports.app}`,
      `operations=http://localhost:${ports.app + 1}`,
      `ehr=http://127.0.0.1:${ports.ehr}`,
    ].flatMap((variable) => ['--env-var', variable])
    const run = spawn('npx', ['--yes', bruno, 'run', '--env', 'demo', ...variables], {
      cwd: `${root}docs/bruno`,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(run, 'close')
    let said = ''
    for await (const text of run.stdout.setEncoding('utf8')) {
      process.stdout.write(text)
      said += text
    }
    await ended
    t.equal(run.exitCode, 0)
    const [, requests, passed] = /Requests\D+(\d+) \((\d+) Passed\)/.exec(said) ?? []
    t.equal(requests, passed)
    tellFigures(t, { requests: Number(requests), passed: Number(passed) })
  },
)
