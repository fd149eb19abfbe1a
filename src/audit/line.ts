import type { UserState } from '../errors.ts'
import type { LaunchState } from '../vault/record.ts'
import { createCommon } from './line-common.ts'
import { auditEvents } from './event-names.ts'
import type { AuditEvent } from './event.ts'
import { contextNames, interactions } from './known-names.ts'
import { array, bounded, configured, fit, listed, number, oneOf, unknown, word } from './members.ts'
import { ownParameter } from './own-parameters.ts'
import type { Pseudonyms } from './pseudonyms.ts'
import { reasons } from './reasons.ts'
import { operationName, scopeWriter, searchParameter } from './requested-names.ts'
import type { Vocabulary } from './vocabulary.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'

/**
 * One event to the allow-listed members of DESIGN.md, Stored records, in their order. The line is put together by hand
 * because it stands on the way of every FHIR request; that is safe because no member takes a string as it came: each
 * is a word of a closed list, a number, a pseudonym or a string of a narrow form, none of which needs escaping in
 * JSON. What does not fit is written as `?`: the record stands, the text does not.
 */
export type LineBuilder = (event: AuditEvent, at: number) => string

export interface LineDeps {
  readonly pseudonyms: Pseudonyms
  readonly vocabulary: Vocabulary
  readonly instance: string
}

export function createLineBuilder(deps: LineDeps): LineBuilder {
  const instance = `,"instance":"${fit(deps.instance, /^[A-Za-z0-9._-]{1,128}$/)}"`
  const scopes = scopeWriter(deps.vocabulary.scopes)
  const time = timeWriter()
  const commonOf = createCommon(deps)
  return (event, at) => {
    const common = commonOf(event)
    return (
      time(at) +
      what(event) +
      common.where +
      word('request', event.request, incidentForm) +
      common.who +
      asked(event, deps, scopes) +
      answered(event) +
      listed('reason', event.reason, reasons) +
      word('actor', event.actor, actorForm) +
      instance
    )
  }
}

/** A date costs more than the rest of a line together; within one second only its last digits change. */
function timeWriter(): (at: number) => string {
  let second = Number.NaN
  let front = ''
  return (at) => {
    const now = Math.floor(at / 1000)
    if (now !== second) {
      second = now
      front = `"time":"${new Date(now * 1000).toISOString().slice(0, 20)}`
    }
    return `${front}${String(at - now * 1000).padStart(3, '0')}Z"`
  }
}

const eventNames: ReadonlySet<string> = new Set(Object.keys(auditEvents))
const outcomes = new Set(['success', 'refused', 'failed'])
const states: ReadonlySet<string> = new Set(
  Object.keys({
    authorization_expired: true,
    session_ended: true,
    context_changed: true,
    patient_context_missing: true,
    scope_insufficient: true,
    not_permitted: true,
    write_conflict: true,
    write_uncertain: true,
    data_unavailable: true,
    configuration_invalid: true,
    pending: true,
    active: true,
    reauth_required: true,
    superseded: true,
    revoked: true,
    ended: true,
    expired: true,
  } satisfies Record<UserState | LaunchState | 'pending', true>),
)
const incidentForm = /^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{2}$/
const versionForm = /^[A-Za-z0-9.-]{1,64}$/
const actorForm = /^(?:system|staff|ehr|user|stranger)$/

function what(event: AuditEvent): string {
  return (
    listed('event', event.event, eventNames) +
    listed('outcome', event.outcome, outcomes) +
    listed('state', event.state, states)
  )
}

function asked(event: AuditEvent, deps: LineDeps, scopes: (text: string) => string): string {
  const { vocabulary, pseudonyms } = deps
  return (
    configured('rule', event.rule, vocabulary.rules) +
    listed('interaction', event.interaction, interactions) +
    resourceMember(event, pseudonyms) +
    (event.operation === undefined
      ? ''
      : `,"operation":"${operationName(event.operation, vocabulary)}"`) +
    parametersMember(event, vocabulary) +
    (event.requested === undefined ? '' : `,"requested":"${scopes(event.requested)}"`) +
    (event.granted === undefined ? '' : `,"granted":"${scopes(event.granted)}"`) +
    (event.context === undefined
      ? ''
      : array(
          'context',
          bounded(event.context).map((name) => oneOf(name, contextNames)),
        ))
  )
}

function answered(event: AuditEvent): string {
  return (
    word('version', event.version, versionForm) +
    number('status', event.status, 999) +
    number('upstreamStatus', event.upstreamStatus, 999) +
    number('count', event.count) +
    number('bytes', event.bytes) +
    number('ms', event.ms)
  )
}

const writes: ReadonlySet<string | undefined> = new Set(['create', 'update', 'patch', 'delete'])

/** The id of a written resource is as telling as a patient's, and is searched for in the same way. */
function resourceMember(event: AuditEvent, pseudonyms: Pseudonyms): string {
  const { resource, resourceId, interaction, tenant = '' } = event
  if (resource === undefined) return ''
  const type = oneOf(resource, resourceTypes)
  if (resourceId === undefined || type === unknown || !writes.has(interaction))
    return `,"resource":"${type}"`
  return `,"resource":"${type}/${pseudonyms.resource(tenant, type, resourceId)}"`
}

function parametersMember(event: AuditEvent, vocabulary: Vocabulary): string {
  if (event.parameters === undefined) return ''
  const shown = bounded(event.parameters).map(
    ({ name, value }) =>
      ownParameter(event.event, name, value) ?? searchParameter(name, value, vocabulary),
  )
  return array('parameters', shown)
}
