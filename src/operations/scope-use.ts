import type { AuditEvent } from '../audit/event.ts'
import type { Tenant } from '../config/schema/tenant.ts'
import { scopeAction } from '../smart/interactions.ts'
import { listGives } from '../smart/scope-lists.ts'
import { covers, parseScope } from '../smart/scopes.ts'
import type { ScopeAction } from '../smart/scopes.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'
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
    tenants.map(({ id, modes }) => [id, new Map(modes.map((mode) => [mode.id, mode.scopes]))]),
  )
  const hourOf = createClock()
  return {
    heard(event) {
      const { tenant, mode } = event
      if (tenant === undefined || mode === undefined) return
      const scopes = scopesOf.get(tenant)?.get(mode)
      const names = scopes && counted[event.event]?.(event, scopes)
      if (names === undefined || names.length === 0) return
      const hour = hourOf(now())
      counters.add({ tenant, mode: hour.setOf(mode) }, hour.named(names))
    },
    flush: () => counters.flush(),
    stop: () => counters.stop(),
  }
}

/** A date and the names with it cost more than a count: they are made once an hour. */
function createClock(): (at: number) => Hour {
  let known = hourFrom(0)
  return (at) => {
    if (at >= known.until || at < known.until - hourMs) known = hourFrom(at)
    return known
  }
}

type Hour = ReturnType<typeof hourFrom>

function hourFrom(at: number) {
  const text = new Date(at).toISOString()
  const [day, hour] = [text.slice(0, 10), text.slice(11, 13)]
  const sets = new Map<string, string>()
  const named = new WeakMap<readonly string[], readonly string[]>()
  return {
    until: (Math.floor(at / hourMs) + 1) * hourMs,
    setOf: (mode: string) => remembered(sets, mode, () => setOf(mode, day)),
    named: (names: readonly string[]) =>
      remembered(named, names, () => names.map((name) => `${hour}:${name}`)),
  }
}

interface Memory<Key, Value> {
  get(key: Key): Value | undefined
  set(key: Key, value: Value): unknown
}

function remembered<Key, Value>(memory: Memory<Key, Value>, key: Key, make: () => Value): Value {
  const known = memory.get(key)
  if (known !== undefined) return known
  const made = make()
  memory.set(key, made)
  return made
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

/** By what was asked: it stands on the way of every FHIR request, and the configuration does not change. */
const memory = new WeakMap<readonly string[], Map<string, Map<string, readonly string[]>>>()

const asked: Count = ({ interaction = '', resource = '', operation }, scopes) => {
  const byAction = remembered(
    memory,
    scopes,
    () => new Map<string, Map<string, readonly string[]>>(),
  )
  if (operation !== undefined) {
    return remembered(memoryOf(byAction, 'operation'), '', () => scopes.filter(reads).map(usedName))
  }
  const action = actionsOf.get(interaction)
  if (action === undefined || !resourceTypes.has(resource)) return none
  return remembered(memoryOf(byAction, action), resource, () => usersOf(scopes, resource, action))
}

const memoryOf = (byAction: Map<string, Map<string, readonly string[]>>, action: string) =>
  remembered(byAction, action, () => new Map<string, readonly string[]>())

/** An operation such as $everything reads whatever the scopes allow. */
const reads = (scope: string): boolean => /[rs]/.test(parseScope(scope)?.actions ?? '')
const usedName = (scope: string): string => `used:${scope}`
const actionsOf = new Map<string, ScopeAction | undefined>(Object.entries(scopeAction))
const none: readonly string[] = []

const usersOf = (scopes: readonly string[], resource: string, action: ScopeAction) =>
  scopes
    .filter((scope) => {
      const parsed = parseScope(scope)
      const need = { resource, action, patient: true }
      return parsed !== undefined && covers([parsed], need).kind !== 'none'
    })
    .map(usedName)

const counted: Partial<Record<AuditEvent['event'], Count>> = {
  'token.exchanged': exchanged,
  'launch.authorized': identified,
  'token.refreshed': refreshed,
  'fhir.access': asked,
  'fhir.permitted': asked,
  'fhir.written': asked,
  'fhir.uncertain': asked,
}
