import type { ServerResponse } from 'node:http'
import { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import { Socket } from 'node:net'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import t, { type Test } from 'tap'
import { createLog } from '../../src/operations/log.ts'
import { startTracing } from '../../src/operations/start-tracing.ts'
import { createTracing } from '../../src/tracing/create-tracing.ts'
import type { Tracing } from '../../src/tracing/tracing.ts'
import { newIncident } from '../../src/web/incident.ts'
import { newCertificate } from '../support/certificate.ts'
import { portOf } from '../support/http.ts'
import { loadRaw, rawConfig, testConfig } from '../support/config.ts'
import { until } from '../support/until.ts'
import { startCollector } from './collector.ts'

/** A collector that fails: an alarm, a bounded queue, a stop in time. */

async function setUp(t: Test, answer: (response: ServerResponse) => void) {
  const collector = await startCollector(answer)
  t.teardown(() => collector.close())
  const root = { operations: { tracing: { endpoint: collector.endpoint, ratio: 1 } } }
  const config = testConfig({ root })
  const told: (string | number)[] = []
  const { tracing: section } = config.operations
  if (section === undefined) throw new Error('tracing is configured')
  const tracing = createTracing(config, section, {
    failing: (reason) => told.push(reason),
    recovered: (lost) => told.push(lost),
  })
  return { collector, tracing, told }
}

function request(tracing: Tracing): void {
  const incoming = new IncomingMessage(new Socket())
  tracing.begin('fhir', { incoming, incident: newIncident() }).end({ decision: 'allowed' })
}

t.test('an outage is told once, and its end with what was lost', async (t) => {
  let status = 400
  const { tracing, told } = await setUp(t, (response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
  })
  request(tracing)
  await until(() => told.length, Boolean)
  t.same(told, ['export'])
  status = 200
  request(tracing)
  await until(
    () => told.length,
    (count) => count === 2,
  )
  t.same(told, ['export', 1])
  await tracing.close()
})

t.test('a collector that never answers holds neither memory nor the stop', async (t) => {
  const { collector, tracing, told } = await setUp(t, () => undefined)
  for (let count = 0; count < 5_000; count += 1) request(tracing)
  t.same(told, ['queue_full'], 'what finds no room is lost and told')
  const startedAt = performance.now()
  await tracing.close()
  t.ok(performance.now() - startedAt < 6_000)
  t.ok(collector.spans().length < 2_500, 'the queue is bounded')
})

t.test('the alarm stands in the log, without an address', async (t) => {
  const collector = await startCollector((response) => {
    response.writeHead(400, { 'content-type': 'text/plain' }).end('Amara Okafor')
  })
  t.teardown(() => collector.close())
  const lines: string[] = []
  const destination = new Writable({
    write: (chunk: Buffer, _, done) => {
      lines.push(chunk.toString())
      done()
    },
  })
  const log = createLog({ level: 'info', destination })
  const root = { operations: { tracing: { endpoint: collector.endpoint, ratio: 1 } } }
  const tracing = await startTracing(testConfig({ root }), log)
  if (tracing === undefined) throw new Error('tracing is configured')
  request(tracing)
  await tracing.close()
  t.equal(lines.length, 1)
  t.match(JSON.parse(lines[0] ?? ''), {
    level: 'error',
    event: 'tracing.failing',
    reason: 'export',
    error: { class: String },
  })
  t.notMatch(lines[0], /127\.0\.0\.1|v1|Amara/)
})

t.test('TLS is verified, and the client proves itself', async (t) => {
  const own = newCertificate()
  const client = newCertificate({ host: 'smart-bff' })
  const seen: boolean[] = []
  const tls = { ...own, ca: client.cert, requestCert: true, rejectUnauthorized: true }
  const server = createServer(tls, (incoming, response) => {
    seen.push(incoming.headers.authorization === 'Bearer x')
    incoming.resume()
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const endpoint = `https://127.0.0.1:${portOf(server)}/v1/traces`
  const send = async (more: object): Promise<void> => {
    const tracing = { endpoint, ratio: 1, authorization: 'Bearer x', ...more }
    const config = testConfig({ root: { operations: { tracing } } })
    const { tracing: section } = config.operations
    if (section === undefined) throw new Error('tracing is configured')
    const quiet = { failing: () => undefined, recovered: () => undefined }
    const traced = createTracing(config, section, quiet)
    request(traced)
    await traced.close()
  }
  await send({ clientCertificate: client })
  t.same(seen, [], 'nothing goes to whom no authority vouches for')
  await send({ ca: own.cert })
  t.same(seen, [], 'nor without our certificate')
  await send({ ca: own.cert, clientCertificate: client })
  t.same(seen, [true])
})

t.test('production sends spans over TLS alone', (t) => {
  const tracing = { endpoint: 'http://collector.hospital.example/v1/traces' }
  const faultsOf = (raw: object): readonly string[] => {
    const loaded = loadRaw({ ...rawConfig(), ...raw })
    return loaded.ok ? [] : loaded.faults.map(({ key }) => key)
  }
  const at = (section: object, development: boolean): readonly string[] =>
    faultsOf({ development, operations: { tracing: section } }).filter((key) =>
      key.includes('tracing'),
    )
  t.same(at(tracing, false), ['operations.tracing.endpoint'])
  t.same(at(tracing, true), [])
  const secure = { endpoint: 'https://collector.hospital.example/v1/traces' }
  t.same(at(secure, false), [])
  t.same(
    at({ ...secure, accept: true }, false),
    ['operations.tracing.accept'],
    'no proxy, no parent',
  )
  t.same(at({ ...secure, ratio: 1.5 }, false), ['operations.tracing.ratio'])
  t.same(at({ ...secure, ca: 'no certificate' }, false), ['operations.tracing.ca'])
  t.end()
})
