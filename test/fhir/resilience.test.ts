import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { createBudget } from '../../src/fhir/resilience/budget.ts'
import { createCircuit } from '../../src/fhir/resilience/circuit.ts'
import { createGate } from '../../src/fhir/resilience/gate.ts'
import type { Leaver } from '../../src/fhir/resilience/gate.ts'
import { createLaunchRate } from '../../src/fhir/resilience/launch-rate.ts'
import { createPatience } from '../../src/fhir/resilience/patience.ts'
import { createUpstreams } from '../../src/fhir/upstreams.ts'
import { createWorld, launchId, makeTenant, respondWith } from './helper.ts'
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

t.test('a launch has so many requests a minute, and none of the others’', (t) => {
  let now = 5000
  const rate = createLaunchRate(
    () => 3,
    () => now,
  )
  const takes = (launch: string) => [1, 2, 3, 4, 5].map(() => rate.takes(launch))
  t.same(takes('a'), [undefined, undefined, undefined, 60, 60])
  t.equal(rate.takes('b'), undefined)
  now += 59_001
  t.equal(rate.takes('a'), 1)
  now += 999
  t.equal(rate.takes('a'), undefined)
  t.end()
})

t.test(
  'a launch that asks in a circle is told when to come again, and the EHR is left alone',
  async (t) => {
    const world = await open(t, { perMinute: 2 })
    world.ehr.answer = respondWith(patient)
    const answers = []
    for (let index = 0; index < 4; index += 1) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      answers.push(await world.fetch(path))
    }
    t.same(
      answers.map(({ status }) => status),
      [200, 200, 429, 429],
    )
    t.equal(world.ehr.seen.length, 2)
    t.match(answers[3]?.headers, {
      'retry-after': /^[1-6]?\d$/,
      'smart-bff-state': 'data_unavailable',
    })
    t.match(answers[3]?.json(), {
      resourceType: 'OperationOutcome',
      issue: [{ code: 'throttled' }],
    })
    t.match(world.audited.at(-1), { reason: 'FHIR_LAUNCH_BUSY', state: 'data_unavailable' })
  },
)

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

const limits = { atOnce: 1, atOncePerLaunch: 1, waiting: 5, waitingPerLaunch: 3, waitMs: 1000 }

t.test('a gate lets launches in by turns', async (t) => {
  const gate = createGate(limits)
  t.ok(await gate.enter('a'))
  const order: string[] = []
  const wait = async (launch: string): Promise<void> => {
    const admitted = await gate.enter(launch)
    order.push(admitted ? launch : `${launch} turned away`)
    if (admitted) gate.leave(launch)
  }
  const all = ['a', 'a', 'a', 'a', 'b', 'c', 'd'].map((launch) => wait(launch))
  gate.leave('a')
  await Promise.all(all)
  t.strictSame(order.toSorted(), ['a', 'a', 'a', 'a turned away', 'b', 'c', 'd turned away'])
  t.ok(order.indexOf('b') < order.lastIndexOf('a'), 'b did not wait for all of a')
  const short = createGate({ ...limits, waitMs: 20 })
  t.ok(await short.enter('a'))
  t.notOk(await short.enter('b'), 'waited too long')
  short.leave('a')
  t.ok(await short.enter('c'))
})

t.test('one launch never has all the connections, nor a place when nobody listens', async (t) => {
  const gate = createGate({ ...limits, atOnce: 4, atOncePerLaunch: 3 })
  for (let count = 0; count < 3; count += 1) t.ok(await gate.enter('a'))
  const listener: Leaver = { gone: false, whenGone: undefined }
  const fourth = gate.enter('a', listener)
  t.ok(await gate.enter('b'), 'there is room for another, though a waits')
  const fifth = gate.enter('a')
  gate.leave('b')
  let settled = false
  void Promise.resolve(fourth).then(() => (settled = true))
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.notOk(settled, 'the place of b is not for a')
  listener.whenGone?.()
  t.notOk(await fourth, 'the browser went away')
  gate.leave('a')
  t.ok(await fifth)
  t.notOk(await gate.enter('a', { gone: true, whenGone: undefined }))
})

t.test('slow answers to one launch leave the others their turn', async (t) => {
  const world = await open(t, { tenant: { upstream: { connections: 4, timeoutMs: 3000 } } })
  const { upstream, urls } = world.deps.upstreams.of(world.tenant)
  const held: (() => void)[] = []
  world.ehr.answer = (incoming, outgoing) => {
    const answer = (): void => respondWith(patient)(incoming, outgoing, '')
    if (incoming.headers.authorization === 'Bearer slow') held.push(answer)
    else answer()
  }
  const send = (launch: string, accessToken: string): ReturnType<typeof upstream.send> =>
    upstream.send({
      method: 'GET',
      target: `${urls.prefix}/Patient/p1`,
      launch,
      accessToken,
      headers: [],
      body: undefined,
      listener: { gone: false, whenGone: undefined, held: 0 },
    })
  const slow = Array.from({ length: 10 }, () => send('a', 'slow'))
  while (held.length < 3) await new Promise((resolve) => setTimeout(resolve, 5))
  for (const launch of ['b', 'c', 'd']) {
    t.match(await send(launch, 'quick'), { kind: 'answer', status: 200 }, launch)
  }
  t.equal(held.length, 3, 'three of four connections, and no more')
  const timer = setInterval(() => held.splice(0).forEach((answer) => answer()), 5)
  for (const one of await Promise.all(slow)) t.match(one, { kind: 'answer' })
  clearInterval(timer)
})

t.test('Retry-After is honoured: the launch is not sent again before its time', (t) => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const patience = createPatience(() => now)
  patience.told('a', 429, '7')
  t.strictSame(patience.left('a'), { status: 429, seconds: 7 })
  t.equal(patience.left('b'), undefined)
  now += 6_500
  t.strictSame(patience.left('a'), { status: 429, seconds: 1 })
  now += 500
  t.equal(patience.left('a'), undefined)
  patience.told('a', 503, 'Thu, 01 Jan 2026 00:00:20 GMT')
  t.strictSame(patience.left('a'), { status: 503, seconds: 13 })
  patience.told('b', 429, '86400')
  t.strictSame(patience.left('b'), { status: 429, seconds: 60 }, 'a minute at most')
  for (const text of ['0', '-1', 'soon', '', undefined]) {
    patience.told('c', 429, text)
    t.equal(patience.left('c'), undefined, text ?? 'without')
  }
  patience.told('c', 500, '7')
  t.equal(patience.left('c'), undefined)
  t.end()
})

t.test('429 is passed on once, and answered without the EHR until then', async (t) => {
  const world = await open(t)
  world.ehr.answer = respondWith({}, 429, { 'retry-after': '1' })
  for (let repeats = 0; repeats < 3; repeats += 1) {
    const answer = await world.fetch(path)
    t.equal(answer.status, 429)
    t.equal(answer.headers['retry-after'], '1')
  }
  t.equal(world.ehr.seen.length, 1)
  world.ehr.answer = respondWith(patient)
  await new Promise((resolve) => setTimeout(resolve, 1050))
  t.equal((await world.fetch(path)).status, 200)
})

t.test('what unfolds, and what is sent up, counts as held', async (t) => {
  const world = await open(t)
  const { upstreams } = world.deps
  const other = { gone: false, whenGone: undefined, held: 0 }
  const half = 128 * 1_048_576
  t.ok(upstreams.hold(world.tenant, other, half - 100_000))
  const large = { ...patient, text: { div: 'x'.repeat(200_000) } }
  world.ehr.answer = respondWith(gzipSync(JSON.stringify(large)), 200, {
    'content-encoding': 'gzip',
  })
  const refused = await world.fetch(path)
  t.equal(refused.status, 503)
  t.equal(refused.headers['retry-after'], '1')
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  t.ok(upstreams.hold(world.tenant, other, 99_000))
  const up = await world.fetch(`/fhir/${launchId}/Patient/_search`, {
    method: 'POST',
    headers: form,
    body: `_id=${'x'.repeat(2000)}`,
  })
  t.equal(up.status, 503)
  upstreams.release(world.tenant, other)
  t.equal((await world.fetch(path)).status, 200)
  t.ok(upstreams.hold(world.tenant, other, half), 'everything was given back')
})

t.test('the names of content codings are read in any case; no other coding is read', async (t) => {
  const world = await open(t)
  const text = JSON.stringify(patient)
  for (const coding of ['gzip', 'GZIP', 'x-gzip', 'Gzip']) {
    world.ehr.answer = respondWith(gzipSync(text), 200, { 'content-encoding': coding })
    const { status, body } = await world.fetch(path)
    t.equal(status, 200, coding)
    t.match(JSON.parse(body.toString()), { id: patient.id }, coding)
  }
  world.ehr.answer = respondWith(text, 200, { 'content-encoding': 'Identity' })
  t.equal((await world.fetch(path)).status, 200)
  for (const coding of ['br', 'gzip, gzip', 'deflate', 'identity, gzip', '']) {
    world.ehr.answer = respondWith(gzipSync(text), 200, { 'content-encoding': coding })
    t.equal((await world.fetch(path)).status, 502, coding)
  }
})

t.test('a browser that takes nothing is cut, and gives back what it held', async (t) => {
  const world = await open(t, { tenant: { upstream: { timeoutMs: 300 } } })
  const large = { ...patient, text: { div: 'x'.repeat(15_000_000) } }
  world.ehr.answer = respondWith(large)
  const { port } = new URL(world.ours)
  const socket = connect(Number(port), '127.0.0.1')
  socket.on('error', () => undefined)
  socket.pause()
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nsmart-bff: 1\r\ncookie: ${world.cookie}\r\n\r\n`)
  while (world.audited.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  const listener = { gone: false, whenGone: undefined, held: 0 }
  const half = 128 * 1_048_576
  let free = false
  for (let waits = 0; waits < 300 && !free; waits += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    free = world.deps.upstreams.hold(world.tenant, listener, half)
  }
  t.ok(free)
  socket.resume()
  await closed
})

t.test('a browser that goes away while an answer unfolds leaves nothing held', async (t) => {
  const world = await open(t)
  const folded = gzipSync(JSON.stringify({ ...patient, text: { div: 'x'.repeat(15_000_000) } }))
  const browsers: Socket[] = []
  world.ehr.answer = (_, outgoing) => {
    outgoing.writeHead(200, {
      'content-type': 'application/fhir+json',
      'content-encoding': 'gzip',
    })
    outgoing.end(folded, () => browsers.at(-1)?.destroy())
  }
  const { port } = new URL(world.ours)
  for (let times = 1; times <= 5; times += 1) {
    const socket = connect(Number(port), '127.0.0.1')
    browsers.push(socket)
    socket.write(
      `GET ${path} HTTP/1.1\r\nhost: x\r\nsmart-bff: 1\r\ncookie: ${world.cookie}\r\n\r\n`,
    )
    while (world.audited.length < times) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const listener = { gone: false, whenGone: undefined, held: 0 }
  t.ok(world.deps.upstreams.hold(world.tenant, listener, 128 * 1_048_576), 'all of a tenant’s half')
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

t.test('a connection that is never made: a timeout, and nothing was sent', async (t) => {
  const server = createServer(() => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  // It accepts, and never answers the TLS handshake.
  const tenant = makeTenant(`https://127.0.0.1:${port}/fhir`, {
    tenant: { upstream: { timeoutMs: 300 } },
  })
  const upstreams = createUpstreams([tenant])
  t.teardown(async () => {
    server.close()
    await upstreams.close()
  })
  const { upstream } = upstreams.of(tenant)
  const ask = {
    method: 'POST',
    target: '/fhir/Observation',
    launch: 'a',
    accessToken: 'x',
  } as const
  const listener = { gone: false, whenGone: undefined, held: 0 }
  const result = await upstream.send({ ...ask, headers: [], body: Buffer.from('{}'), listener })
  t.match(result, { kind: 'fault', fault: 'timeout', sent: false })
})
