import t from 'tap'
import type { Test } from 'tap'
import { createHealth } from '../../src/operations/health.ts'
import { createMetrics } from '../../src/operations/metrics.ts'
import { createOperationsServer } from '../../src/operations/operations-server.ts'

interface Parts {
  audit?: boolean
  store?: () => Promise<void>
}

function start(t: Test, parts: Parts = {}) {
  const state = { audit: parts.audit ?? true, store: parts.store ?? (() => Promise.resolve()) }
  const changes: string[] = []
  const health = createHealth({
    auditHealthy: () => state.audit,
    checkStore: () => state.store(),
    intervalMs: 20,
    timeoutMs: 50,
    onChange: ({ word }) => changes.push(word),
  })
  const metrics = createMetrics({ tenants: [{ id: 'north' }] })
  const server = createOperationsServer({ health, metrics })
  t.teardown(async () => {
    health.close()
    metrics.close()
    await server.close()
  })
  const ready = async () => {
    const { statusCode, body } = await server.inject('/readyz')
    return `${String(statusCode)} ${body.trim()}`
  }
  return { state, health, metrics, server, ready, changes }
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 90))

t.test('readiness: not before good checks and open listeners, not while draining', async (t) => {
  const { health, server, ready, changes } = start(t)
  t.equal(await ready(), '503 starting')
  t.equal((await server.inject('/healthz')).statusCode, 200)
  await health.start()
  t.ok(await health.succeeds(0), 'the checks have come to their end')
  t.equal(await ready(), '503 starting', 'and nobody is to be sent to a port that is not open')
  health.opened()
  t.equal(await ready(), '200 ready')
  health.drain()
  t.equal(await ready(), '503 draining')
  t.same(changes, ['ready', 'draining'])
})

t.test('a store that does not work at the start, then works, then hangs', async (t) => {
  const { health, state, ready } = start(t, { store: () => Promise.reject(new Error('down')) })
  await health.start()
  health.opened()
  t.equal(await ready(), '503 starting')
  state.store = () => Promise.resolve()
  await soon()
  t.equal(await ready(), '200 ready')
  state.store = () => Promise.withResolvers<void>().promise
  await soon()
  t.equal(await ready(), '200 degraded')
  t.same(health.status().reasons, ['store_unavailable'])
})

t.test('an audit that cannot write takes this process out at once', async (t) => {
  const { health, state, ready } = start(t)
  await health.start()
  health.opened()
  state.audit = false
  t.equal(await ready(), '503 unavailable')
  state.audit = true
  t.equal(await ready(), '200 ready')
})

t.test('metrics: what a stranger sends counts as other', async (t) => {
  const { metrics, server } = start(t)
  metrics.launch('refused', 'John Smith', 'LAUNCH_ISS_UNKNOWN')
  for (let index = 0; index < 50; index += 1) {
    const odd = `Smith${String(index)}`
    metrics.fhirRequest({
      resource: odd,
      interaction: odd,
      decision: 'refused',
      tenant: odd,
      seconds: 0.01,
    })
  }
  metrics.fhirRequest({
    resource: 'Patient',
    interaction: 'read',
    decision: 'allowed',
    tenant: 'north',
    seconds: 0.01,
  })
  metrics.refresh('refreshed', 'north')
  metrics.storeFault('launch')
  metrics.auditRefused(2)
  metrics.auditWritten(3, 0.001)
  metrics.circuit('north', true)
  const { body, headers } = await server.inject('/metrics')
  t.match(headers['content-type'], /^text\/plain; version=0\.0\.4/)
  t.notMatch(body, /Smith/)
  t.match(
    body,
    'smart_bff_fhir_requests_total{resource="other",interaction="other",decision="refused",tenant="other"} 50',
  )
  t.match(
    body,
    'smart_bff_launches_total{outcome="refused",tenant="other",code="LAUNCH_ISS_UNKNOWN"} 1',
  )
  t.match(body, 'smart_bff_circuit_open{tenant="north"} 1')
  t.match(body, /nodejs_eventloop_lag_seconds/)
})

t.test('nothing else is here, and nothing is told', async (t) => {
  const { server } = start(t)
  const { statusCode, body, headers } = await server.inject('/healthz/../x?patient=Smith')
  t.equal(statusCode, 404)
  t.equal(body, 'not found\n')
  t.equal(headers['cache-control'], 'no-store')
  t.equal(headers['x-content-type-options'], 'nosniff')
})
