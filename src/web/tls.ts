import { createServer } from 'node:https'
import type { RequestListener, Server, ServerOptions } from 'node:http'
import type { Secret } from '../config/secret.ts'

/** TLS on a listener of our own, for sites without an ingress: the same for browsers, probes and staff. */
export interface TlsFiles {
  readonly cert: Secret
  readonly key: Secret
}

export function createTlsServer(
  limits: ServerOptions,
  { cert, key }: TlsFiles,
  handler: RequestListener,
): Server {
  return createServer(
    { ...limits, cert: cert.reveal(), key: key.reveal(), minVersion: 'TLSv1.2' },
    handler,
  )
}
