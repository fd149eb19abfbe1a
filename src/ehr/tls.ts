import { isIP } from 'node:net'
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import type { Tenant } from '../config/schema/tenant.ts'
import { tlsOptions } from './http.ts'

/** What an EHR's TLS is like, for people: preflight and the staff site. */
export interface TlsSeen {
  /** Undefined where the certificate is good; else Node's code, such as CERT_HAS_EXPIRED. */
  readonly fault: string | undefined
  /** As TLS names it: `TLSv1.3`. */
  readonly protocol: string | undefined
  readonly validTo: Date | undefined
}

const timeoutMs = 10_000

/** Connects, looks and hangs up: what a browser shows behind its lock. Never throws. */
export function lookAtTls(url: URL, tenant: Tenant): Promise<TlsSeen> {
  return new Promise((resolve) => {
    const host = url.hostname.replaceAll(/[[\]]/g, '')
    const end = (seen: TlsSeen): void => {
      socket.destroy()
      resolve(seen)
    }
    const socket = connect({
      host,
      port: url.port === '' ? 443 : Number(url.port),
      ...(isIP(host) === 0 ? { servername: host } : {}),
      minVersion: 'TLSv1.2',
      timeout: timeoutMs,
      ...tlsOptions(tenant),
    })
    socket.once('secureConnect', () => end(seenOf(socket)))
    socket.once('timeout', () => end(faulty('ETIMEDOUT')))
    socket.once('error', (error: Error & { code?: string }) => end(faulty(error.code ?? 'failed')))
  })
}

const faulty = (fault: string): TlsSeen => ({ fault, protocol: undefined, validTo: undefined })

function seenOf(socket: TLSSocket): TlsSeen {
  const certificate: PeerCertificate = socket.getPeerCertificate()
  const validTo = new Date(certificate.valid_to)
  return {
    fault: undefined,
    protocol: socket.getProtocol() ?? undefined,
    validTo: Number.isNaN(validTo.getTime()) ? undefined : validTo,
  }
}
