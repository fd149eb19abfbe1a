import { auditEvents } from '../audit/event-names.ts'
import type { AuditRecord } from '../audit/record.ts'
import { causeOf } from './causes.ts'
import type { Cause } from './causes.ts'
import { inZone } from './time-zone.ts'

/** A record as the staff read it. */
export interface Row {
  readonly time: string
  /** Since the first record of the story, `+1.2 s`. */
  readonly since: string
  readonly sentence: string
  readonly outcome: AuditRecord['outcome']
  readonly subject: string
  readonly details: readonly { readonly name: string; readonly value: string }[]
  readonly cause: Cause | undefined
  readonly record: AuditRecord
}

export interface Story {
  readonly rows: readonly Row[]
  /** In one sentence what became of the launch. */
  readonly end: string
  readonly cause: Cause | undefined
  readonly requested: readonly string[]
  readonly granted: readonly string[]
  readonly missing: readonly string[]
  readonly context: readonly string[]
}

export function rowOf(record: AuditRecord, zone: string, first = Date.parse(record.time)): Row {
  const at = Date.parse(record.time)
  const denied = record.outcome !== 'success'
  return {
    time: inZone(at, zone),
    since: `+${((at - first) / 1000).toFixed(1)} s`,
    sentence: sentenceOf(record.event),
    outcome: record.outcome,
    subject: subjectOf(record),
    details: detailsOf(record),
    cause: denied ? causeOf(record.reason, record.state) : undefined,
    record,
  }
}

/** Records of one launch, oldest first. */
export function storyOf(records: readonly AuditRecord[], zone: string): Story {
  const first = Date.parse(records[0]?.time ?? '')
  const rows = records.map((record) => rowOf(record, zone, first))
  const scopes = records.findLast(({ granted }) => granted !== undefined)
  const requested = words(
    scopes?.requested ?? records.find((one) => one.requested !== undefined)?.requested,
  )
  const granted = words(scopes?.granted)
  const last = records.findLast(({ event }) => event.startsWith('launch.'))
  const worst = rows.findLast(({ cause }) => cause !== undefined)
  return {
    rows,
    end: last === undefined ? 'Nothing is known of this launch.' : endOf(last),
    cause: worst?.cause,
    requested,
    granted,
    missing: scopes === undefined ? [] : requested.filter((scope) => !granted.includes(scope)),
    context: records.find(({ context }) => context !== undefined)?.context ?? [],
  }
}

function endOf({ event, state }: AuditRecord): string {
  if (event === 'launch.authorized') return 'The app opened.'
  if (event === 'launch.transition') return `The launch is ${state ?? 'over'}.`
  return sentenceOf(event)
}

function sentenceOf(event: string): string {
  return Object.entries(auditEvents).find(([name]) => name === event)?.[1] ?? event
}

/** `read Patient`, `search-type Observation (category=vital-signs, _count=50)`. */
function subjectOf({ interaction, resource, operation, parameters, state }: AuditRecord): string {
  const what = [interaction, operation ?? resource].filter(Boolean).join(' ')
  const asked =
    parameters === undefined || parameters.length === 0 ? '' : ` (${parameters.join(', ')})`
  return what === '' ? (state ?? asked.trim()) : `${what}${asked}`
}

const shown = [
  'tenant',
  'mode',
  'rule',
  'status',
  'upstreamStatus',
  'count',
  'bytes',
  'ms',
  'version',
  'reason',
  'state',
  'actor',
  'request',
  'instance',
] as const

function detailsOf(record: AuditRecord): Row['details'] {
  return shown.flatMap((name) => {
    const value = record[name]
    return value === undefined ? [] : [{ name, value: String(value) }]
  })
}

const words = (text: string | undefined): readonly string[] =>
  (text ?? '').split(' ').filter(Boolean)
