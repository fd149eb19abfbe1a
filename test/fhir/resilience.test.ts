import { gzipSync } from 'node:zlib'
import t from 'tap'
import { createBudget } from '../../src/fhir/resilience/budget.ts'
import { createCircuit } from '../../src/fhir/resilience/circuit.ts'
import { createGate } from '../../src/fhir/resilience/gate.ts'
import { createWorld, launchId, respondWith } from './helper.ts'
import type { World, WorldOptions } from './helper.ts'

const path = `/fhir/${launchId}/Patient/p1`
const patient = { resourceType: 'Patient', id: 'p1' }

async function open(
  t: { teardown(end: () => Promise<void>): void },
  options: WorldOptions = {},
): Promise<World> {
  const world = await createWorld(options)
  t.teardown(() => world.close())
  return world
}

t.test('a circuit opens after failures of two launches, and lets one try', (t) => {
  let now = 0
  const circuit = createCircuit({ failures: 3, openSeconds: 15 }, () => now)
  for (let index = 0; index < 10; index += 1) {
    t.ok(circuit.enter())
    circuit.failure('a')
  }
  t.ok(circuit.enter(), 'one launch alone never opens it')
  circuit.failure('b')
  t.notOk(circuit.enter())
  t.equal(circuit.retryAfterSeconds(), 15)
  now = 15_000
  t.ok(circuit.enter(), 'one try')
  t.notOk(circuit.enter(), 'and only one')
  circuit.failure('a')
  t.notOk(circuit.enter())
  now = 30_000
  t.ok(circuit.enter())
  circuit.success()
  t.ok(circuit.enter())
  t.equal(circuit.retryAfterSeconds(), 0)
  t.end()
})

t.test('a gate lets launches in by turns', async (t) => {
  const gate = createGate({ atOnce: 1, waiting: 5, waitingPerLaunch: 3, waitMs: 1000 })
  t.ok(await gate.enter('a'))
  const order: string[] = []
  const wait = async (launch: string): Promise<void> => {
    const admitted = await gate.enter(launch)
    order.push(admitted ? launch : `${launch} turned away`)
    if (admitted) gate.leave()
  }
  const all = ['a', 'a', 'a', 'a', 'b', 'c', 'd'].map((launch) => wait(launch))
  gate.leave()
  await Promise.all(all)
  t.strictSame(order.toSorted(), ['a', 'a', 'a', 'a turned away', 'b', 'c', 'd turned away'])
  t.ok(order.indexOf('b') < order.lastIndexOf('a'), 'b did not wait for all of a')
  const short = createGate({ atOnce: 1, waiting: 5, waitingPerLaunch: 3, waitMs: 20 })
  t.ok(await short.enter('a'))
  t.notOk(await short.enter('b'), 'waited too long')
  short.leave()
  t.ok(await short.enter('c'))
})

t.test('the bytes held for judging are bounded, for one tenant to half', (t) => {
  const budget = createBudget(100)
  t.ok(budget.take('a', 50))
  t.notOk(budget.take('a', 1))
  t.ok(budget.take('b', 50))
  t.notOk(budget.take('c', 1))
  budget.give('a', 50)
  t.ok(budget.take('c', 1))
  t.end()
})

t.test('a read that meets a broken connection is tried once more, a write never', async (t) => {
  const world = await open(t)
  let asked = 0
  world.ehr.answer = (incoming, outgoing) => {
    asked += 1
    if (asked === 1) incoming.socket.destroy()
    else respondWith(patient)(incoming, outgoing, '')
  }
  t.equal((await world.fetch(path)).status, 200)
  t.equal(asked, 2)
  world.ehr.answer = (incoming) => {
    asked += 1
    incoming.socket.destroy()
  }
  t.equal((await world.fetch(path)).status, 502)
  t.equal(asked, 4)
})

t.test('late, partial and oversized answers are errors', async (t) => {
  const world = await open(t, { tenant: { upstream: { timeoutMs: 200, maxBodyBytes: 2000 } } })
  world.ehr.answer = () => undefined
  const late = await world.fetch(path)
  t.equal(late.status, 504)
  t.equal(late.headers['smart-bff-state'], 'data_unavailable')
  world.ehr.answer = (_, outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'application/fhir+json' })
    outgoing.write('{"resourceType":"Patient","id":"p1"')
  }
  t.equal((await world.fetch(path)).status, 504, 'a body that never ends')
  world.ehr.answer = (_, outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'application/fhir+json', 'content-length': '100' })
    outgoing.write('{"resourceType":"Patient","id":"p1"}')
    setTimeout(() => outgoing.destroy(), 10)
  }
  t.equal((await world.fetch(path)).status, 502, 'less than was promised')
  world.ehr.answer = respondWith({ ...patient, text: { div: 'x'.repeat(3000) } })
  t.equal((await world.fetch(path)).status, 502)
  const big = gzipSync(JSON.stringify({ ...patient, text: { div: 'x'.repeat(1_000_000) } }))
  t.ok(big.length < 2000)
  world.ehr.answer = respondWith(big, 200, { 'content-encoding': 'gzip' })
  t.equal((await world.fetch(path)).status, 502, 'a small body that unfolds')
  world.ehr.answer = respondWith(gzipSync(JSON.stringify(patient)), 200, {
    'content-encoding': 'gzip',
  })
  t.equal((await world.fetch(path)).status, 200)
})

t.test('an EHR that is down is left alone for a while', async (t) => {
  const world = await open(t, {
    tenant: { upstream: { circuit: { failures: 2, openSeconds: 5 } } },
  })
  world.ehr.answer = respondWith({}, 503)
  for (let index = 0; index < 4; index += 1) t.equal((await world.fetch(path)).status, 503)
  t.equal(world.ehr.seen.length, 4, 'one launch alone does not open the circuit')
  const { upstream, urls } = world.deps.upstreams.of(world.tenant)
  const listener = { gone: false, whenGone: undefined, held: 0 }
  await upstream.send({
    method: 'GET',
    target: `${urls.prefix}/Patient/p1`,
    launch: 'another',
    accessToken: 'x',
    headers: [],
    body: undefined,
    listener,
  })
  const answer = await world.fetch(path)
  t.equal(answer.status, 503)
  t.match(answer.headers['retry-after'], /^[45]$/)
  t.equal(world.ehr.seen.length, 5)
})
