import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startDeployment } from '../support/deployment.ts'
import { until } from '../support/until.ts'
import { signInAs, siteOf, withStaff } from '../staff/staff-rig.ts'

/**
 * Whoever collects the container's output stalls: the copies of the audit wait, Integrity says how much, and nobody is
 * kept from the chart. When it reads again, everything arrives, once and whole.
 */
const deployment = await startDeployment({
  limitMs: 120_000,
  root: {
    logging: { level: 'debug' },
    audit: { directory: '/replaced', stdout: true, checkpointSeconds: 1 },
    rateLimits: { fhirPerLaunchPerMinute: 10_000_000 },
    operations: withStaff,
  },
})
t.teardown(() => deployment.close())
const { sandbox } = deployment
const [replica] = deployment.replicas
if (replica === undefined) throw new Error('no replica')
const site = siteOf(replica)
const patient = sandbox.patient('amara').id
const browser = replica.browser()
const { launch } = await browser.launch({ patient })
const cookie = await signInAs('auditor', site)

async function read(): Promise<number> {
  const response = await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
  await response.arrayBuffer()
  return response.status
}
const lag = async (): Promise<string> => {
  const page = await (await fetch(`${site}/integrity`, { headers: { cookie } })).text()
  return /<dt>Standard output<\/dt><dd[^>]*>([^<]*)<\/dd>/.exec(page)?.[1] ?? ''
}

t.test('a reader that stalls keeps nobody waiting', async (t) => {
  await until(lag, (words) => words === 'up to date')
  replica.readOutput(false)
  let slowest = 0
  let waiting = ''
  for (let group = 0; group < 100 && !waiting.endsWith('wait'); group += 1) {
    const before = performance.now()
    // oxlint-disable-next-line no-await-in-loop -- until the pipe is full
    const statuses = await Promise.all(Array.from({ length: 25 }, read))
    slowest = Math.max(slowest, performance.now() - before)
    t.ok(statuses.every((status) => status === 200))
    // oxlint-disable-next-line no-await-in-loop -- see above
    waiting = await lag()
  }
  t.match(waiting, /^[\d,]+ bytes wait$/)
  // The application log goes the same way: each launch that fails is a line of it.
  sandbox.control.setFaults([{ where: 'token', kind: 'status', status: 500 }])
  for (let count = 0; count < 40; count += 1) {
    const before = performance.now()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const failed = await replica.browser().navigate(sandbox.createLaunch({ patient }).url)
    t.ok(failed.response.status >= 500)
    slowest = Math.max(slowest, performance.now() - before)
  }
  sandbox.control.setFaults([])
  const before = performance.now()
  t.equal(await read(), 200)
  slowest = Math.max(slowest, performance.now() - before)
  t.ok(slowest < 5000, `${String(Math.round(slowest))} ms for 25 reads at most`)
  t.notMatch(replica.output(), '"event":"request.failed"', 'all of it still waits')
  t.comment(`slowest ${String(Math.round(slowest))} ms`)
  replica.readOutput(true)
  await until(lag, (words) => words === 'up to date')
  await until(
    () => replica.output().split('"event":"request.failed"').length,
    (parts) => parts > 40,
  )
})

t.test('what waited arrives, byte for byte as in the files', async (t) => {
  const { auditFolder } = replica
  const name = readdirSync(auditFolder).find((file) => file.endsWith('.jsonl')) ?? ''
  const lines = readFileSync(join(auditFolder, name), 'utf8').split('\n').filter(Boolean)
  const wanted = lines.slice(0, -10)
  await until(
    () => replica.output(),
    (output) => output.includes(wanted.at(-1) ?? ''),
  )
  const printed = replica
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{"seq":'))
  t.same(printed.slice(0, wanted.length), wanted)
})
