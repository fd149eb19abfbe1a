import { X509Certificate } from 'node:crypto'
import type { Config } from '../config/schema/config.ts'
import type { Tenant } from '../config/schema/tenant.ts'
import { lookAtTls } from '../ehr/tls.ts'
import { parseJsonObject } from '../smart/json.ts'

/** What ends on a day: certificates of ours and of the EHR. Keys of the configuration hold no date; they never end. */
export interface Expiry {
  readonly what: string
  /** Milliseconds since the epoch; undefined where it does not end, or cannot be told. */
  readonly until: number | undefined
  /** In words, where there is no day. */
  readonly instead: string
}

export interface Certificates {
  own(): readonly Expiry[]
  /** Looks at the EHR once an hour at most. */
  ofTenant(tenant: Tenant): Promise<readonly Expiry[]>
}

const lookAgainMs = 3_600_000

export function createCertificates(
  { listen, operations }: Pick<Config, 'listen' | 'operations'>,
  deps: { readonly now: () => number; readonly look?: typeof lookAtTls },
): Certificates {
  const { now, look = lookAtTls } = deps
  const seen = new Map<string, { readonly at: number; readonly expiry: Promise<Expiry> }>()

  function ehr(tenant: Tenant): Promise<Expiry> {
    const known = seen.get(tenant.id)
    if (known !== undefined && now() - known.at < lookAgainMs) return known.expiry
    const expiry = lookAt(tenant, look)
    seen.set(tenant.id, { at: now(), expiry })
    return expiry
  }
  return {
    own: () => [
      ...ofPem('Certificate of the app’s listener', listen.tls?.cert.reveal()),
      ...ofPem('Certificate of the operations listener', operations.listen.tls?.cert.reveal()),
      ...ofPem('Certificate of the staff site', operations.staff?.listen?.tls?.cert.reveal()),
    ],
    ofTenant: async (tenant) => {
      const { clientCertificate, ca } = tenant.upstream
      return [
        await ehr(tenant),
        ...ofPem('Client certificate for the EHR', clientCertificate?.cert.reveal()),
        ...ofPem('Authority of the EHR (ca)', ca?.reveal()),
        ...ofKeys(tenant),
      ]
    },
  }
}

async function lookAt(tenant: Tenant, look: typeof lookAtTls): Promise<Expiry> {
  const url = new URL(tenant.iss)
  const what = `Certificate of ${url.host}`
  const none = (instead: string): Expiry => ({ what, until: undefined, instead })
  if (url.protocol === 'http:') return none('plain http, for development only')
  if (tenant.upstream.proxy !== undefined) return none('behind the configured proxy')
  const { fault, validTo } = await look(url, tenant)
  return fault === undefined && validTo !== undefined
    ? { what, until: validTo.getTime(), instead: '' }
    : none(fault ?? 'not told')
}

const block = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** Of a chain or a bundle the one that ends first. */
function ofPem(what: string, pem: string | undefined): readonly Expiry[] {
  if (pem === undefined) return []
  const ends = [...pem.matchAll(block)].map(([text]) =>
    new X509Certificate(text).validToDate.getTime(),
  )
  const until = ends.length === 0 ? undefined : Math.min(...ends)
  return [{ what, until, instead: until === undefined ? 'not told' : '' }]
}

/** A JWK may carry its certificate (RFC 7517 4.7). */
function ofKeys({ client }: Tenant): readonly Expiry[] {
  if (client.auth !== 'private_key_jwt') return []
  return client.keys.map(({ kid, alg, key }, index) => {
    const use = index === 0 ? 'signs' : 'published'
    const what = `Client key ${kid} (${alg}, ${use})`
    const text = key.reveal().trim()
    const chain = text.startsWith('{') ? parseJsonObject(text)?.['x5c'] : undefined
    const first: unknown = Array.isArray(chain) ? chain[0] : undefined
    if (typeof first !== 'string')
      return { what, until: undefined, instead: 'does not end by itself' }
    const until = new X509Certificate(Buffer.from(first, 'base64')).validToDate.getTime()
    return { what, until, instead: '' }
  })
}
