import { Redis } from 'ioredis'
import t from 'tap'
import { launchHash } from '../../src/audit/pseudonyms.ts'
import { auditName } from '../../src/store/redis/names.ts'
import { startDeployment } from '../support/deployment.ts'
import { plainFetch } from '../support/http.ts'
import { startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'
import { signInAs, siteOf, withStaff } from './staff-rig.ts'

/**
 * Two replicas on machines of their own: what one wrote is found on the site of the other at once. Whatever becomes of
 * the stream between them, the files hold everything, and the site says from when on it does.
 */
let redis = await startRedis()
const deployment = await startDeployment({
  replicas: 2,
  ownFolders: true,
  limitMs: 180_000,
  root: {
    store: { redis: { url: redis.url } },
    logging: { level: 'warn' },
    operations: withStaff,
  },
})
t.teardown(async () => {
  await deployment.close()
  await redis.stop()
})
const { sandbox, replicas } = deployment
const [here, there] = replicas
if (here === undefined || there === undefined) throw new Error('two replicas')
const patient = sandbox.patient('amara').id

/** Another port after each start; the same key ring opens the cookie. */
const site = (): string => siteOf(here)
const cookie = await signInAs('auditor', site())
const find = async (query: Record<string, string>): Promise<string> => {
  const asked = new URLSearchParams({ ask: 'all', ...query })
  return (await fetch(`${site()}/?${asked.toString()}`, { headers: { cookie } })).text()
}

/** A launch and a read at the other replica; its hash. */
async function workThere(): Promise<string> {
  const browser = there?.browser()
  if (browser === undefined) throw new Error('no replica')
  const { launch } = await browser.launch({ patient })
  const response = await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
  t.equal(response.status, 200)
  await response.arrayBuffer()
  return launchHash(launch)
}

/** What the site's export has of it: one record a line. */
const recordsOf = async (query: Record<string, string>): Promise<string> => {
  const asked = new URLSearchParams({ ask: 'all', format: 'ndjson', ...query })
  return (await fetch(`${site()}/export?${asked.toString()}`, { headers: { cookie } })).text()
}
const isWhole = (records: string): boolean =>
  ['launch.received', 'launch.authorized', 'fhir.access'].every((event) =>
    records.includes(`"event":"${event}"`),
  )
/** As the site offers it: the name says when something may be missing. */
const fileName = async (query = ''): Promise<string> => {
  const answer = await fetch(`${site()}/export?format=csv${query}`, { headers: { cookie } })
  await answer.arrayBuffer()
  return /filename="(.*)"/.exec(answer.headers.get('content-disposition') ?? '')?.[1] ?? ''
}
const cannotRead = /other replicas have written since 20\d\d-.* cannot be read now/
const completeFrom = (page: string): string => /complete from (\S+) on/.exec(page)?.[1] ?? ''

t.test('a launch on one replica is found on the site of the other at once', async (t) => {
  const launch = await workThere()
  const since = performance.now()
  await until(() => recordsOf({ launch }), isWhole)
  const seconds = (performance.now() - since) / 1000
  t.ok(seconds < 5, `found after ${seconds.toFixed(1)} s`)
  const page = await find({ launch })
  t.match(page, `href="/launch/${launch}`)
  const story = await fetch(`${site()}/launch/${launch}`, { headers: { cookie } })
  t.match(await story.text(), 'Patient', 'and read as one story')
  t.match(completeFrom(page), /^20\d\d-/)
})

t.test('entries that nobody of ours wrote are told, and stop nothing', async (t) => {
  const raw = new Redis(redis.url)
  await raw.xadd(auditName, '*', 'lines', 'John Smith')
  await raw.xadd(auditName, '*', 'other', 'x', 'line', '{"seq":1}')
  const [, fields] = (await raw.xrevrange(auditName, '+', '-', 'COUNT', 3)).at(-1) ?? []
  await raw.xadd(auditName, '*', 'lines', (fields?.[1] ?? '').slice(0, -3))
  await raw.quit()
  const launch = await workThere()
  t.match(await until(() => recordsOf({ launch }), isWhole), launch)
  await until(
    () => here.output(),
    (text) => text.includes('AUDIT_STREAM_CORRUPT'),
  )
  t.notMatch(here.output(), 'Smith')
})

t.test('a stream that was cut while the reader was away', async (t) => {
  const before = completeFrom(await find({}))
  await here.kill()
  const cut = await workThere()
  const raw = new Redis(redis.url)
  // Its records are gathered for a moment before they are sent.
  const length = await raw.xlen(auditName)
  await until(
    () => raw.xlen(auditName),
    (now) => now > length,
  )
  await new Promise((resolve) => setTimeout(resolve, 600))
  await raw.xtrim(auditName, 'MAXLEN', 0)
  await raw.quit()
  await here.start()
  const launch = await workThere()
  await until(() => recordsOf({ launch }), isWhole)
  const page = await find({ launch })
  const from = completeFrom(page)
  t.ok(from > before, `complete from ${from}, before from ${before}`)
  t.equal(await recordsOf({ launch: cut }), '', 'what was cut is not in this index')
  t.match(page, 'smart-bff audit search', 'and the page says where it is')
  const { output } = await deployment.run([
    'audit',
    'search',
    here.auditFolder,
    there.auditFolder,
    '--launch',
    cut,
  ])
  t.match(output, 'fhir.access', 'the file is the truth')
})

t.test('Redis is gone and comes back empty: what was written meanwhile arrives', async (t) => {
  await redis.stop()
  const refused = await plainFetch(`${there.public}/launch?iss=https://evil.example&launch=x`)
  await refused.arrayBuffer()
  const incident = refused.headers.get('smart-bff-request') ?? ''
  t.ok(incident, 'the refusal has a number')
  for (const path of [
    '/',
    '/?ask=all',
    '/overview',
    '/integrity',
    '/tenants',
    '/export?format=csv',
  ]) {
    // oxlint-disable-next-line no-await-in-loop -- one page after the other
    const page = await fetch(site() + path, { headers: { cookie } })
    t.equal(page.status, 200, `the audit is readable without the store: ${path}`)
  }
  await until(
    () => find({}),
    (page) => cannotRead.test(page),
  )
  t.match(await fileName(), /-incomplete\.csv$/)
  t.match(await fileName('&to=2026-01-01'), /\d\.csv$/, 'what is older is all there')
  const integrity = await fetch(`${site()}/integrity`, { headers: { cookie } })
  t.match(await integrity.text(), /other replicas not read since 20\d\d-/)
  const launches = await fetch(`${site()}/tenants/north`, { headers: { cookie } })
  t.equal(launches.status, 503)
  t.match(await launches.text(), 'The session store does not answer now')
  // The load balancer is told a bare word, the staff why.
  const readyz = async () => {
    const answer = await fetch(`${site()}/readyz`)
    return `${answer.status} ${await answer.text()}`
  }
  await until(readyz, (said) => said === '200 degraded\n')
  const tenants = await fetch(`${site()}/tenants`, { headers: { cookie } })
  t.match(await tenants.text(), 'This replica is <strong>degraded</strong>: store unavailable.')
  redis = await startRedis({ port: redis.port })
  const launch = await until(
    () => workThere().catch(() => ''),
    (hash) => hash !== '',
  )
  await until(() => recordsOf({ launch }), isWhole)
  t.match(await until(() => recordsOf({ request: incident }), Boolean), '"event":"launch.refused"')
  const whole = await until(
    () => find({}),
    (page) => !cannotRead.test(page),
  )
  t.match(completeFrom(whole), /^20\d\d-/)
  t.match(await fileName(), /\d\.csv$/)
})
