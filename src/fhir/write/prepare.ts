import { isRefusal, refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import { decide } from '../decide.ts'
import { parseExact } from '../exact-json.ts'
import { expectationOf } from '../expectation.ts'
import type { Expectation } from '../expectation.ts'
import { isJsonObject } from '../../smart/json.ts'
import type { JsonObject } from '../../smart/json.ts'
import { parseQuery } from '../query.ts'
import { emptyRequest, printQuery } from '../request.ts'
import { createRestorer } from '../rewriter.ts'
import type { Bound } from '../steps/bind.ts'
import type { Outbound } from '../steps/forward.ts'
import type { Trip } from '../trip.ts'
import { binaryUrls, bringsBinary } from './attachments.ts'
import { judgeBody, keepsIdentity } from './judge-body.ts'
import { applyPatch, parsePatch } from './json-patch.ts'
import { restoreUrls } from './restore.ts'
import type { Stored } from './stored.ts'

/** Makes of a judged write what goes to the EHR: rebuilt from the judged value, never the bytes that came in. */
export interface PreparedWrite {
  readonly outbound: Outbound
  /** What would be stored, for $validate; undefined for a deletion. */
  readonly result: JsonObject | undefined
}

export function prepareCreate(body: Buffer, bound: Bound, trip: Trip): PreparedWrite | Refusal {
  const expected = expectationOf(bound, trip.launch.view)
  const value = judgeWritten(readBody(body, trip), undefined, expected, trip)
  if (isRefusal(value)) return value
  const { id: _, ...resource } = value
  const condition = conditionOf(bound, trip)
  if (typeof condition === 'object') return condition
  const headers = condition === undefined ? [] : ['if-none-exist', condition]
  return {
    outbound: outbound('POST', bound, trip, 'application/fhir+json', headers, resource),
    result: resource,
  }
}

export function prepareUpdate(
  body: Buffer,
  bound: Bound,
  stored: Stored | undefined,
  trip: Trip,
): PreparedWrite | Refusal {
  const expected = expectationOf(bound, trip.launch.view)
  const value = judgeWritten(readBody(body, trip), stored, expected, trip)
  if (isRefusal(value)) return value
  const headers = versionHeaders(stored)
  return {
    outbound: outbound('PUT', bound, trip, 'application/fhir+json', headers, value),
    result: value,
  }
}

/** The patch is applied to a copy of what is stored, and the result judged like an update's body. */
export function preparePatch(
  body: Buffer,
  bound: Bound,
  stored: Stored,
  trip: Trip,
): PreparedWrite | Refusal {
  const expected = expectationOf(bound, trip.launch.view)
  const read = readBody(body, trip)
  const operations = parsePatch(read.value)
  if (operations === undefined) return refuse('FHIR_BODY_INVALID', 'malformed')
  const value = applyPatch(stored.value, operations)
  if (!isJsonObject(value)) return refuse('FHIR_PATCH_REFUSED')
  if (!keepsIdentity(stored.value, value, expected.resource)) return refuse('FHIR_PATCH_REFUSED')
  const judged = judgeWritten({ ...read, value }, stored, expected, trip)
  if (isRefusal(judged)) return judged
  const headers = versionHeaders(stored)
  const type = 'application/json-patch+json'
  return { outbound: outbound('PATCH', bound, trip, type, headers, operations), result: judged }
}

/** What would be stored: whose it is, and that it leads to no attachment that nobody has judged. */
function judgeWritten(
  { value, attachments }: Read,
  stored: Stored | undefined,
  expected: Expectation,
  { launch, deps }: Trip,
): JsonObject | Refusal {
  const judged = judgeBody(value, expected)
  if (isRefusal(judged) || expected.patient === undefined) return judged
  const { urls } = deps.upstreams.of(launch.view.tenant)
  const known = new Set([...attachments, ...binaryUrls(stored?.value, urls)])
  return bringsBinary(judged, known, urls) ? refuse('FHIR_PATIENT_FOREIGN', 'no_subject') : judged
}

export function prepareDelete(bound: Bound, stored: Stored, trip: Trip): PreparedWrite {
  const headers = versionHeaders(stored)
  return {
    outbound: outbound('DELETE', bound, trip, undefined, headers, undefined),
    result: undefined,
  }
}

/** If-None-Exist is a search: it is decided and bound like one (1.12, row 14). */
function conditionOf(bound: Bound, trip: Trip): string | undefined | Refusal {
  const header = trip.exchange.incoming.headers['if-none-exist']
  if (header === undefined) return undefined
  if (typeof header !== 'string' || header === '') return refuse('FHIR_BODY_INVALID', 'malformed')
  const parameters = parseQuery(header)
  if (isRefusal(parameters)) return parameters
  const { resource } = bound.request
  const search = decide(
    { ...emptyRequest, interaction: 'search-type', resource, parameters },
    trip.launch.view,
  )
  return isRefusal(search) ? search : printQuery(search.sent.parameters)
}

function versionHeaders(stored: Stored | undefined): readonly string[] {
  return stored?.etag === undefined ? [] : ['if-match', stored.etag]
}

interface Read {
  /** Undefined, which no judge passes, for what is not JSON or holds a URL of ours that means nothing. */
  readonly value: unknown
  readonly attachments: ReadonlySet<string>
}

function readBody(body: Buffer, { launch, deps }: Trip): Read {
  const { base } = launch.view
  const restorer = createRestorer({ ...deps, launch: launch.key.launch, base })
  return { value: restoreUrls(parseExact(body), restorer), attachments: restorer.attachments }
}

function outbound(
  method: Outbound['method'],
  bound: Bound,
  { launch, deps }: Trip,
  contentType: string | undefined,
  headers: readonly string[],
  value: unknown,
): Outbound {
  const { urls } = deps.upstreams.of(launch.view.tenant)
  const type = contentType === undefined ? [] : ['content-type', contentType]
  return {
    method,
    target: urls.target(bound.sent),
    headers: [...type, ...headers, 'prefer', 'return=representation'],
    body: value === undefined ? undefined : Buffer.from(JSON.stringify(value)),
  }
}
