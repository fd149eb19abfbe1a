import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, type Socket } from 'node:net'
import { portOf } from './http.ts'

/**
 * A hospital's way out: an HTTP proxy that opens tunnels (RFC 9110 9.3.6) and knows names that this machine does not
 * know. Each of them leads to this machine.
 */
export interface ForwardProxy {
  /** With what it asks of its clients, as it stands in a configuration. */
  readonly url: string
  /** `ehr.hospital.example:443`, of each tunnel that was opened. */
  readonly opened: readonly string[]
  /** How often somebody without the right password was sent away. */
  refused(): number
  /** Takes what is asked and answers nothing, or again. */
  answers(answers: boolean): void
  /** Breaks every tunnel that is open. */
  cut(): void
  close(): Promise<void>
}

export interface ForwardProxyOptions {
  readonly user?: string
  readonly password?: string
  /** Spoken with by TLS, under `localhost`. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

export async function startForwardProxy(options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
  const { user, password = '', tls } = options
  const expected = `Basic ${Buffer.from(`${user ?? ''}:${password}`).toString('base64')}`
  const opened: string[] = []
  const sockets = new Set<Socket>()
  let refused = 0
  let silent = false
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    return socket
  }
  const server = tls === undefined ? createServer() : createTlsServer(tls)
  server.on('connection', keep)
  // A client that does not know our certificate leaves.
  server.on('tlsClientError', () => undefined)
  server.on('connect', ({ url: target = '', headers }, down: Socket) => {
    keep(down)
    if (silent) return
    if (user !== undefined && headers['proxy-authorization'] !== expected) {
      refused += 1
      down.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n')
      return
    }
    opened.push(target)
    const up = keep(connect(Number(target.split(':').at(-1)), '127.0.0.1'))
    up.once('connect', () => {
      down.write('HTTP/1.1 200 OK\r\n\r\n')
      up.pipe(down).pipe(up)
    })
    up.once('close', () => down.destroy())
    down.once('close', () => up.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const credentials =
    user === undefined ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${credentials}localhost:${portOf(server)}`,
    opened,
    refused: () => refused,
    answers: (answers) => {
      silent = !answers
    },
    cut,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      cut()
      await closed
    },
  }
}
