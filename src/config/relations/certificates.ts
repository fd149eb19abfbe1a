import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Draft } from '../draft.ts'
import type { Finding, Path } from '../fault.ts'
import type { Secret } from '../secret.ts'

/** TLS material must be whole, and valid today, at the start and not at the first connection. */
export function certificatesFit(draft: Draft): Finding[] {
  const { audit, listen, operations, store } = draft
  const redis = store !== undefined && 'redis' in store ? store.redis.tls : undefined
  return [
    ...pairFits(['listen', 'tls'], listen?.tls),
    ...pairFits(['operations', 'listen', 'tls'], operations?.listen.tls),
    ...pairFits(['operations', 'staff', 'listen', 'tls'], operations?.staff?.listen?.tls),
    ...bundleFits(['store', 'redis', 'tls', 'ca'], redis?.ca),
    ...pairFits(['store', 'redis', 'tls'], redis),
    ...outboundFits(['audit', 'fhir'], audit?.fhir),
    ...outboundFits(['operations', 'staff', 'oidc'], operations?.staff?.oidc),
    ...outboundFits(['operations', 'tracing'], operations?.tracing),
    ...draft.tenants.flatMap(({ index, upstream }) =>
      outboundFits(['tenants', index, 'upstream'], upstream),
    ),
  ]
}

interface Outbound {
  readonly ca?: Secret | undefined
  readonly clientCertificate?: Pair | undefined
}

const outboundFits = (path: Path, outbound: Outbound | undefined): Finding[] => [
  ...bundleFits([...path, 'ca'], outbound?.ca),
  ...pairFits([...path, 'clientCertificate'], outbound?.clientCertificate),
]

interface Pair {
  readonly cert?: Secret | undefined
  readonly key?: Secret | undefined
}

/** The certificate stands first, then its chain, which is a help only: whoever knows another way to a root goes it. */
function pairFits(path: Path, pair: Pair | undefined): Finding[] {
  if (pair?.cert === undefined && pair?.key === undefined) return []
  const [certificate] = pair.cert === undefined ? [] : readCertificates(pair.cert)
  if (certificate === undefined) {
    const found = pair.cert === undefined ? 'nothing' : notCertificates
    return [{ path: [...path, 'cert'], found, expected: 'a certificate in PEM form' }]
  }
  const invalid = notToday(certificate)
  if (invalid !== undefined) {
    return [
      { path: [...path, 'cert'], found: invalid, expected: 'a certificate that is valid now' },
    ]
  }
  const matches = pair.key === undefined ? undefined : keyMatches(certificate, pair.key.reveal())
  if (matches === true) return []
  const found = matches === undefined ? 'nothing usable' : 'the key of another certificate'
  return [{ path: [...path, 'key'], found, expected: "the certificate's private key in PEM form" }]
}

/** Old and future roots may stand in it, as while one follows another; by itself none of them opens a connection. */
function bundleFits(path: Path, bundle: Secret | undefined): Finding[] {
  if (bundle === undefined) return []
  const [first, ...others] = readCertificates(bundle)
  if (first === undefined) {
    return [{ path, found: notCertificates, expected: 'one or more certificates in PEM form' }]
  }
  const invalid = notToday(first)
  if (invalid === undefined || others.some((one) => notToday(one) === undefined)) return []
  const count = others.length + 1
  const found = count === 1 ? invalid : `${count} certificates of which none is valid now`
  return [{ path, found, expected: 'a certificate of an authority that is valid now' }]
}

const notCertificates = 'a text that is no certificate'

const begin = /(?=-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----)/

/** None where one of them cannot be read: OpenSSL takes those before it, and says nothing of those that follow. */
function readCertificates(pem: Secret): X509Certificate[] {
  const blocks = pem.reveal().split(begin)
  // What people write above the first.
  if (!begin.test(blocks[0] ?? '')) blocks.shift()
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    return []
  }
}

/** In words, where it has ended or has not begun. */
function notToday({ validFromDate, validToDate }: X509Certificate): string | undefined {
  const now = Date.now()
  if (validToDate.getTime() < now) return `a certificate that ended on ${dayOf(validToDate)}`
  if (validFromDate.getTime() > now) return `a certificate that begins on ${dayOf(validFromDate)}`
  return undefined
}

const dayOf = (date: Date): string => date.toISOString().slice(0, 10)

function keyMatches(certificate: X509Certificate, pem: string): boolean | undefined {
  try {
    return certificate.checkPrivateKey(createPrivateKey(pem))
  } catch {
    return undefined
  }
}
