import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { Pool } from 'undici'
import t from 'tap'
import type { Test } from 'tap'
import { createReading } from '../../src/fhir/resilience/reading.ts'
import { newCertificate } from '../support/certificate.ts'

/** What undici gives is what the EHR sent, in whatever pieces it comes, though the memory is used again and again. */
interface Got {
  readonly headers: Record<string, unknown>
  readonly body: Buffer
  readonly memories: ReadonlySet<ArrayBufferLike>
}

type Cut = (whole: Buffer) => readonly Buffer[]

/** An EHR that answers `/<mark>/<bytes>` in the pieces that `cut` makes of it, each in a packet of its own. */
async function startEhr(t: Test, cut: Cut, secure = false): Promise<string> {
  const answer = (socket: Socket): void => {
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.on('data', (request: Buffer) => {
      const [, mark = '', bytes = ''] = /\/(\w+)\/(\d+)/.exec(request.toString()) ?? []
      void send(socket, cut(answerOf(mark, Number(bytes))))
    })
  }
  const server = secure ? createTlsServer(newCertificate(), answer) : createServer(answer)
  server.listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  return `${secure ? 'https' : 'http'}://127.0.0.1:${String((server.address() as AddressInfo).port)}`
}

async function send(socket: Socket, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    socket.write(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Every few bytes tell whose they are and where they stand. */
function bodyOf(mark: string, bytes: number): Buffer {
  const lines = Array.from(
    { length: Math.ceil(bytes / 4) },
    (_, line) => `${mark}:${String(line)};`,
  )
  return Buffer.from(lines.join('')).subarray(0, bytes)
}

/** A short header that has come long before the last one has. */
function answerOf(mark: string, bytes: number): Buffer {
  const lines = [
    'HTTP/1.1 200 OK',
    `x-mark: ${mark}`,
    `x-long: ${mark.repeat(500)}`,
    `content-length: ${String(bytes)}`,
  ]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), bodyOf(mark, bytes)])
}

function openPool(t: Test, origin: string, connections: number): Pool {
  const pool = new Pool(origin, {
    connections,
    connect: { onread: createReading(), rejectUnauthorized: false },
  })
  t.teardown(() => pool.destroy())
  return pool
}

/** Copies what it is given, as it must; `pauses`: is given no more for a while after each piece. */
function ask(pool: Pool, mark: string, bytes: number, pauses = false): Promise<Got> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const memories = new Set<ArrayBufferLike>()
    let headers: Record<string, unknown> = {}
    pool.dispatch(
      { path: `/${mark}/${String(bytes)}`, method: 'GET' },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_, _status, received) => {
          headers = received
        },
        onResponseData: (controller, chunk) => {
          chunks.push(Buffer.from(chunk))
          if (chunk.length > 14_336) memories.add(chunk.buffer)
          if (!pauses) return
          controller.pause()
          setTimeout(() => controller.resume(), 2)
        },
        onResponseEnd: () => resolve({ headers, body: Buffer.concat(chunks), memories }),
        onResponseError: (_, error) => reject(error),
      },
    )
  })
}

const isWhole = ({ headers, body }: Got, mark: string, bytes: number): boolean =>
  headers['x-mark'] === mark &&
  headers['x-long'] === mark.repeat(500) &&
  body.equals(bodyOf(mark, bytes))

const pieces =
  (size: number): Cut =>
  (whole) =>
    Array.from({ length: Math.ceil(whole.length / size) }, (_, index) =>
      whole.subarray(index * size, (index + 1) * size),
    )

t.test('in pieces of every kind, one after the other and at once', async (t) => {
  for (const secure of [false, true])
    for (const size of [7, 1000, 14_336, 14_337, 65_536, 65_537, 1_000_000]) {
      const pool = openPool(t, await startEhr(t, pieces(size), secure), 4)
      const bytes = size < 1000 ? [0, 1, 3000] : [0, 1, 19_000, 65_536, 300_000]
      const asked = bytes.flatMap((one, index) =>
        ['aa', 'bbb', 'ccccc', 'd'].map((mark) => ({ mark: `${mark}${String(index)}`, one })),
      )
      const got = await Promise.all(asked.map(({ mark, one }) => ask(pool, mark, one)))
      t.ok(
        got.every((answer, index) => isWhole(answer, asked[index]!.mark, asked[index]!.one)),
        `of ${String(size)} bytes${secure ? ', TLS' : ''}`,
      )
    }
})

for (const secure of [false, true])
  t.test(
    `a reader that pauses: what waits for it is not read over${secure ? ', TLS' : ''}`,
    async (t) => {
      const pool = openPool(t, await startEhr(t, pieces(25_000), secure), 4)
      const marks = ['slow1', 'fast2', 'slow3', 'fast4', 'slow5', 'fast6']
      const got = await Promise.all(
        marks.map((mark) => ask(pool, mark, 1_000_000, mark.startsWith('slow'))),
      )
      for (const [index, mark] of marks.entries()) t.ok(isWhole(got[index]!, mark, 1_000_000), mark)
    },
  )

for (const secure of [false, true]) {
  t.test(`the memory is used again${secure ? ', TLS' : ''}`, async (t) => {
    const pool = openPool(t, await startEhr(t, pieces(1_000_000), secure), 2)
    const memories = new Set<ArrayBufferLike>()
    for (let count = 0; count < 50; count += 1) {
      const got = await ask(pool, 'again', 500_000)
      for (const memory of got.memories) memories.add(memory)
    }
    t.ok(memories.size > 0)
    t.ok(memories.size < 10, `${String(memories.size)} for 25 MB`)
  })
}
