import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Draft } from '../draft.ts'
import type { Finding, Path } from '../fault.ts'
import { readSigningKey } from '../key-material.ts'
import type { Secret } from '../secret.ts'

export function keyIdsUnique({ keys }: Draft): Finding[] {
  return (['encryption', 'pseudonym'] as const).flatMap((purpose) => {
    const ids = (keys[purpose] ?? []).map(({ id }) => id)
    return ids.flatMap((id, index) => {
      if (ids.indexOf(id) === index) return []
      const expected = `an id that no other ${purpose} key has`
      return [{ path: ['keys', purpose, index, 'id'], found: id, expected }]
    })
  })
}

interface PlacedSecret {
  readonly path: Path
  readonly bytes: string
}

/** One secret, one purpose, one place (DESIGN rule 16). Compared as bytes, because base64url has spare bits. */
export function keysForOnePurpose(draft: Draft): Finding[] {
  const placed = placedSecrets(draft)
  return placed.flatMap(({ path, bytes }, index) => {
    const earlier = placed.slice(0, index).some((other) => other.bytes === bytes)
    if (!earlier) return []
    const expected = 'a secret of its own for each key (smart-bff keys new)'
    return [{ path, found: 'a secret that stands at another key too', expected }]
  })
}

function placedSecrets({ keys }: Draft): PlacedSecret[] {
  const named = (purpose: 'encryption' | 'pseudonym') =>
    (keys[purpose] ?? []).map(({ secret }, index) => ({
      path: ['keys', purpose, index, 'secret'],
      bytes: decode(secret.reveal()),
    }))
  const session = (keys.session ?? []).map((secret, index) => ({
    path: ['keys', 'session', index],
    bytes: decode(secret.reveal()),
  }))
  const signing = keys.signing === undefined ? undefined : readSigningKey(keys.signing.reveal())
  const seed = signing?.ok === true ? signing.key.export({ format: 'jwk' }).d : undefined
  const signed = seed === undefined ? [] : [{ path: ['keys', 'signing'], bytes: decode(seed) }]
  return [...named('encryption'), ...session, ...named('pseudonym'), ...signed]
}

const decode = (text: string): string => Buffer.from(text, 'base64url').toString('hex')

export function signingKeyFits({ keys }: Draft): Finding[] {
  if (keys.signing === undefined) return []
  const read = readSigningKey(keys.signing.reveal())
  if (read.ok) return []
  return [{ path: ['keys', 'signing'], found: read.found, expected: read.expected }]
}

/** TLS material must parse at the start, not at the first connection. */
export function certificatesFit(draft: Draft): Finding[] {
  const { audit, listen, operations, store } = draft
  const redis = store !== undefined && 'redis' in store ? store.redis.tls : undefined
  return [
    ...pairFits(['listen', 'tls'], listen?.tls),
    ...pairFits(['operations', 'listen', 'tls'], operations?.listen.tls),
    ...pairFits(['operations', 'staff', 'listen', 'tls'], operations?.staff?.listen?.tls),
    ...bundleFits(['store', 'redis', 'tls', 'ca'], redis?.ca),
    ...pairFits(['store', 'redis', 'tls'], redis),
    ...bundleFits(['audit', 'fhir', 'ca'], audit?.fhir?.ca),
    ...pairFits(['audit', 'fhir', 'clientCertificate'], audit?.fhir?.clientCertificate),
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

function pairFits(path: Path, pair: Pair | undefined): Finding[] {
  if (pair?.cert === undefined && pair?.key === undefined) return []
  const certificate = pair.cert === undefined ? undefined : readCertificate(pair.cert.reveal())
  if (certificate === undefined) {
    const found = pair.cert === undefined ? 'nothing' : 'a text that is no certificate'
    return [{ path: [...path, 'cert'], found, expected: 'a certificate in PEM form' }]
  }
  if (certificate.validToDate.getTime() < Date.now()) {
    const found = `a certificate that ended on ${certificate.validToDate.toISOString().slice(0, 10)}`
    return [{ path: [...path, 'cert'], found, expected: 'a certificate that is still valid' }]
  }
  const matches = pair.key === undefined ? undefined : keyMatches(certificate, pair.key.reveal())
  if (matches === true) return []
  const found = matches === undefined ? 'nothing usable' : 'the key of another certificate'
  return [{ path: [...path, 'key'], found, expected: "the certificate's private key in PEM form" }]
}

function bundleFits(path: Path, bundle: Secret | undefined): Finding[] {
  if (bundle === undefined || readCertificate(bundle.reveal()) !== undefined) return []
  const expected = 'one or more certificates in PEM form'
  return [{ path, found: 'a text that is no certificate', expected }]
}

function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

function keyMatches(certificate: X509Certificate, pem: string): boolean | undefined {
  try {
    return certificate.checkPrivateKey(createPrivateKey(pem))
  } catch {
    return undefined
  }
}
