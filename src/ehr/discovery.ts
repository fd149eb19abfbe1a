import type { Tenant } from '../config/schema/tenant.ts'
import { SmartBffError } from '../errors.ts'
import { parseJsonObject } from '../smart/json.ts'
import type { EhrAnswer, EhrHttp } from './http.ts'
import { readOAuthUris } from './oauth-uris.ts'
import type { ResolvedQuirks } from './quirks.ts'
import { readSmartConfiguration, type SmartConfiguration } from './smart-configuration.ts'

/** One tenant's discovery document: fetched once, renewed in the background, used while broken for a day. */
export interface Discovery {
  current(): Promise<SmartConfiguration>
  /** For people, milliseconds since the epoch: when it was last read, and when that last failed. */
  state(): { readonly readAt: number | undefined; readonly failedAt: number | undefined }
}

export interface DiscoveryDeps {
  readonly tenant: Tenant
  readonly quirks: ResolvedQuirks
  readonly http: EhrHttp
  readonly now: () => number
  /** Told when a renewed document moves an endpoint to another origin: reported, not adopted (DESIGN rule 7). */
  readonly onMoved: (endpoint: string) => void
}

const freshMs = 3_600_000
const usableMs = 86_400_000
const retryAfterFaultMs = 30_000

interface Kept {
  readonly document: SmartConfiguration
  readonly fetchedAt: number
}

export function createDiscovery(deps: DiscoveryDeps): Discovery {
  let kept: Kept | undefined
  let underway: Promise<Kept> | undefined
  let nextTryAt = 0
  let failedAt: number | undefined

  const renew = (): Promise<Kept> => {
    underway ??= fetchDocument(deps)
      .then((document) => {
        kept = { document: adopt(kept?.document, document, deps.onMoved), fetchedAt: deps.now() }
        return kept
      })
      .catch((error: unknown) => {
        failedAt = deps.now()
        nextTryAt = failedAt + retryAfterFaultMs
        throw error
      })
      .finally(() => {
        underway = undefined
      })
    return underway
  }

  return {
    current: async () => {
      const age = kept === undefined ? Infinity : deps.now() - kept.fetchedAt
      if (kept === undefined || age > usableMs) return (await renew()).document
      if (age > freshMs && deps.now() >= nextTryAt) renew().catch(() => undefined)
      return kept.document
    },
    state: () => ({ readAt: kept?.fetchedAt, failedAt }),
  }
}

/** SMART @29: appended to the FHIR base, whose path is kept. Older servers have only `/metadata`. */
async function fetchDocument(deps: DiscoveryDeps): Promise<SmartConfiguration> {
  const { tenant, quirks } = deps
  const answer = await get(deps, '/.well-known/smart-configuration', 'application/json')
  if (absent.has(answer.status)) {
    // Epic answers XML unless JSON is asked for.
    const metadata = await get(deps, '/metadata', 'application/fhir+json, application/json')
    const document = readOAuthUris(parseJsonObject(okBody(metadata)))
    return readSmartConfiguration(document, tenant, quirks)
  }
  return readSmartConfiguration(parseJsonObject(okBody(answer)), tenant, quirks)
}

/** What servers answer that do not know the path. */
const absent = new Set([400, 401, 403, 404, 405, 406, 410, 501])
/** A CapabilityStatement lists every resource with every search parameter. */
const metadataBytesMax = 8_388_608

function get(
  { tenant, quirks, http }: DiscoveryDeps,
  path: string,
  accept: string,
): Promise<EhrAnswer> {
  const base = tenant.iss.endsWith('/') ? tenant.iss.slice(0, -1) : tenant.iss
  return http.send({
    url: new URL(base + path),
    method: 'GET',
    headers: { accept, ...revealed(quirks.discoveryHeaders) },
    ...(path === '/metadata' ? { answerBytesMax: metadataBytesMax } : {}),
  })
}

function okBody({ status, body }: EhrAnswer): string {
  if (status === 200) return body
  throw new SmartBffError('EHR_DISCOVERY_FAILED', { detail: `status ${status}` })
}

const revealed = (headers: ResolvedQuirks['discoveryHeaders']): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()]))

/** The issuer among them: whose id_tokens count, and perhaps where their keys are, hangs on it. */
const endpoints = [
  'issuer',
  'authorizationEndpoint',
  'tokenEndpoint',
  'jwksUri',
  'revocationEndpoint',
  'introspectionEndpoint',
] as const

/**
 * DESIGN rule 7: while an endpoint stands on another origin than before, the old document stays in use. One that is new
 * may stand beside those that are known.
 */
function adopt(
  old: SmartConfiguration | undefined,
  renewed: SmartConfiguration,
  onMoved: (endpoint: string) => void,
): SmartConfiguration {
  if (old === undefined) return renewed
  const known = endpoints.map((name) => originOf(old[name]))
  const moved = endpoints.filter((name) => {
    const origin = originOf(renewed[name])
    if (origin === undefined) return false
    return old[name] === undefined ? !known.includes(origin) : originOf(old[name]) !== origin
  })
  for (const name of moved) onMoved(name)
  return moved.length > 0 ? old : renewed
}

/** An issuer need not be an address: one without an origin stands for itself. */
function originOf(url: string | undefined): string | undefined {
  const origin = url === undefined ? undefined : URL.parse(url)?.origin
  return origin === undefined || origin === 'null' ? url : origin
}
