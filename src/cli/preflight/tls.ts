import type { Tenant } from '../../config/schema/tenant.ts'
import { lookAtTls, type TlsSeen } from '../../ehr/tls.ts'
import { type Finding, inArea } from './finding.ts'

/** SMART @1, @318: TLS 1.2 or newer, with a server that proves itself. */

const say = inArea('TLS')

const soonDays = 30
const dayMs = 86_400_000

export function judgeTls(host: string, seen: TlsSeen, now: Date): Finding {
  if (seen.fault !== undefined) return say.fail(host, faults[seen.fault] ?? seen.fault)
  const { validTo, protocol = 'TLS' } = seen
  if (validTo === undefined) return say.ok(host, protocol)
  const day = validTo.toISOString().slice(0, 10)
  const left = Math.floor((validTo.getTime() - now.getTime()) / dayMs)
  return left < soonDays
    ? say.warn(host, `${protocol}; the certificate ends in ${left} days, on ${day}`)
    : say.ok(host, `${protocol}, certificate until ${day}`)
}

const faults: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet: is a clock wrong?',
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'the certificate is signed by itself: name its authority in upstream.ca',
  SELF_SIGNED_CERT_IN_CHAIN: 'the authority is not known here: name it in upstream.ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the authority is not known here: name it in upstream.ca',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'the server does not send its intermediate certificate, or the authority is not known here',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'the server knows only a TLS older than 1.2',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the server knows only a TLS older than 1.2',
  ECONNREFUSED: 'nothing answers there',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name could not be looked up',
  ETIMEDOUT: 'no answer in time',
  ECONNRESET: 'the connection was cut off: is that a TLS port?',
}

/** Every host the tokens and codes go to, each once. http is for development, which the configuration has judged. */
export async function checkTls(
  tenant: Tenant,
  urls: readonly string[],
  now: Date,
): Promise<readonly Finding[]> {
  const origins = [...new Set(urls.map((url) => new URL(url).origin))]
  return Promise.all(
    origins.map(async (origin) => {
      const { protocol, host } = new URL(origin)
      if (protocol === 'http:') return say.warn(host, 'plain http, for development only')
      if (tenant.upstream.proxy !== undefined) {
        return say.skip(host, 'behind the configured proxy; what follows proves the certificate')
      }
      return judgeTls(host, await lookAtTls(new URL(origin), tenant), now)
    }),
  )
}
