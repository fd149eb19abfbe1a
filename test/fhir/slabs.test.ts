import { connect } from 'node:net'
import type { Socket } from 'node:net'
import t from 'tap'
import { createSlabs } from '../../src/fhir/resilience/slabs.ts'
import type { Borrower } from '../../src/fhir/resilience/slabs.ts'
import { createWorld, launchId, respondWith } from './helper.ts'
import type { World } from './helper.ts'

const borrower = (): Borrower & { readonly borrowed: Buffer[] } => ({ borrowed: [] })

t.test('two requests never hold the same memory', (t) => {
  const slabs = createSlabs()
  const [one, other] = [borrower(), borrower()]
  const buffers = [
    slabs.lend(one, 10_000),
    slabs.lend(one, 10_000),
    slabs.lend(other, 10_000),
    slabs.lend(other, 16_384),
  ]
  t.equal(new Set(buffers.map(({ buffer }) => buffer)).size, buffers.length)
  t.same(
    buffers.map(({ length }) => length),
    [10_000, 10_000, 10_000, 16_384],
    'exactly what was asked for',
  )
  t.end()
})

t.test('what is given back is lent again, once', (t) => {
  const slabs = createSlabs()
  const first = borrower()
  const { buffer } = slabs.lend(first, 10_000)
  slabs.giveBack(first)
  slabs.giveBack(first)
  const [second, third] = [borrower(), borrower()]
  t.equal(slabs.lend(second, 9000).buffer, buffer)
  t.not(slabs.lend(third, 9000).buffer, buffer, 'it was given back twice and lies ready once')
  t.end()
})

t.test('what is no longer needed is lent again while the answer is on its way, and once', (t) => {
  const slabs = createSlabs()
  const one = borrower()
  const received = slabs.lend(one, 10_000)
  const sent = slabs.lend(one, 10_000)
  slabs.keepOnly(one, sent.subarray(100, 200))
  const [second, third] = [borrower(), borrower()]
  t.equal(slabs.lend(second, 9000).buffer, received.buffer)
  t.not(slabs.lend(third, 9000).buffer, sent.buffer, 'it is still on its way')
  slabs.giveBack(one)
  t.equal(slabs.lend(third, 9000).buffer, sent.buffer)
  t.not(slabs.lend(borrower(), 9000).buffer, received.buffer, 'somebody has it')
  t.end()
})

t.test('an answer that stands elsewhere needs nothing of what was lent', (t) => {
  const slabs = createSlabs()
  const one = borrower()
  const { buffer } = slabs.lend(one, 10_000)
  slabs.keepOnly(one, Buffer.from('elsewhere'))
  t.equal(slabs.lend(borrower(), 10_000).buffer, buffer)
  slabs.keepOnly({}, Buffer.from('nothing was lent'))
  t.end()
})

t.test('what is not given back is never lent again', (t) => {
  const slabs = createSlabs()
  const gone = slabs.lend(borrower(), 10_000)
  for (let count = 0; count < 100; count += 1) {
    t.not(slabs.lend(borrower(), 10_000).buffer, gone.buffer)
  }
  t.end()
})

t.test('a large one is memory of its own, and so is that of who never gives back', (t) => {
  const slabs = createSlabs()
  const one = borrower()
  // A larger one is handed over to the worker with its memory, so it must be nobody else's.
  for (const bytes of [1_048_577, 5_000_000]) {
    t.equal(slabs.lend(one, bytes).buffer.byteLength, bytes)
  }
  t.equal(slabs.lend({}, 10_000).buffer.byteLength, 10_000)
  t.equal(slabs.lend(one, 100).length, 100, 'a small one is shared out by Node')
  t.same(one.borrowed, [])
  t.end()
})

t.test('what lies ready is bounded', (t) => {
  const slabs = createSlabs()
  const one = borrower()
  const lent = Array.from({ length: 100 }, () => slabs.lend(one, 1_048_576).buffer)
  slabs.giveBack(one)
  const other = borrower()
  const again = Array.from({ length: 100 }, () => slabs.lend(other, 1_048_576).buffer)
  t.equal(again.filter((buffer) => lent.includes(buffer)).length, 32, 'of 100 MiB 32 are kept')
  t.end()
})

t.test(
  'a slow reader, fast ones and a browser that goes away: each has its own answer',
  async (t) => {
    const world = await createWorld()
    t.teardown(() => world.close())
    world.ehr.answer = (incoming, outgoing) => {
      const mark = /date=(\d+)/.exec(incoming.url ?? '')?.[1] ?? ''
      respondWith(searchset(world.tenant.iss, mark))(incoming, outgoing, '')
    }
    let last = 1000
    const ask = (): { readonly mark: string; readonly path: string } => {
      const mark = String((last += 1))
      return { mark, path: `/fhir/${launchId}/Observation?date=${mark}` }
    }
    const fast = async (): Promise<void> => {
      const { path, mark } = ask()
      t.ok(isOwn((await world.fetch(path)).body, mark), 'a fast one')
    }
    // One after the other on one connection that nobody reads: more than the system's buffers hold.
    const slow = Array.from({ length: 24 }, ask)
    const paths = slow.map(({ path }) => path)
    const socket = askAtOnce(world, paths)
    const gone = askAtOnce(world, [ask().path])
    await Promise.all(Array.from({ length: 8 }, fast))
    gone.destroy()
    for (let wave = 0; wave < 8; wave += 1) await Promise.all(Array.from({ length: 6 }, fast))
    const bodies = await readAnswers(socket, slow.length)
    t.equal(bodies.length, slow.length)
    for (const [index, body] of bodies.entries()) {
      t.ok(isOwn(body, slow[index]?.mark ?? ''), 'one that was read late')
    }
  },
)

const count = 400

/** Less than what the worker judges. */
const searchset = (iss: string, mark: string): object => ({
  resourceType: 'Bundle',
  type: 'searchset',
  entry: Array.from({ length: count }, (_, index) => ({
    fullUrl: `${iss}/Observation/o${String(index)}`,
    resource: {
      resourceType: 'Observation',
      id: `o${String(index)}`,
      subject: { reference: 'Patient/p1' },
      valueString: `${mark} `.repeat(400),
    },
  })),
})

/** Bytes of another answer in it make it no JSON, or give it another mark. */
function isOwn(body: Buffer, mark: string): boolean {
  const text = body.toString()
  return text.split(`${mark} `.repeat(400)).length === count + 1 && JSON.parse(text) !== undefined
}

function askAtOnce(world: World, paths: readonly string[]): Socket {
  const { hostname, port } = new URL(world.ours)
  const headers = Object.entries(world.headers()).map(([name, value]) => `${name}: ${value}\r\n`)
  const socket = connect(Number(port), hostname)
  socket.pause()
  for (const path of paths) {
    socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n${headers.join('')}\r\n`)
  }
  return socket
}

/** The bodies of so many answers. */
async function readAnswers(socket: Socket, wanted: number): Promise<readonly Buffer[]> {
  const bodies: Buffer[] = []
  let held = Buffer.alloc(0)
  for await (const chunk of socket) {
    held = Buffer.concat([held, chunk as Buffer])
    for (;;) {
      const head = held.indexOf('\r\n\r\n')
      const length = Number(
        /content-length: (\d+)/i.exec(held.toString('latin1', 0, Math.max(head, 0)))?.[1],
      )
      if (head === -1 || held.length < head + 4 + length) break
      bodies.push(Buffer.from(held.subarray(head + 4, head + 4 + length)))
      held = held.subarray(head + 4 + length)
    }
    if (bodies.length === wanted) break
  }
  return bodies
}
