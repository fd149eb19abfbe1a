import type { Tenant } from '../config/schema/tenant.ts'
import { errorTable, type UserState } from '../errors.ts'
import { scopeAction, type Interaction } from '../smart/interactions.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'

/**
 * Everything that a span may say: words of closed lists and an HTTP status. There is no member that could hold an id, a
 * URL, a query, a name, a token or an error's text, and each value is held against its list once more on its way out
 * (DESIGN rules 1, 9).
 */
export interface SpanWords {
  /** The configuration's own. */
  readonly tenant?: Pick<Tenant, 'id'> | undefined
  /** What is no type of FHIR stands as `other`. */
  readonly resource?: string | undefined
  readonly interaction?: Interaction | undefined
  readonly decision?: Decision | undefined
  /** What the user was told. */
  readonly state?: UserState | undefined
  /** Ours on a request, the EHR's on a step. */
  readonly status?: number | undefined
  /** Why the EHR gave no answer. */
  readonly fault?: Fault | undefined
}

export type Decision = 'allowed' | 'refused' | 'failed'
export type Fault = (typeof faults)[number]

const decisions: readonly Decision[] = ['allowed', 'refused', 'failed']
const faults = [
  'unreachable',
  'timeout',
  'too_large',
  'encoding',
  'outside',
  'gone',
  'busy',
  'throttled',
  'circuit',
  'memory',
] as const

const lists = {
  resource: resourceTypes,
  interaction: new Set(Object.keys(scopeAction)),
  decision: new Set<string>(decisions),
  state: new Set<string>(Object.values(errorTable).map(({ state }) => state)),
  fault: new Set<string>(faults),
}

export type SpanAttributes = Record<string, string | number>

const incidentForm = /^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}$/

export function incidentAttribute(incident: string): SpanAttributes {
  return incidentForm.test(incident) ? { 'smart_bff.request': incident } : {}
}

export function attributesOf(words: SpanWords, tenants: ReadonlySet<string>): SpanAttributes {
  const attributes: SpanAttributes = {}
  const put = (name: string, value: string | undefined, list: ReadonlySet<string>): void => {
    if (value !== undefined) attributes[`smart_bff.${name}`] = list.has(value) ? value : 'other'
  }
  put('tenant', words.tenant?.id, tenants)
  put('resource', words.resource, lists.resource)
  put('interaction', words.interaction, lists.interaction)
  put('decision', words.decision, lists.decision)
  put('state', words.state, lists.state)
  put('fault', words.fault, lists.fault)
  const { status } = words
  if (status !== undefined && Number.isInteger(status) && status >= 100 && status <= 599) {
    attributes['http.response.status_code'] = status
  }
  return attributes
}

/** As the audit has it: what the user was told says whether somebody decided or something broke. */
export function decisionOf(answer: {
  readonly state: UserState | undefined
  readonly status: number
  /** False: the browser went away before its answer had gone. */
  readonly whole: boolean
}): Decision {
  const { state, status, whole } = answer
  if (!whole || state === 'data_unavailable' || state === 'write_uncertain') return 'failed'
  if (state === undefined && status < 400) return 'allowed'
  return status >= 500 ? 'failed' : 'refused'
}

/** The state that an answer's header names, if it is one. */
export const isUserState = (value: unknown): value is UserState =>
  typeof value === 'string' && lists.state.has(value)
