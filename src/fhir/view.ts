import type { OperationRule, ResourceRule, Rule } from '../config/schema/rule.ts'
import type { Mode, Tenant } from '../config/schema/tenant.ts'
import { covers, parseScopes } from '../smart/scopes.ts'
import type { Coverage, ResourceScope, ScopeAction } from '../smart/scopes.ts'
import type { LaunchRecord } from '../vault/record.ts'

/** What the deciders need to know of a launch, and nothing that does I/O. */
export interface LaunchView {
  readonly tenant: Tenant
  readonly mode: Mode
  /** The patient in context (DESIGN rule 6). */
  readonly patient: string | undefined
  /** The EHR's FHIR base without a slash at its end. */
  readonly base: string
  /** Rules that apply to this launch, by resource type. */
  readonly rules: ReadonlyMap<string, readonly ResourceRule[]>
  /** By operation as the rule writes it: `Patient/$everything`. */
  readonly operations: ReadonlyMap<string, OperationRule>
  /** The features that permit a batch or a transaction. */
  readonly bundles: ReadonlyMap<'batch' | 'transaction', string>
  /** What the granted scopes say of a type and an action. */
  covers(resource: string, action: ScopeAction): Coverage
}

export interface Views {
  /** Undefined when the configuration has no such tenant or mode any more. */
  of(record: LaunchRecord): LaunchView | undefined
}

/** Scope strings are read once: launches of one mode share theirs, and a handful of modes is all there is. */
const maxScopeSets = 1000

export function createViews(tenants: readonly Tenant[]): Views {
  const byId = new Map(tenants.map((tenant) => [tenant.id, tenant]))
  const scopeSets = new Map<string, readonly ResourceScope[]>()
  const ruleSets = new Map<Mode, { all: Rules; withoutPatient: Rules }>()
  for (const mode of tenants.flatMap((tenant) => tenant.modes)) {
    ruleSets.set(mode, {
      all: compile(mode.allow),
      withoutPatient: compile(mode.allow.filter(appliesWithoutPatient)),
    })
  }

  const scopesOf = (granted: string): readonly ResourceScope[] => {
    const known = scopeSets.get(granted)
    if (known !== undefined) return known
    if (scopeSets.size >= maxScopeSets) scopeSets.clear()
    const scopes = parseScopes(granted)
    scopeSets.set(granted, scopes)
    return scopes
  }

  const make = (record: LaunchRecord): LaunchView | undefined => {
    const tenant = byId.get(record.tenant)
    const mode = tenant?.modes.find((one) => one.id === record.mode)
    const rules = mode === undefined ? undefined : ruleSets.get(mode)
    if (tenant === undefined || mode === undefined || rules === undefined) return undefined
    const { patient } = record.context
    const scopes = scopesOf(record.scopes.granted)
    // DESIGN rule 6: without a patient, `patient: optional` leaves only the rules that say so.
    const narrowed = patient === undefined && mode.patient !== 'none'
    return {
      tenant,
      mode,
      patient,
      base: tenant.iss.replace(/\/+$/, ''),
      ...(narrowed ? rules.withoutPatient : rules.all),
      covers: (resource, action) =>
        covers(scopes, { resource, action, patient: patient !== undefined }),
    }
  }

  /** Records never change, and one that is opened is kept for the next requests of its launch (vault/remember.ts). */
  const known = new WeakMap<LaunchRecord, LaunchView>()
  return {
    of: (record) => {
      const before = known.get(record)
      if (before !== undefined) return before
      const view = make(record)
      if (view !== undefined) known.set(record, view)
      return view
    },
  }
}

type Rules = Pick<LaunchView, 'rules' | 'operations' | 'bundles'>

function compile(allow: readonly Rule[]): Rules {
  const rules = new Map<string, ResourceRule[]>()
  const operations = new Map<string, OperationRule>()
  const bundles = new Map<'batch' | 'transaction', string>()
  for (const rule of allow) {
    if ('resource' in rule) rules.set(rule.resource, [...(rules.get(rule.resource) ?? []), rule])
    else if ('operation' in rule) operations.set(rule.operation, rule)
    else for (const kind of rule.bundle) bundles.set(kind, rule.feature)
  }
  return { rules, operations, bundles }
}

/** A bundle's entries are each decided by their own rules. */
function appliesWithoutPatient(rule: Rule): boolean {
  return 'bundle' in rule || rule.withoutPatient === true
}
