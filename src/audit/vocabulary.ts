import type { Tenant } from '../config/schema/tenant.ts'
import { asciiJson } from './ascii-json.ts'

/**
 * The words of the configuration that may stand in a record. A tenant, mode, rule, operation or scope that is not
 * configured came from outside, and is written as `?`. Each word is kept in the form in which it is written.
 */
export interface Vocabulary {
  readonly tenants: ReadonlyMap<string, string>
  readonly modes: ReadonlyMap<string, string>
  readonly rules: ReadonlyMap<string, string>
  readonly operations: ReadonlySet<string>
  readonly parameters: ReadonlySet<string>
  readonly scopes: ReadonlySet<string>
}

export type AuditTenant = Pick<Tenant, 'id' | 'modes'>

const maxFeatureLength = 200

export function createVocabulary(tenants: readonly AuditTenant[]): Vocabulary {
  const modes = tenants.flatMap((tenant) => tenant.modes)
  const rules = modes.flatMap((mode) => mode.allow)
  return {
    tenants: asWritten(tenants.map((tenant) => tenant.id)),
    modes: asWritten(modes.map((mode) => mode.id)),
    rules: asWritten(rules.map((rule) => rule.feature)),
    operations: new Set(
      // A request has the name alone; its type stands in `resource`.
      rules.flatMap((rule) =>
        'operation' in rule ? [rule.operation, rule.operation.replace(/^.*\//, '')] : [],
      ),
    ),
    parameters: new Set(
      rules.flatMap((rule) => {
        if ('search' in rule) return rule.search
        return 'parameters' in rule ? rule.parameters : []
      }),
    ),
    scopes: new Set(modes.flatMap((mode) => mode.scopes)),
  }
}

function asWritten(words: readonly string[]): ReadonlyMap<string, string> {
  return new Map(words.map((word) => [word, asciiJson(word.slice(0, maxFeatureLength))]))
}
