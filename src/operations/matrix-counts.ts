import type { AuditEvent } from '../audit/event.ts'
import { listGives } from '../smart/scope-lists.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'
import type { LaunchRecord } from '../vault/record.ts'

/**
 * What one fact adds to a mode's counters. The names are words of closed lists and scopes of the configuration, so
 * neither their number nor their content can be driven from outside, and none can hold PHI. Pure.
 */

/** A code exchange and what came of it, a FHIR answer, or a refusal of one. */
export function countsOfEvent(event: AuditEvent): readonly string[] {
  return counted[event.event]?.(event) ?? none
}

const none: readonly string[] = []

type Count = (event: AuditEvent) => readonly string[]

const contextCounts = ({ context = [] }: AuditEvent): readonly string[] =>
  context.map((member) => `context:${member}`)

/** Scopes that the EHR added are only counted: their text is foreign. */
function scopeCounts({ requested = '', granted = '' }: AuditEvent): readonly string[] {
  const asked = requested.split(' ').filter(Boolean)
  const given = granted.split(' ').filter(Boolean)
  const more = given.some((scope) => !listGives(asked, scope))
  return [
    ...asked.map((scope) => (listGives(given, scope) ? `granted:${scope}` : `withheld:${scope}`)),
    ...(more ? ['added'] : []),
  ]
}

/** Only what the EHR said: a refusal of our own never asked it. */
function typeCounts({ resource = '', upstreamStatus }: AuditEvent): readonly string[] {
  if (upstreamStatus === undefined) return none
  return typeNames.get(resource)?.[answerOf(upstreamStatus)] ?? none
}

/** Made once: they stand on the way of every FHIR request. */
const typeNames = new Map(
  [...resourceTypes].map((type) => [
    type,
    {
      answered: [`type:${type}:answered`],
      refused: [`type:${type}:refused`],
      failed: [`type:${type}:failed`],
    },
  ]),
)

function answerOf(status: number): 'answered' | 'refused' | 'failed' {
  if (status === 401 || status === 403) return 'refused'
  return status >= 500 || status === 429 ? 'failed' : 'answered'
}

const counted: Partial<Record<AuditEvent['event'], Count>> = {
  'token.exchanged': (event) => ['exchanges', ...contextCounts(event), ...scopeCounts(event)],
  'launch.authorized': ({ user }) => ['launches', `user:${user?.kind ?? 'unknown'}`],
  'launch.failed': () => ['failures'],
  'fhir.access': typeCounts,
  'fhir.written': typeCounts,
  'fhir.refused': typeCounts,
  'fhir.failed': typeCounts,
}

export function countsOfRecord({ tokens }: LaunchRecord): readonly string[] {
  const { accessExpiresAt, receivedAt, refresh } = tokens
  const seconds = accessExpiresAt === undefined ? undefined : (accessExpiresAt - receivedAt) / 1000
  return [
    refresh === undefined ? 'refresh:without' : 'refresh:with',
    `lifetime:${lifetimes.find(({ most }) => (seconds ?? Infinity) <= most)?.word ?? longest(seconds)}`,
  ]
}

const lifetimes = [
  { most: 300, word: '5 minutes or less' },
  { most: 600, word: '10 minutes or less' },
  { most: 1800, word: '30 minutes or less' },
  { most: 3600, word: '1 hour or less' },
  { most: 28_800, word: '8 hours or less' },
] as const

const longest = (seconds: number | undefined): string =>
  seconds === undefined ? 'not said' : 'over 8 hours'
