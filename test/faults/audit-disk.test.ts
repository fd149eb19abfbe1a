import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { launchHash } from '../../src/audit/pseudonyms.ts'
import { writingMode } from '../support/config.ts'
import { startDeployment } from '../support/deployment.ts'
import { plainFetch } from '../support/http.ts'
import { until } from '../support/until.ts'
import { credentials, signInAs, siteOf, withStaff } from '../staff/staff-rig.ts'

/**
 * DESIGN rule 8 on the real program: the disk of the audit is full, read-only, or hangs. At every door the answer is 503
 * and holds nothing of the record, nothing is sent to the EHR that would change it, the alarms stand, and when the disk
 * works again so does everything, with the gap on record. Every answer that was given has its record.
 */
const control = join(mkdtempSync(join(tmpdir(), 'smart-bff-disk-')), 'fault')
const deployment = await startDeployment({
  nodeArgs: ['--import', new URL('../support/disk-faults.ts', import.meta.url).pathname],
  env: { DISK_FAULTS: control },
  limitMs: 240_000,
  tenant: { modes: [writingMode()] },
  root: {
    logging: { level: 'warn' },
    operations: withStaff,
  },
})
t.teardown(async () => {
  await deployment.close()
  rmSync(join(control, '..'), { recursive: true, force: true })
})
const { sandbox, publicUrl } = deployment
const [replica] = deployment.replicas
if (replica === undefined) throw new Error('no replica')
const amara = sandbox.patient('amara')
const browser = replica.browser()
const { launch } = await browser.launch({ patient: amara.id })
const found = await browser.fetch(`/fhir/${launch}/Observation?_count=1`)
interface Observations {
  readonly entry: readonly {
    readonly resource: { readonly id: string; readonly meta?: { readonly versionId?: string } }
  }[]
}
const { entry } = (await found.json()) as Observations
const observation = entry[0]?.resource
if (observation === undefined) throw new Error('no observation')
/** Incident numbers of everything that was answered with data: each must stand in the audit at the end. */
const answered: string[] = []

/** The files of the audit, without the index beside them. */
const records = (): string =>
  readdirSync(replica.auditFolder)
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => readFileSync(join(replica.auditFolder, name), 'utf8'))
    .join('')

interface Disk {
  readonly name: string
  /** What the log says of it. */
  readonly code: string | undefined
  readonly begin: () => void
  readonly end: () => void
}

/** The kernel's own refusal: no file of this process may grow any more. */
function limitFiles(soft: string): void {
  const set = spawnSync('prlimit', [`--pid=${replica?.pid() ?? 0}`, `--fsize=${soft}:unlimited`])
  if (set.status !== 0) throw new Error(`prlimit: ${set.stderr?.toString() ?? 'not installed'}`)
}
const put = (fault: string) => () => writeFileSync(control, fault)
const disks: readonly Disk[] = [
  {
    name: 'no file may grow',
    code: 'EFBIG',
    begin: () => limitFiles('0'),
    end: () => limitFiles('unlimited'),
  },
  { name: 'a full disk', code: 'ENOSPC', begin: put('ENOSPC'), end: put('') },
  { name: 'a read-only disk', code: 'EROFS', begin: put('EROFS'), end: put('') },
  { name: 'a disk that hangs', code: undefined, begin: put('hang'), end: put('') },
]

const site = siteOf(replica)
const auditor = await signInAs('auditor', site)
const operator = await signInAs('operator', site)

async function readChart(): Promise<number> {
  const response = await browser.fetch(`/fhir/${launch}/Patient/${amara.id}`)
  await response.arrayBuffer()
  if (response.status === 200) answered.push(response.headers.get('smart-bff-request') ?? '')
  return response.status
}
const readiness = async (): Promise<string> => {
  const response = await plainFetch(`${site}/readyz`)
  return `${response.status} ${await response.text()}`.trim()
}
const metric = async (name: string): Promise<string> =>
  new RegExp(`^smart_bff_${name} (\\S+)`, 'm').exec(
    await (await plainFetch(`${site}/metrics`)).text(),
  )?.[1] ?? ''

const write = (): Promise<Response> =>
  browser.fetch(`/fhir/${launch}/Observation/${observation.id}`, {
    method: 'PUT',
    headers: {
      origin: publicUrl,
      'content-type': 'application/fhir+json',
      'if-match': `W/"${observation.meta?.versionId ?? 1}"`,
    },
    body: JSON.stringify(observation),
  })

/** Each door that shows something of a patient, lets someone in, or changes anything. */
const doors: Readonly<Record<string, () => Promise<Response>>> = {
  'a read': () => browser.fetch(`/fhir/${launch}/Patient/${amara.id}`),
  'a search': () => browser.fetch(`/fhir/${launch}/Observation?_count=5`),
  'a refused read': () => browser.fetch(`/fhir/${launch}/Condition/1`),
  'a write': write,
  'a launch': async () =>
    (await replica.browser().navigate(sandbox.createLaunch({ patient: amara.id }).url)).response,
  'a launch of nobody': () => plainFetch(`${replica.public}/launch?iss=https://x.example&launch=1`),
}
const pages = ['/', '/?ask=all&outcome=refused', '/overview', '/tenants', '/launches', '/integrity']
const refusedPages: readonly [path: string, init: RequestInit][] = [
  ...pages.map((path): [string, RequestInit] => [
    path,
    { headers: { cookie: path === '/launches' || path === '/tenants' ? operator : auditor } },
  ]),
  ['/export?format=csv', { headers: { cookie: auditor } }],
  [
    '/launches',
    {
      method: 'POST',
      headers: { cookie: operator },
      body: new URLSearchParams({ tenant: 'north', launch: '0'.repeat(16), reason: 'device_lost' }),
    },
  ],
]

async function expectClosed(t: Test, name: string): Promise<void> {
  const writes = sandbox.requests().filter(({ method }) => method === 'PUT').length
  for (const [door, open] of Object.entries(doors)) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other: each must be refused by itself
    const response = await open()
    // oxlint-disable-next-line no-await-in-loop -- see above
    const text = await response.text()
    t.equal(response.status, 503, `${door}: ${text.slice(0, 300)}`)
    t.equal(response.headers.get('smart-bff-state'), 'data_unavailable', door)
    for (const word of [amara.family, amara.mrn]) t.notOk(text.includes(word), door)
    const kind = response.headers.get('content-type') ?? ''
    if (response.url.includes('/fhir/')) t.match(JSON.parse(text).resourceType, 'OperationOutcome')
    else if (kind.startsWith('text/html')) t.match(text, 'The app cannot write its access record')
  }
  for (const [path, init] of refusedPages) {
    // oxlint-disable-next-line no-await-in-loop -- see above
    const response = await fetch(site + path, { redirect: 'manual', ...init })
    // oxlint-disable-next-line no-await-in-loop -- see above
    const text = await response.text()
    t.equal(response.status, 503, `${path}: ${text.slice(-1500)}`)
    t.match(text, 'cannot be recorded', path)
    t.match(text, 'This replica is unavailable: audit not writable.', path)
    t.match(response.headers.get('content-type'), 'text/html')
  }
  const body = new URLSearchParams(credentials.auditor)
  const signingIn = await fetch(`${site}/sign-in`, { method: 'POST', body })
  t.equal(signingIn.status, 503, 'nor does anybody come in')
  const sent = sandbox.requests().filter(({ method }) => method === 'PUT').length
  t.equal(sent, writes, `${name}: no write was sent`)
  t.equal(await readiness(), '503 unavailable')
  t.equal((await plainFetch(`${site}/healthz`)).status, 200, 'it is not to be restarted')
  t.equal(await metric('audit_writable'), '0')
  t.equal(await metric('ready'), '0')
}

/** The log is written beside the event loop: it comes soon after the answer. */
const says = (from: number, line: RegExp): Promise<string> =>
  until(
    () => replica.output().slice(from),
    (text) => line.test(text),
  )

/** What happened while nothing could be written stands behind the record of the gap, with its own time. */
async function expectHeld(t: Test, left: string): Promise<void> {
  const lines = (
    await until(
      records,
      (text) =>
        text.split('"event":"audit.recovered"').at(-1)?.includes('"session.ended"') === true,
    )
  ).split('\n')
  const gap = lines.findLastIndex((line) => line.includes('"audit.recovered"'))
  const end = lines.findIndex(
    (line) => line.includes('"launch.transition"') && line.includes(launchHash(left)),
  )
  t.ok(end > gap, 'the end of the launch is on record')
  const timeOf = (line = ''): string => /"time":"([^"]+)"/.exec(line)?.[1] ?? ''
  t.ok(timeOf(lines[end]) < timeOf(lines[gap]), 'with the time at which it ended')
  const failed = lines.slice(gap).filter((line) => line.includes('"launch.failed"'))
  t.ok(
    failed.every((line) => line.includes('"reason":"AUDIT_UNAVAILABLE"')),
    'and why an app did not open',
  )
}

for (const { name, code, begin, end } of disks) {
  t.test(name, async (t) => {
    t.equal(await readChart(), 200)
    const said = replica.output().length
    const leaving = replica.browser()
    const left = await leaving.launch({ patient: amara.id })
    begin()
    try {
      // The first to come meets the disk itself, and waits no longer than DESIGN rule 8 lets it.
      const before = performance.now()
      t.equal(await readChart(), 503)
      t.ok(performance.now() - before < 4000, 'refused within the limit')
      await expectClosed(t, name)
      // Who leaves has left, whatever the disk does; that it cannot be recorded yet is said.
      const init = { method: 'DELETE', headers: { origin: publicUrl } }
      t.equal((await leaving.fetch('/session', init)).status, 503)
      t.equal((await leaving.fetch(`/launches/${left.launch}`)).status, 401)
    } finally {
      end()
    }
    const alarm = new RegExp(
      `"event":"audit\\.failing"${code === undefined ? '' : `,"code":"${code}"`}`,
    )
    t.ok(await says(said, alarm), 'an alarm')
    await until(readiness, (word) => word === '200 ready')
    t.equal(await readChart(), 200, 'the same launch goes on')
    const again = await replica.browser().launch({ patient: amara.id })
    t.ok(again.launch, 'and others begin')
    t.ok(await says(said, /"event":"audit\.recovered"/), 'and its end')
    t.equal(await metric('audit_writable'), '1')
    const incident = answered.at(-1) ?? ''
    const page = await until(
      async () =>
        (
          await fetch(`${site}/?ask=all&request=${incident}`, { headers: { cookie: auditor } })
        ).text(),
      (text) => text.includes('fhir.access'),
    )
    t.match(page, incident, 'the index goes on too')
    await expectHeld(t, left.launch)
  })
}

t.test(
  'a write that is under way when the disk fills: uncertain, and its outcome is told later',
  async (t) => {
    const sent = (): number => sandbox.requests().filter(({ method }) => method === 'PUT').length
    const before = sent()
    const gaps = records().split('"audit.recovered"').length
    sandbox.control.setFaults([{ where: 'fhir', kind: 'delay', delayMs: 1000 }])
    const writing = write()
    await until(sent, (count) => count > before)
    put('ENOSPC')()
    const response = await writing
    put('')()
    sandbox.control.setFaults([])
    t.equal(response.headers.get('smart-bff-state'), 'write_uncertain')
    t.match(await response.text(), '"resourceType":"OperationOutcome"')
    const incident = response.headers.get('smart-bff-request') ?? ''
    const own = await until(
      () =>
        records()
          .split('\n')
          .filter((line) => line.includes(`"request":"${incident}"`)),
      (lines) => lines.length > 1,
    )
    t.match(own[0], '"event":"fhir.intended"')
    t.match(own.at(-1), /"event":"fhir\.(?:written|uncertain)"/)
    t.equal(records().split('"audit.recovered"').length, gaps + 1)
  },
)

t.test('nothing was answered that is not on record, and the files are whole', async (t) => {
  const text = records()
  t.same(
    answered.filter((incident) => !text.includes(`"request":"${incident}"`)),
    [],
  )
  t.equal(
    text.match(/"event":"audit\.recovered"/g)?.length,
    disks.length + 1,
    'each gap is on record',
  )
  const { code, output } = await deployment.run(['audit', 'verify'])
  t.equal(code, 0, output)
})
