import type { AuditEvent } from '../audit/event.ts'
import type { Tenant } from '../config/schema/tenant.ts'
import { scopeAction } from '../smart/interactions.ts'
import { listGives } from '../smart/scope-lists.ts'
import { covers, parseScope } from '../smart/scopes.ts'
import type { ScopeAction } from '../smart/scopes.ts'
import type { Store } from '../store/store.ts'
import { createCounters } from './counters.ts'

/**
 * Which scopes real launches were granted and which the app then used, by the hour, for 90 days: what nobody uses need
 * not be asked for. Counted are scopes of the configuration and plain FHIR scopes, so nothing of a patient can be in it.
 */
export interface ScopeUse {
  /** Hears what the audit hears. */
  heard(event: AuditEvent): void
  flush(): Promise<void>
  stop(): Promise<void>
}

export const keptDays = 90
const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** One set of counters a mode and day, whose names begin with the hour. */
export const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)
export const setOf = (mode: string, day: string): string => `${mode}:${day}`

export interface ScopeUseDeps {
  readonly store: Pick<Store, 'addToMatrix'>
  readonly tenants: readonly Pick<Tenant, 'id' | 'modes'>[]
  readonly now: () => number
  readonly flushMs?: number | undefined
}

export function createScopeUse(deps: ScopeUseDeps): ScopeUse {
  const { store, tenants, now, flushMs } = deps
  const counters = createCounters({ store, lifeMs: (keptDays + 1) * dayMs, flushMs })
  const scopesOf = new Map(
    tenants.flatMap(({ id, modes }) => modes.map((mode) => [`${id}:${mode.id}`, mode.scopes])),
  )
  const clock = createClock()
  return {
    heard(event) {
      const { tenant, mode } = event
      if (tenant === undefined || mode === undefined) return
      const scopes = scopesOf.get(`${tenant}:${mode}`)
      const names = scopes === undefined ? [] : (counted[event.event]?.(event, scopes) ?? [])
      if (names.length === 0) return
      const { day, hour } = clock(now())
      counters.add(
        { tenant, mode: setOf(mode, day) },
        names.map((name) => `${hour}:${name}`),
      )
    },
    flush: () => counters.flush(),
    stop: () => counters.stop(),
  }
}

/** A date costs more than a count; it changes once an hour. */
function createClock(): (at: number) => { readonly day: string; readonly hour: string } {
  let known = { until: 0, day: '', hour: '' }
  return (at) => {
    if (at >= known.until || at < known.until - hourMs) {
      const text = new Date(at).toISOString()
      const until = (Math.floor(at / hourMs) + 1) * hourMs
      known = { until, day: text.slice(0, 10), hour: text.slice(11, 13) }
    }
    return known
  }
}

type Count = (event: AuditEvent, scopes: readonly string[]) => readonly string[]

const words = (text = ''): readonly string[] => text.split(' ').filter(Boolean)

const exchanged: Count = ({ granted, context = [] }, scopes) => {
  const given = words(granted)
  const unasked = given.filter((scope) => !listGives(scopes, scope) && isPlain(scope))
  const launch = ['launch', ...context.map((member) => `launch/${member}`)]
  return [
    'exchanges',
    ...scopes.filter((scope) => listGives(given, scope)).map((scope) => `granted:${scope}`),
    ...unasked.slice(0, 50).map((scope) => `granted:${scope}`),
    ...scopes.filter((scope) => launch.includes(scope)).map((scope) => `used:${scope}`),
  ]
}

/** A granular scope's text is the EHR's: only type and letters may stand here. */
const isPlain = (text: string): boolean =>
  /^(?:patient|user|system)\/[A-Za-z*]{1,64}\.[a-z*]{1,5}$/.test(text) &&
  parseScope(text) !== undefined

const identified: Count = (_event, scopes) =>
  scopes
    .filter((scope) => ['openid', 'fhirUser', 'profile'].includes(scope))
    .map((scope) => `used:${scope}`)

const refreshed: Count = (_event, scopes) =>
  scopes
    .filter((scope) => scope === 'offline_access' || scope === 'online_access')
    .map((scope) => `used:${scope}`)

/** An operation such as $everything reads whatever the scopes allow. */
const asked: Count = ({ interaction, resource, operation }, scopes) => {
  if (operation !== undefined) return scopes.filter((scope) => reads(scope)).map(usedName)
  const action = actionsOf.get(interaction ?? '')
  if (resource === undefined || action === undefined) return []
  return usersOf(scopes, resource, action)
}

const reads = (scope: string): boolean => /[rs]/.test(parseScope(scope)?.actions ?? '')
const usedName = (scope: string): string => `used:${scope}`
const actionsOf = new Map<string, ScopeAction | undefined>(Object.entries(scopeAction))

/** By what was asked: it stands on the way of every FHIR request, and the configuration does not change. */
const memory = new WeakMap<readonly string[], Map<string, readonly string[]>>()

function usersOf(scopes: readonly string[], resource: string, action: ScopeAction) {
  const known = memory.get(scopes) ?? new Map<string, readonly string[]>()
  memory.set(scopes, known)
  const key = `${action}${resource}`
  const names =
    known.get(key) ??
    scopes
      .filter((scope) => {
        const parsed = parseScope(scope)
        const need = { resource, action, patient: true }
        return parsed !== undefined && covers([parsed], need).kind !== 'none'
      })
      .map(usedName)
  known.set(key, names)
  return names
}

const counted: Partial<Record<AuditEvent['event'], Count>> = {
  'token.exchanged': exchanged,
  'launch.authorized': identified,
  'token.refreshed': refreshed,
  'fhir.access': asked,
  'fhir.permitted': asked,
  'fhir.written': asked,
  'fhir.uncertain': asked,
}
