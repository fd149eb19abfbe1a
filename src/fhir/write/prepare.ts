import type { ResourceRule } from '../../config/schema/rule.ts'
import { awayBytes } from '../away/away.ts'
import { decide } from '../decide.ts'
import { isRefusal, refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import { expectationOf } from '../expectation.ts'
import { parseQuery } from '../query.ts'
import { emptyRequest, printQuery } from '../request.ts'
import { createRestorer } from '../rewriter.ts'
import type { Bound } from '../steps/bind.ts'
import type { Outbound } from '../steps/forward.ts'
import { makeAwayFrom } from '../trip.ts'
import type { Trip } from '../trip.ts'
import { opaqueTag } from './if-match.ts'
import { makeWrite } from './make.ts'
import type { Made, MakeQuestion, Siblings, StoredBytes } from './make.ts'
import { readStored } from './stored.ts'

/** A write as the app asked for it, in a request of its own or as an entry of a bundle. */
export interface WriteAsk {
  readonly body: Uint8Array
  readonly ifMatch: string | undefined
  readonly ifNoneExist: string | undefined
  readonly siblings: Siblings
  /** It came with more than may be parsed on the event loop. */
  readonly large: boolean
}

/** Judged, and ready to be sent. */
export interface PreparedWrite extends Made {
  /** What `If-None-Exist` says, bound to the patient. */
  readonly condition: string | undefined
  /** The EHR showed no such record, and there must still be none when this arrives. */
  readonly absent: boolean
}

/** version named → stored record read, judged, of that version → new record judged (write/answer-write.ts). */
export async function prepareWrite(
  ask: WriteAsk,
  bound: Bound,
  rule: ResourceRule,
  trip: Trip,
): Promise<PreparedWrite | Refusal> {
  if (bound.request.interaction === 'create') {
    const made = await make(ask, bound, undefined, rule, trip)
    if (isRefusal(made)) return made
    const condition = conditionOf(ask, bound, trip)
    return typeof condition === 'object' ? condition : { ...made, condition, absent: false }
  }
  const asked = opaqueTag(ask.ifMatch)
  const upsert = bound.request.interaction === 'update' && rule.upsert === true
  // No header at all, under a rule for EHRs without versions or for records that need not exist yet.
  const unnamed = ask.ifMatch === undefined && (rule.unversioned === true || upsert)
  if (asked === undefined && !unnamed) return refuse('FHIR_VERSION_REQUIRED')
  const stored = await readStored(bound, trip)
  const absent = stored === 'missing'
  if (absent) {
    if (!upsert) return refuse('FHIR_RESOURCE_UNKNOWN')
    // An update that creates needs no version, because there is none.
    if (asked !== undefined) return refuse('FHIR_WRITE_STALE')
  } else if ('kind' in stored) return stored
  const made = await make(ask, bound, absent ? undefined : stored, rule, trip)
  return isRefusal(made) ? made : { ...made, condition: undefined, absent }
}

export function outboundOfWrite(
  { body, etag, condition, absent }: PreparedWrite,
  bound: Bound,
  { launch, deps }: Trip,
): Outbound {
  const { urls } = deps.upstreams.of(launch.view.tenant)
  const { method, contentType } = forms[bound.request.interaction] ?? forms['create']
  return {
    method,
    target: urls.target(bound.sent),
    headers: [
      ...(contentType === undefined ? [] : ['content-type', contentType]),
      ...(condition === undefined ? [] : ['if-none-exist', condition]),
      ...(etag === undefined ? [] : ['if-match', etag]),
      // RFC 9110 13.1.2: nothing that came meanwhile is replaced, nor what the EHR does not show to this user.
      ...(absent ? ['if-none-match', '*'] : []),
      'prefer',
      'return=representation',
    ],
    body: body === undefined ? undefined : bufferOf(body),
  }
}

interface Form {
  readonly method: Outbound['method']
  readonly contentType: string | undefined
}

const forms: Readonly<Record<string, Form>> & { readonly create: Form } = {
  create: { method: 'POST', contentType: 'application/fhir+json' },
  update: { method: 'PUT', contentType: 'application/fhir+json' },
  patch: { method: 'PATCH', contentType: 'application/json-patch+json' },
  delete: { method: 'DELETE', contentType: undefined },
}

/** Here, or in the worker where one of the two records is large. */
async function make(
  ask: WriteAsk,
  bound: Bound,
  stored: StoredBytes | undefined,
  rule: ResourceRule,
  trip: Trip,
): Promise<Made | Refusal> {
  const { launch, deps } = trip
  const { interaction } = bound.request
  if (!isChange(interaction)) throw new TypeError('no write')
  const { body, ifMatch, siblings } = ask
  const question: MakeQuestion = {
    interaction,
    body,
    stored,
    asked: opaqueTag(ifMatch),
    unversioned: rule.unversioned === true,
    siblings,
  }
  const expected = expectationOf(bound, launch.view)
  const large = ask.large || Math.max(body.length, stored?.bytes.length ?? 0) > awayBytes
  if (large) return makeAwayFrom(question, { expected, request: bound.request }, trip)
  const { base } = launch.view
  const restorer = createRestorer({ ...deps, launch: launch.key.launch, base })
  const { urls } = deps.upstreams.of(launch.view.tenant)
  return makeWrite(question, expected, { restorer, urls })
}

function isChange(interaction: string): interaction is MakeQuestion['interaction'] {
  return Object.hasOwn(forms, interaction)
}

/** If-None-Exist is a search: it is decided and bound like one (1.12, row 14). */
function conditionOf(
  { ifNoneExist }: WriteAsk,
  bound: Bound,
  trip: Trip,
): string | undefined | Refusal {
  if (ifNoneExist === undefined) return undefined
  if (ifNoneExist === '') return refuse('FHIR_BODY_INVALID', 'malformed')
  const parameters = parseQuery(ifNoneExist)
  if (isRefusal(parameters)) return parameters
  const { resource } = bound.request
  const search = decide(
    { ...emptyRequest, interaction: 'search-type', resource, parameters },
    trip.launch.view,
  )
  return isRefusal(search) ? search : printQuery(search.sent.parameters)
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
