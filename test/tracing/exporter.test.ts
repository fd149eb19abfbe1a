import type { ServerResponse } from 'node:http'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { createTracing } from '../../src/tracing/create-tracing.ts'
import type { Tracing } from '../../src/tracing/tracing.ts'
import { newIncident } from '../../src/web/incident.ts'
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
