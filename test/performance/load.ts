import { connect } from 'node:net'
import type { Socket } from 'node:net'

/**
 * The browsers of the bench: connections that ask again as soon as they are answered. On plain sockets, because they
 * share a core with the EHR: a client library takes more CPU for a request than the fastest of the proxies, whose core
 * would then wait for its load.
 */
export interface Callers {
  /** A closed loop on so many connections; a wrong answer ends the bench. Answers how long each request took, in ms. */
  run(asked: Asked): Promise<number[]>
  close(): void
}

export interface Asked {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly connections: number
  readonly durationMs: number
}

export function createCallers(origin: string): Callers {
  const callers: Caller[] = []
  return {
    run: async ({ path, headers, connections, durationMs }) => {
      const bytes = requestBytes(new URL(origin), path, headers)
      const finish = performance.now() + durationMs
      while (callers.length < connections) callers.push(createCaller(new URL(origin)))
      const latencies: number[] = []
      await Promise.all(
        callers.slice(0, connections).map((caller) => caller.askUntil(finish, bytes, latencies)),
      )
      return latencies
    },
    close: () => {
      for (const caller of callers) caller.close()
    },
  }
}

function requestBytes({ host }: URL, path: string, headers: Asked['headers']): Buffer {
  const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1')
}

interface Caller {
  askUntil(finish: number, request: Buffer, latencies: number[]): Promise<void>
  close(): void
}

/** One connection, opened when it is needed: a server may have closed it while others had their round. */
function createCaller({ hostname, port }: URL): Caller {
  let socket: Socket | undefined
  let heard: Heard | undefined

  const open = (): Socket => {
    const opened = connect({ host: hostname, port: Number(port), noDelay: true })
    opened.on('data', (chunk: Buffer) => heard?.bytes(chunk))
    opened.on('error', () => undefined)
    opened.on('close', () => {
      if (socket === opened) socket = undefined
      heard?.closed()
    })
    return opened
  }
  const ask = (request: Buffer): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const used = socket !== undefined
    const answer = createAnswer()
    heard = {
      bytes: (chunk) => {
        const fault = answer.add(chunk)
        if (fault !== undefined) reject(new Error(fault))
        else if (answer.whole()) resolve()
      },
      closed: () => {
        // As it was sent the connection was being closed.
        if (used && !answer.begun()) resolve(ask(request))
        else reject(new Error('closed in the middle of an answer'))
      },
    }
    socket ??= open()
    socket.write(request)
    return promise
  }
  return {
    askUntil: async (finish, request, latencies) => {
      while (performance.now() < finish) {
        const started = performance.now()
        // oxlint-disable-next-line no-await-in-loop -- a closed loop
        await ask(request)
        latencies.push(performance.now() - started)
        heard = undefined
      }
    },
    close: () => socket?.destroy(),
  }
}

interface Heard {
  readonly bytes: (chunk: Buffer) => void
  readonly closed: () => void
}

/** As much of HTTP as tells where an answer ends: 200, with its length or in chunks (RFC 9112 6). */
function createAnswer() {
  let head = ''
  let left: number | undefined
  let tail = ''
  const addBody = (bytes: Buffer): string | undefined => {
    if (left === undefined) {
      tail = (tail + bytes.toString('latin1', Math.max(0, bytes.length - 5))).slice(-5)
      return undefined
    }
    left -= bytes.length
    return left < 0 ? 'more than was announced' : undefined
  }
  let inBody = false
  return {
    add: (chunk: Buffer): string | undefined => {
      if (inBody) return addBody(chunk)
      const at = chunk.indexOf('\r\n\r\n')
      if (at < 0) {
        head += chunk.toString('latin1')
        return head.length > 65_536 ? 'no end of the headers' : undefined
      }
      head += chunk.toString('latin1', 0, at)
      const status = head.slice(9, 12)
      if (status !== '200') return `answered ${status}`
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
      if (length === undefined && !/\r\ntransfer-encoding: *chunked/i.test(head)) return 'no length'
      left = length === undefined ? undefined : Number(length)
      inBody = true
      return addBody(chunk.subarray(at + 4))
    },
    begun: (): boolean => head !== '' || inBody,
    whole: (): boolean => inBody && (left === undefined ? tail === '0\r\n\r\n' : left === 0),
  }
}
