import { auditEvents } from '../audit/event-names.ts'
import type { AuditRecord } from '../audit/record.ts'
import { errorTable } from '../errors.ts'
import { listGives } from '../smart/scope-lists.ts'
import { titleOf } from '../web/page-texts.ts'
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
  /** What the user read, as it stands on the page. */
  readonly shown: string
  readonly details: readonly { readonly name: string; readonly value: string }[]
  readonly cause: Cause | undefined
  readonly record: AuditRecord
}

export interface Story {
  readonly rows: readonly Row[]
  /** In one sentence what became of the launch. */
  readonly end: string
  readonly opened: boolean
  readonly lives: boolean
  readonly cause: (Cause & { readonly reason: string }) | undefined
  readonly phases: readonly { readonly name: string; readonly took: string }[]
  readonly facts: Facts
  readonly scopes: readonly ScopeRow[]
  readonly context: readonly string[]
}

interface Facts {
  readonly tenant: string | undefined
  readonly mode: string | undefined
  readonly user: string | undefined
  readonly patient: string | undefined
  readonly began: string
}

export interface ScopeRow {
  readonly scope: string
  readonly verdict: 'granted' | 'not granted' | 'not asked for'
}

export function rowOf(record: AuditRecord, zone: string, first = Date.parse(record.time)): Row {
  const at = Date.parse(record.time)
  const denied = record.outcome !== 'success'
  const ended = record.event === 'launch.transition' || record.event === 'session.ended'
  return {
    time: inZone(at, zone),
    since: `+${duration(at - first)}`,
    sentence:
      transitions[record.event === 'launch.transition' ? (record.state ?? '') : ''] ??
      sentenceOf(record.event),
    outcome: record.outcome,
    subject: subjectOf(record),
    shown: denied ? shownFor(record) : '',
    details: detailsOf(record),
    cause: denied || ended ? causeOf(record.reason, denied ? record.state : undefined) : undefined,
    record,
  }
}

/** The code's own sentence; of a reason that is no code, the title of the state's page. */
function shownFor({ reason = '', state = '' }: AuditRecord): string {
  const code = Object.entries(errorTable).find(([name]) => name === reason)?.[1]
  return code?.sentence ?? titleOf(state) ?? ''
}

const transitions: Readonly<Record<string, string>> = {
  active: 'The launch is active again.',
  reauth_required: 'The EHR asked the user to sign in again.',
  superseded: 'The launch was closed because another patient was opened.',
  revoked: 'The launch was closed by order.',
  ended: 'The launch was closed.',
  expired: 'The launch was closed because its time was over.',
}

/** Records of one launch, oldest first: those of the page, and the first and last of all. */
export function storyOf(
  all: {
    readonly records: readonly AuditRecord[]
    readonly opening: readonly AuditRecord[]
    readonly ending: readonly AuditRecord[]
  },
  zone: string,
): Story {
  const { records, opening, ending } = all
  const both = [...opening, ...ending]
  const first = Date.parse(opening[0]?.time ?? '')
  const renewing = renewalsOf(both)
  const last = ending.findLast(
    (record) =>
      isOfLaunch(record.event) && (record.event === 'launch.authorized' || !renewing(record)),
  )
  const scopes = both.findLast(({ granted }) => granted !== undefined)
  const asked = words((scopes ?? both.find(({ requested }) => requested !== undefined))?.requested)
  const worst = worstOf(ending, renewing)
  const cause = worst && causeOf(worst.reason, worst.state)
  return {
    rows: records.map((record) => {
      const row = rowOf(record, zone, first)
      return renewing(record) ? { ...row, sentence: renewals[record.event] ?? row.sentence } : row
    }),
    end: last === undefined ? 'Nothing is known of this launch.' : endOf(last),
    opened:
      last?.event !== 'launch.failed' && both.some(({ event }) => event === 'launch.authorized'),
    lives: last !== undefined && livesAfter(last),
    cause: cause && { ...cause, reason: worst?.reason ?? '' },
    phases: phasesOf(both, last),
    facts: {
      tenant: find(both, 'tenant'),
      mode: find(both, 'mode'),
      user: find(both, 'user'),
      patient: [both.find(({ patient }) => patient !== undefined)?.patient].flat()[0],
      began: Number.isNaN(first) ? '' : inZone(first, zone).slice(0, 19),
    },
    scopes: scopeRows(asked, scopes && words(scopes.granted)),
    context: both.find(({ context }) => context !== undefined)?.context ?? [],
  }
}

const find = (
  records: readonly AuditRecord[],
  name: 'tenant' | 'mode' | 'user',
): string | undefined => records.find((record) => record[name] !== undefined)?.[name]

const isOfLaunch = (event: string): boolean => event.startsWith('launch.')

/** What these events mean once the app has opened. */
const renewals: Readonly<Record<string, string>> = {
  'launch.received': 'The user was sent to the EHR for a new authorization.',
  'launch.authorized': 'The EHR authorized the launch anew.',
  'launch.failed': 'A new authorization did not succeed; the launch stayed as it was.',
}

/**
 * Of a launch that has opened, only the same request can still fail to open it. What other requests began is a new
 * authorization; one that the user gave up, or that somebody else came back from, ends nothing.
 */
function renewalsOf(records: readonly AuditRecord[]): (record: AuditRecord) => boolean {
  const began = records.find(({ event }) => event === 'launch.received')
  const opening = records.find(({ event }) => event === 'launch.authorized')
  return ({ event, request }) =>
    opening !== undefined &&
    Object.hasOwn(renewals, event) &&
    request !== opening.request &&
    request !== began?.request
}

/** A refused launch before a refused request: the one kept the app closed, the other did not. */
function worstOf(
  records: readonly AuditRecord[],
  renewing: (record: AuditRecord) => boolean,
): AuditRecord | undefined {
  const denied = records.filter(({ outcome }) => outcome !== 'success')
  return (
    denied.findLast((record) => isOfLaunch(record.event) && !renewing(record)) ??
    denied.findLast(({ outcome }) => outcome === 'failed') ??
    denied.at(-1)
  )
}

function livesAfter({ event, state }: AuditRecord): boolean {
  if (event === 'launch.authorized') return true
  return event === 'launch.transition' && (state === 'active' || state === 'reauth_required')
}

const ends: Readonly<Record<string, string>> = {
  active: 'The app is open.',
  reauth_required: 'The app is open and asks the user to sign in at the EHR again.',
  superseded: 'The app opened, and was closed because another patient was opened.',
  revoked: 'The app opened, and was closed by order.',
  ended: 'The app opened, and was closed.',
  expired: 'The app opened, and was closed because its time was over.',
}

function endOf({ event, state }: AuditRecord): string {
  if (event === 'launch.authorized') return 'The app opened and is in use.'
  if (event === 'launch.received') {
    return 'The EHR asked to open the app, and the sign-in never came back.'
  }
  if (event === 'launch.transition') return ends[state ?? ''] ?? 'The app was closed.'
  return 'The app did not open.'
}

/** How long each part took: to the EHR and back, in use. */
function phasesOf(records: readonly AuditRecord[], last: AuditRecord | undefined): Story['phases'] {
  const at = (event: string): number | undefined => {
    const record = records.find((one) => one.event === event)
    return record === undefined ? undefined : Date.parse(record.time)
  }
  const received = at('launch.received')
  const exchanged = at('token.exchanged')
  const opened = at('launch.authorized')
  const closed = last !== undefined && !livesAfter(last) ? Date.parse(last.time) : undefined
  return [
    ...phase('From the click to the tokens', received, exchanged),
    ...phase('From the tokens to the open app', exchanged, opened),
    ...(opened === undefined ? phase('From the click to the end', received, closed) : []),
    ...phase('Open', opened, closed),
  ]
}

function phase(name: string, from: number | undefined, to: number | undefined): Story['phases'] {
  return from === undefined || to === undefined || to < from
    ? []
    : [{ name, took: duration(to - from) }]
}

/** `850 ms`, `2.4 s`, `14 min 3 s`, `2 h 5 min`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${String(Math.max(0, Math.round(ms)))} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)]
  return hours > 0
    ? `${String(hours)} h ${String(minutes)} min`
    : `${String(minutes)} min ${String(seconds % 60)} s`
}

/** What was asked for and what came, in whatever spelling: v1 for v2, a wildcard for a type. */
function scopeRows(
  asked: readonly string[],
  granted: readonly string[] | undefined,
): readonly ScopeRow[] {
  if (granted === undefined) return asked.map((scope) => ({ scope, verdict: 'not granted' }))
  const missing = asked.filter((scope) => !listGives(granted, scope))
  const more = granted.filter((scope) => !listGives(asked, scope))
  return [
    ...missing.map((scope) => ({ scope, verdict: 'not granted' as const })),
    ...more.map((scope) => ({ scope, verdict: 'not asked for' as const })),
    ...asked
      .filter((scope) => !missing.includes(scope))
      .map((scope) => ({ scope, verdict: 'granted' as const })),
  ]
}

export function sentenceOf(event: string): string {
  return Object.entries(auditEvents).find(([name]) => name === event)?.[1] ?? event
}

/** `search-type Observation (category=vital-signs, narrowed by patient)`: a plus stands before what we added. */
function subjectOf(record: AuditRecord): string {
  const { interaction, resource, operation, parameters = [] } = record
  const type = resource?.split('/')[0]
  const what = [interaction, operation ?? type].filter(Boolean).join(' ')
  const added = parameters.filter((one) => one.startsWith('+')).map((one) => one.slice(1))
  const given = parameters.filter((one) => !one.startsWith('+')).map(shorter)
  const all = [...given, ...(added.length === 0 ? [] : [`narrowed by ${added.join(', ')}`])]
  const asked = all.length === 0 ? '' : `(${all.join(', ')})`
  return [what, asked].filter(Boolean).join(' ')
}

/** A scope, and so a pseudonym, is long: what is cut stands in the details of the record. */
const shorter = (parameter: string): string =>
  parameter.length > 40 ? `${parameter.slice(0, 39)}…` : parameter

/** Members as the staff read them; tenant, mode, user and patient stand above the story. */
const memberNames = [
  ['rule', 'for'],
  ['resource', 'record'],
  ['status', 'answered'],
  ['upstreamStatus', 'EHR answered'],
  ['count', 'records'],
  ['bytes', 'bytes'],
  ['ms', 'took'],
  ['version', 'version'],
  ['reason', 'reason'],
  ['actor', 'by'],
  ['request', 'incident'],
  ['instance', 'on'],
] as const

function detailsOf(record: AuditRecord): Row['details'] {
  return memberNames.flatMap(([member, name]) => {
    const value = record[member]
    if (value === undefined || (member === 'resource' && !String(value).includes('/'))) return []
    return [{ name, value: member === 'ms' ? `${String(value)} ms` : String(value) }]
  })
}

const words = (text: string | undefined): readonly string[] =>
  (text ?? '').split(' ').filter(Boolean)
