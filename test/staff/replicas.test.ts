import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { launchHash } from '../../src/audit/pseudonyms.ts'
import { startDeployment } from '../support/deployment.ts'
import { startServer } from '../support/http.ts'
import { startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'
import { signInAs, siteOf, withStaff } from './staff-rig.ts'

/**
 * The site of one of two replicas: what it ends has ended at the other, a circuit that is open stands on it, and so
 * does how far the copies of the audit are behind.
 */
const redis = await startRedis()
let repositoryIsWell = true
const repository = await startServer((request, response) => {
  request.resume()
  response.writeHead(repositoryIsWell ? 201 : 503, { 'content-type': 'application/fhir+json' })
  response.end('{}')
})
const spool = await mkdtemp(join(tmpdir(), 'smart-bff-spool-'))
const deployment = await startDeployment({
  replicas: 2,
  tenant: { upstream: { circuit: { failures: 2, openSeconds: 600 } } },
  root: {
    store: { redis: { url: redis.url } },
    operations: withStaff,
    audit: {
      directory: '/replaced-for-each-replica',
      checkpointSeconds: 1,
      stdout: true,
      fhir: {
        url: `http://127.0.0.1:${String(repository.port)}/fhir`,
        feed: 'single',
        spool,
      },
    },
  },
})
t.teardown(async () => {
  await deployment.close()
  await repository.close()
  await redis.stop()
  await rm(spool, { recursive: true, force: true })
})
const { sandbox, replicas } = deployment
const [here, there] = replicas
if (here === undefined || there === undefined) throw new Error('two replicas')
const { id: patient } = sandbox.patient('amara')

const site = siteOf(here)
const operator = await signInAs('operator', site)
const auditor = await signInAs('auditor', site)
const see = async (path: string, cookie: string): Promise<string> =>
  (await fetch(site + path, { headers: { cookie } })).text()

/** A launch whose record both processes hold in memory. */
async function open() {
  const browsers = replicas.map((replica) => replica.browser())
  const [first] = browsers
  if (first === undefined) throw new Error('no replica')
  const { launch } = await first.launch({ patient })
  const cookie = [...first.jar.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const read = (at: 0 | 1) => async (): Promise<number> => {
    const path = `/fhir/${launch}/Patient/${patient}`
    const answer = await browsers[at]?.fetch(path, { headers: { cookie } })
    await answer?.arrayBuffer()
    return answer?.status ?? 0
  }
  const [readHere, readThere] = [read(0), read(1)]
  t.same([await readHere(), await readThere()], [200, 200])
  return { launch, readHere, readThere }
}

t.test('what is ended on the site has ended at the other replica, and at the EHR', async (t) => {
  const launched = await open()
  const other = await open()
  sandbox.control.clearRequests()
  const hash = launchHash(launched.launch)
  const body = new URLSearchParams({ tenant: 'north', launch: hash, reason: 'device_lost' })
  let answered = Number.POSITIVE_INFINITY
  const ending = fetch(`${site}/launches`, { method: 'POST', body, headers: { cookie: operator } })
  const page = ending.then((response) => {
    answered = performance.now()
    return response.text()
  })
  // From the answer on it counts: before, the order may not have arrived yet.
  let over = 0
  while (over === 0) {
    const asked = performance.now()
    const status = await launched.readThere()
    if (status === 401) over = performance.now()
    else if (asked - answered > 1000) break
  }
  t.match(await page, '1 launch ended.')
  t.ok(over > 0, 'within a second of the answer')
  t.equal(await launched.readHere(), 401)
  t.same([await other.readHere(), await other.readThere()], [200, 200], 'nobody else is disturbed')
  const given = sandbox.requests().filter(({ path }) => path.includes('revo'))
  const hints = given.flatMap(({ form }) => form?.['token_type_hint'] ?? [])
  t.ok(hints.includes('refresh_token'), 'the EHR has the refresh token back')
  const ordered = /"revocation\.ordered".*"otto\.operator".*"device_lost"/
  t.match(await deployment.auditText(), ordered)
})

const rowOf = (page: string, name: string): string =>
  new RegExp(`<dt>${name}</dt><dd[^>]*>([^<]*)</dd>`).exec(page)?.[1] ?? ''
const [stream, stdout, sink] = [
  'To the other replicas’ indexes',
  'Standard output',
  'Audit Record Repository',
] as const

t.test('Integrity: the last checkpoint, and how far each copy is behind', async (t) => {
  const well = await until(
    () => see('/integrity', auditor),
    (page) =>
      [stream, stdout, sink].every((name) => rowOf(page, name) === 'up to date') &&
      rowOf(page, 'Last checkpoint') !== 'none yet',
  )
  t.match(rowOf(well, 'Last checkpoint'), /^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d .*, \d.* ago$/)
  t.match(rowOf(well, 'Under it'), /^\d[\d,]* records/)
  const onStandardOutput = /"event":"staff\.viewed".*"page=integrity"/
  t.ok(
    await until(
      () => here.output(),
      (text) => onStandardOutput.test(text),
    ),
    'on standard output too',
  )

  const launched = await open()
  repositoryIsWell = false
  t.equal(await launched.readHere(), 200, 'a repository that is away stops nobody')
  const held = await until(
    () => see('/integrity', auditor),
    (page) => /batch.* wait; fails since/.test(rowOf(page, sink)),
  )
  t.match(rowOf(held, sink), /^\d+ batches wait; fails since 20\d\d-/)
  t.equal(rowOf(held, stdout), 'up to date', 'the others are not held up')

  redis.pause()
  const behind = await until(
    () => see('/integrity', auditor),
    (page) => /bytes wait; fails since/.test(rowOf(page, stream)),
  )
  t.match(rowOf(behind, stream), /^[\d,]+ bytes wait; fails since 20\d\d-/)
  redis.resume()
  await until(
    () => see('/integrity', auditor),
    (page) => rowOf(page, stream) === 'up to date',
  )
})

t.test('an open circuit stands on Tenants, with since when', async (t) => {
  t.match(await see('/tenants', operator), 'circuit closed')
  const [one, two] = [await open(), await open()]
  sandbox.control.setFaults([{ where: 'fhir', kind: 'status', status: 503 }])
  // Failures of one launch alone open nothing.
  for (let turn = 0; turn < 3; turn += 1) {
    await one.readHere()
    await two.readHere()
  }
  sandbox.control.setFaults([])
  const day = new Date().toISOString().slice(0, 4)
  const since = new RegExp(`circuit open</span> <span class="subject">since ${day}-`)
  t.match(await see('/tenants', operator), since)
  t.match(await see('/tenants/north', operator), /circuit open|[Oo]pen since/)
})
