import { mkdtempSync, readFileSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import type { Test } from 'tap'
import type { BalpContext } from '../../../src/audit/balp/audit-event.ts'
import { createRepository } from '../../../src/audit/balp/post.ts'
import type { RepositoryConfig } from '../../../src/audit/balp/post.ts'
import { createBalpSink } from '../../../src/audit/balp/sink.ts'
import type { BalpFault } from '../../../src/audit/balp/sink.ts'
import { openSpool } from '../../../src/audit/balp/spool.ts'
import type { AuditEvent } from '../../../src/audit/event.ts'
import { launchHash } from '../../../src/audit/pseudonyms.ts'
import { Secret } from '../../../src/config/secret.ts'
import { createKeyRing } from '../../../src/vault/key-ring.ts'
import { createSpoolSeal } from '../../../src/vault/spool-seal.ts'
import { startServer } from '../../support/http.ts'
import { newSecretKey } from '../../support/keys.ts'

const context: BalpContext = {
  publicUrl: 'https://app.hospital.example',
  instance: 'one',
  launchHash,
  tenants: new Map([['north', { name: 'N', iss: 'https://ehr.north.example', clientId: 'abc' }]]),
}

const read = (patient: string): AuditEvent => ({
  event: 'fhir.access',
  outcome: 'success',
  tenant: 'north',
  interaction: 'read',
  resource: 'Observation',
  resourceId: `of-${patient}`,
  patient,
})

interface Answer {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

/** An Audit Record Repository that answers as it is told, and the sink in front of it. */
async function rig(t: Test, answer: (sent: Sent) => Answer, more: Partial<RepositoryConfig> = {}) {
  const sent: Sent[] = []
  const server = await startServer((request, response) => {
    void (async () => {
      const one = await readSent(request)
      sent.push(one)
      const { status, body, headers = {} } = answer(one)
      response.writeHead(status, { 'content-type': 'application/fhir+json', ...headers })
      response.end(JSON.stringify(body ?? {}))
    })()
  })
  const directory = mkdtempSync(join(tmpdir(), 'smart-bff-spool-'))
  const keyRing = createKeyRing([{ id: 'k1', secret: new Secret(newSecretKey()) }])
  const faults: BalpFault[] = []
  const start = async (maxBytes = 1_000_000) =>
    createBalpSink({
      context,
      spool: await openSpool({
        directory,
        instance: 'one',
        maxBytes,
        seal: createSpoolSeal(keyRing),
        onUnreadable: () => faults.push({ kind: 'failing', reason: 'unreadable', count: 1 }),
      }),
      repository: createRepository({
        url: `http://127.0.0.1:${server.port}/fhir/`,
        feed: 'batch',
        spoolMegabytes: 1,
        ...more,
      }),
      now: Date.now,
      onFault: (fault) => faults.push(fault),
      gatherMs: 10,
      retryMs: { first: 20, most: 100 },
    })
  t.teardown(() => server.close())
  const patients = () => sent.flatMap(({ events }) => events.map(patientOf))
  return { sent, faults, directory, start, patients }
}

interface Sent {
  readonly url: string
  readonly authorization: string | undefined
  readonly events: readonly unknown[]
}

async function readSent(request: IncomingMessage): Promise<Sent> {
  const body = JSON.parse(await text(request))
  const events =
    body.resourceType === 'Bundle'
      ? body.entry.map(({ resource }: { resource: unknown }) => resource)
      : [body]
  return { url: request.url ?? '', authorization: request.headers.authorization, events }
}

const patientOf = (event: unknown): string =>
  /Patient\/([^"]+)/.exec(JSON.stringify(event))?.[1] ?? ''

const takeAll = ({ events }: Sent): Answer => ({
  status: 200,
  body: {
    resourceType: 'Bundle',
    type: 'batch-response',
    entry: events.map(() => ({ response: { status: '201 Created' } })),
  },
})

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 600 && !condition(); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

t.test('many in one Bundle, with the credentials, and nothing is left in the spool', async (t) => {
  const { start, sent, patients, directory, faults } = await rig(t, takeAll, {
    authorization: new Secret('Bearer token-of-the-repository'),
  })
  const sink = await start()
  for (let index = 0; index < 120; index += 1) sink.offer(read(`p${index}`), Date.now())
  sink.offer({ event: 'launch.authorized', outcome: 'success', tenant: 'north' }, Date.now())
  await until(() => sink.status().waiting === 0 && sink.status().sent === 120)
  t.match(sink.status(), { sent: 120, waiting: 0, lost: 0, rejected: 0 })
  t.same(
    sent.map(({ url }) => url),
    ['/fhir', '/fhir', '/fhir'],
  )
  t.equal(sent[0]?.authorization, 'Bearer token-of-the-repository')
  t.same(
    patients(),
    Array.from({ length: 120 }, (_, index) => `p${index}`),
    'in their order',
  )
  await sink.close()
  t.same(readdirSync(directory), [])
  t.same(faults, [])
})

t.test('one request each, where the repository wants it so', async (t) => {
  const { start, sent, patients } = await rig(t, () => ({ status: 201 }), { feed: 'single' })
  const sink = await start()
  for (const patient of ['a', 'b', 'c']) sink.offer(read(patient), 0)
  await until(() => sink.status().waiting === 0 && sink.status().sent === 3)
  await sink.close()
  t.same(
    sent.map(({ url }) => url),
    Array.from({ length: 3 }, () => '/fhir/AuditEvent'),
  )
  t.same(patients(), ['a', 'b', 'c'])
})

t.test(
  'while the repository is down they wait, sealed, over a restart, and then arrive',
  async (t) => {
    let down = true
    const { start, directory, faults, patients } = await rig(t, (sent) =>
      down ? { status: 503 } : takeAll(sent),
    )
    const first = await start()
    first.offer(read('patient-4711'), 0)
    await until(() => first.status().failingSince !== undefined)
    t.match(faults, [{ kind: 'failing', reason: '503' }])
    await first.close()
    const files = readdirSync(directory)
    t.equal(files.length, 1)
    t.notMatch(readFileSync(join(directory, files[0] ?? ''), 'latin1'), /4711|Patient|north/)
    const second = await start()
    await until(() => second.status().failingSince !== undefined)
    down = false
    await until(() => second.status().waiting === 0 && second.status().sent === 1)
    await until(() => second.status().failingSince === undefined)
    t.match(second.status(), { waiting: 0, failingSince: undefined })
    t.match(faults.at(-1), { kind: 'recovered' })
    t.ok(patients().every((patient) => patient === 'patient-4711'))
    await second.close()
  },
)

t.test(
  'of a batch only what was not taken is sent again; what is refused is kept aside',
  async (t) => {
    let round = 0
    const { start, sent, faults, directory } = await rig(t, ({ events }) => {
      round += 1
      const status = (event: unknown): string => {
        if (patientOf(event) === 'bad') return '422 Unprocessable Entity'
        return patientOf(event) === 'late' && round === 1 ? '503' : '201'
      }
      return {
        status: 200,
        body: { entry: events.map((event) => ({ response: { status: status(event) } })) },
      }
    })
    const sink = await start()
    for (const patient of ['good', 'bad', 'late']) sink.offer(read(patient), 0)
    await until(() => sink.status().waiting === 0 && sink.status().sent === 2)
    await sink.close()
    t.same(
      sent.map(({ events }) => events.map(patientOf)),
      [['good', 'bad', 'late'], ['late']],
    )
    t.match(faults[0], { kind: 'rejected', reason: '422', count: 1 })
    t.match(readdirSync(directory), [/^one\.\d{12}\.rejected$/])
  },
)

t.test('a Bundle that is refused as a whole is sent one by one', async (t) => {
  const { start, sent } = await rig(t, ({ url }) => ({ status: url === '/fhir' ? 413 : 201 }))
  const sink = await start()
  for (const patient of ['a', 'b']) sink.offer(read(patient), 0)
  await until(() => sink.status().waiting === 0 && sink.status().sent === 2)
  await sink.close()
  t.same(
    sent.map(({ url }) => url),
    ['/fhir', '/fhir/AuditEvent', '/fhir/AuditEvent'],
  )
})

t.test('an answer that is no batch-response counts as none', async (t) => {
  let odd = true
  const { start, faults } = await rig(t, (sent) =>
    odd ? { status: 200, body: 'hello' } : takeAll(sent),
  )
  const sink = await start()
  sink.offer(read('a'), 0)
  await until(() => sink.status().failingSince !== undefined)
  t.match(faults, [{ kind: 'failing', reason: 'unreadable' }])
  odd = false
  await until(() => sink.status().waiting === 0 && sink.status().sent === 1)
  t.equal(sink.status().rejected, 0)
  await sink.close()
})

t.test('the repository says when to come again', async (t) => {
  const times: number[] = []
  const { start } = await rig(t, (sent) => {
    times.push(performance.now())
    return times.length === 1 ? { status: 429, headers: { 'retry-after': '1' } } : takeAll(sent)
  })
  const sink = await start()
  sink.offer(read('a'), 0)
  await until(() => sink.status().waiting === 0 && sink.status().sent === 1)
  await sink.close()
  t.ok((times[1] ?? 0) - (times[0] ?? 0) >= 950)
})

t.test('the spool is bounded, and what finds no room is counted and told', async (t) => {
  const { start, faults, directory } = await rig(t, () => ({ status: 503 }))
  const sink = await start(6000)
  for (let index = 0; index < 10; index += 1) {
    sink.offer(read(`p${index}`), 0)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await until(() => sink.status().lost > 0)
  await sink.close()
  const { lost, waiting } = sink.status()
  t.ok(lost > 0 && waiting > 0, `${lost} lost, ${waiting} wait`)
  t.ok(faults.some(({ kind }) => kind === 'lost'))
  const bytes = readdirSync(directory).map((name) => readFileSync(join(directory, name)).length)
  t.ok(bytes.reduce((sum, size) => sum + size, 0) <= 6000)
})

t.test('a batch that was tampered with or moved is set aside, and the rest goes on', async (t) => {
  let down = true
  const { start, directory, faults, patients } = await rig(t, (sent) =>
    down ? { status: 503 } : takeAll(sent),
  )
  const first = await start()
  first.offer(read('first'), 0)
  await until(() => readdirSync(directory).length === 1)
  first.offer(read('second'), 0)
  await until(() => readdirSync(directory).length === 2)
  await first.close()
  const [one = '', two = ''] = readdirSync(directory).toSorted()
  writeFileSync(join(directory, one), readFileSync(join(directory, two)))
  down = false
  const second = await start()
  await until(() => second.status().waiting === 0 && second.status().sent === 1)
  await second.close()
  t.ok(patients().includes('second'))
  t.ok(faults.some((fault) => fault.kind === 'failing' && fault.reason === 'unreadable'))
  t.match(readdirSync(directory), [/unreadable$/])
})

t.test('a batch that somebody took away does not hold up what stands behind it', async (t) => {
  let down = true
  let taken = false
  const { start, faults, directory } = await rig(t, (sent) => {
    if (down || taken) return down ? { status: 503 } : takeAll(sent)
    taken = true
    const [first = ''] = readdirSync(directory).toSorted()
    unlinkSync(join(directory, first))
    return { status: 503 }
  })
  const first = await start()
  for (const [index, patient] of ['first', 'second'].entries()) {
    first.offer(read(patient), 0)
    await until(() => first.status().waiting === index + 1)
  }
  await first.close()
  down = false
  const second = await start()
  await until(() => second.status().waiting === 0)
  await second.close()
  t.equal(second.status().sent, 1)
  t.ok(faults.some((fault) => fault.kind === 'failing' && fault.reason === 'unreadable'))
})
