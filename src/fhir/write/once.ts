import { createHash } from 'node:crypto'
import { errorTable } from '../../errors.ts'
import { isId } from '../../smart/interactions.ts'
import { isJsonObject, parseJsonObject } from '../../smart/json.ts'
import { passedHeaders } from '../answer-headers.ts'
import { awayBytes } from '../away/away.ts'
import { isRefusal, refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import type { Reply } from '../exchange.ts'
import { createRewriter } from '../rewriter.ts'
import type { Bound } from '../steps/bind.ts'
import type { Outbound } from '../steps/forward.ts'
import { rewrite } from '../steps/rewrite.ts'
import { fetchJudged } from '../trip.ts'
import type { Trip } from '../trip.ts'

/**
 * `Idempotency-Key` on a create: FHIR has none, so the first result is remembered for a day (payload hash, status, type,
 * id and version, sealed), and a repeat reads and judges that record again instead of making a second one. A first that
 * was lost on the way stays `write_uncertain`: nobody can tell, and nothing is sent again.
 */
export interface Once {
  readonly kind: 'first'
  /** What came of it. Never throws: an outcome that could not be noted leaves the key uncertain. */
  settle(result: Reply | Refusal | undefined): Promise<void>
}

const dayMs = 24 * 60 * 60 * 1000
/** Visible ASCII, quoted or not (draft-ietf-httpapi-idempotency-key-header, 2.1). */
const keyPattern = /^[\x21-\x7e]{1,255}$/

interface Known {
  readonly hash: string
  readonly status?: number
  readonly id?: string
  readonly version?: string
}

/** Undefined: the app gave no key. A reply or refusal: it was asked before. */
export async function claimOnce(
  outbound: Outbound,
  bound: Bound,
  trip: Trip,
): Promise<Once | Reply | Refusal | undefined> {
  const key = trip.exchange.incoming.headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key !== 'string' || !keyPattern.test(key)) return refuse('REQUEST_INVALID')
  const { launch, deps } = trip
  const { session, launch: id } = launch.key
  const name = digest([id, bound.request.resource ?? '', key])
  const hash = digest([...outbound.headers, String(outbound.body)])
  const seal = (known: Known): string => deps.links.seal('once', id, JSON.stringify(known))
  const claim = seal({ hash })
  const held = await deps.store.claimIdempotent(session, name, claim, dayMs)
  if (held !== undefined) return repeat(deps.links.open('once', id, held), hash, bound, trip)
  return {
    kind: 'first',
    settle: async (result) => {
      try {
        if (result?.kind === 'reply') {
          const text = seal({ hash, status: result.status, ...savedAs(result) })
          await deps.store.putIdempotent(session, name, text, dayMs)
        } else if (result === undefined || errorTable[result.code].state !== 'write_uncertain') {
          // Nothing was saved: the key may be used again.
          await deps.store.deleteIdempotent(session, name, claim)
        }
      } catch (error) {
        deps.log.fault(error, trip.exchange.incident)
      }
    },
  }
}

async function repeat(
  text: string | undefined,
  hash: string,
  bound: Bound,
  trip: Trip,
): Promise<Reply | Refusal> {
  const known = text === undefined ? undefined : readKnown(text)
  if (known === undefined) return refuse('FHIR_WRITE_UNCERTAIN')
  if (known.hash !== hash) return refuse('FHIR_KEY_REUSED')
  if (known.status === undefined) return refuse('FHIR_WRITE_UNCERTAIN')
  const { status, id, version } = known
  const reply = { kind: 'reply', status, headers: {}, patients: [], reason: 'repeated' } as const
  // The EHR did not say what it made: there is nothing to be read again.
  if (id === undefined) return { ...reply, body: Buffer.alloc(0), count: undefined }
  const instance = { ...bound.request, interaction: 'read', id } as const
  const fetched = await fetchJudged(
    { ...bound, request: instance, sent: instance },
    undefined,
    trip,
  )
  if (isRefusal(fetched)) {
    return trip.exchange.upstreamStatus === 404 ? refuse('FHIR_RESOURCE_GONE') : fetched
  }
  const { launch, deps } = trip
  const { base, tenant } = launch.view
  const { urls } = deps.upstreams.of(tenant)
  const request = instance
  const rewriter = createRewriter({ ...deps, launch: launch.key.launch, base, urls, request })
  const { body } = rewrite(fetched.judged, rewriter)
  const path = `${request.resource ?? ''}/${id}${version === undefined ? '' : `/_history/${version}`}`
  const headers = {
    ...passedHeaders({ ...fetched.headers, lastModified: undefined }),
    location: `${rewriter.base}/${path}`,
  }
  return { ...reply, body, headers, count: 1 }
}

/** From the Location, or the record that came back. */
function savedAs({ headers, body }: Reply): { id?: string; version?: string } {
  const [, id, version] =
    /\/([A-Za-z0-9.-]{1,64})(?:\/_history\/([A-Za-z0-9.-]{1,64}))?$/.exec(
      headers['location'] ?? '',
    ) ?? []
  if (id !== undefined) return version === undefined ? { id } : { id, version }
  if (body.length > awayBytes) return {}
  const value = parseJsonObject(body.toString('utf8'))
  const own = value?.['resourceType'] === 'OperationOutcome' ? undefined : value?.['id']
  return typeof own === 'string' && isId(own) ? { id: own } : {}
}

function readKnown(text: string): Known | undefined {
  const value: unknown = JSON.parse(text)
  if (!isJsonObject(value) || typeof value['hash'] !== 'string') return undefined
  const { hash, status, id, version } = value
  return {
    hash,
    ...(typeof status === 'number' ? { status } : {}),
    ...(typeof id === 'string' && isId(id) ? { id } : {}),
    ...(typeof version === 'string' && isId(version) ? { version } : {}),
  }
}

function digest(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}
