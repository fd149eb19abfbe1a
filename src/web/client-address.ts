import proxyAddr from '@fastify/proxy-addr'
import type { IncomingMessage } from 'node:http'

/**
 * The browser's address for requests that never reach Fastify, by the same rule: X-Forwarded-For counts only as far as
 * the configured proxies vouch for it.
 */
export function createClientAddress(
  trustProxy: readonly string[],
): (incoming: IncomingMessage) => string {
  if (trustProxy.length === 0) return (incoming) => incoming.socket.remoteAddress ?? ''
  const trust = proxyAddr.compile([...trustProxy])
  return (incoming) => proxyAddr(incoming, trust)
}
