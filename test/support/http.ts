import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, LookupFunction } from 'node:net'
import { type Dispatcher, request } from 'undici'

/** Sockets and a small browser-like client for tests that need no browser. */

/** Below the range from which the system gives every outgoing connection a port: nobody takes one of these by chance. */
const portsFrom = 20_000
const portsTo = 32_000

/** A port that was free a moment ago, and its neighbour too. Prefer port 0 where the listener can tell its port. */
export async function freePort(): Promise<number> {
  const port = portsFrom + 2 * Math.floor((Math.random() * (portsTo - portsFrom)) / 2)
  return (await isFree(port)) && (await isFree(port + 1)) ? port : freePort()
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const free = once(server, 'listening').then(
    () => true,
    () => false,
  )
  // Every address of the machine: localhost may be IPv6 too.
  server.listen(port)
  if (!(await free)) return false
  server.close()
  await once(server, 'close')
  return true
}

export function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen')
  return address.port
}

/** Every name is this machine's: for addresses that only a test knows. */
export const toThisMachine: LookupFunction = (_name, _options, done) =>
  done(null, [{ address: '127.0.0.1', family: 4 }])

export interface TestServer {
  readonly port: number
  close(): Promise<void>
}

/** An HTTP server of the test's own on a free loopback port. */
export async function startServer(
  listener: RequestListener,
  host = '127.0.0.1',
): Promise<TestServer> {
  const server = createServer(listener).listen(0, host)
  await once(server, 'listening')
  return {
    port: portOf(server),
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

export interface CookieJar {
  /** By name; the last one set wins, and an expired one is gone. */
  readonly cookies: ReadonlyMap<string, string>
  /** As a Set-Cookie line would. */
  keep(line: string): void
  /** Follows no redirect; sends the cookies and keeps those of the answer. */
  fetch(url: string | URL, init?: RequestInit): Promise<Response>
}

/**
 * One browser's cookies for one site: every cookie is sent to every address it is used with. `send` is `fetch`, or
 * `plainFetch` where a test writes the Sec-Fetch headers itself.
 */
export function createCookieJar(send: typeof plainFetch = fetch): CookieJar {
  const cookies = new Map<string, string>()
  return {
    cookies,
    keep: (line) => keep(cookies, line),
    fetch: async (url, init = {}) => {
      const headers = new Headers(init.headers)
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      if (cookie !== '' && !headers.has('cookie')) headers.set('cookie', cookie)
      const response = await send(url, { redirect: 'manual', ...init, headers })
      for (const line of response.headers.getSetCookie()) keep(cookies, line)
      return response
    },
  }
}

/** Like fetch without redirects, but it sends exactly the headers it is given; fetch writes Sec-Fetch-Mode itself. */
export async function plainFetch(
  url: string | URL,
  init: RequestInit = {},
  dispatcher?: Dispatcher,
): Promise<Response> {
  const answer = await request(url, {
    ...(dispatcher === undefined ? {} : { dispatcher }),
    method: (init.method ?? 'GET') as 'GET',
    headers: Object.fromEntries(new Headers(init.headers)),
    body: typeof init.body === 'string' ? init.body : null,
  })
  const headers = new Headers()
  for (const [name, value] of Object.entries(answer.headers)) {
    for (const one of [value ?? []].flat()) headers.append(name, one)
  }
  const body = await answer.body.arrayBuffer()
  const withoutBody = [101, 204, 205, 304].includes(answer.statusCode)
  return new Response(withoutBody ? null : body, { status: answer.statusCode, headers })
}

function keep(cookies: Map<string, string>, line: string): void {
  const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
  const name = pair.slice(0, pair.indexOf('='))
  if (attributes.some(isExpired)) cookies.delete(name)
  else cookies.set(name, pair.slice(name.length + 1))
}

function isExpired(attribute: string): boolean {
  const [name = '', value = ''] = attribute.split('=')
  if (name.toLowerCase() === 'max-age') return Number(value) <= 0
  return name.toLowerCase() === 'expires' && Date.parse(value) <= Date.now()
}
