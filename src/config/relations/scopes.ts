import type { Draft } from '../draft.ts'
import { type Finding, quote } from '../fault.ts'
import { eachMode } from './modes.ts'
import { repeated } from './tenants.ts'

/** SMART App Launch 2.2, scopes for clinical data: v1 `.read .write .*`, v2 `.cruds` in this order, with a query. */
const clinical =
  /^(patient|user)\/(\*|[A-Z][A-Za-z]{1,63})\.(read|write|\*|(?=[cruds])c?r?u?d?s?(\?[!-~]{1,400})?)$/

/** A v1 scope has no place for a record filter (SMART App Launch 2.2, `permission-v1`). */
export function scopesFitTheirVersion(draft: Draft): Finding[] {
  return eachMode(draft, ({ scopes }, path, { quirks }) =>
    quirks?.scopeVersion !== 'v1'
      ? []
      : scopes.flatMap((scope, index) =>
          clinicalPrefix.test(scope) && scope.includes('?')
            ? [
                {
                  path: [...path, 'scopes', index],
                  found: quote(scope),
                  expected: 'no query part, because quirks.scopeVersion is v1',
                },
              ]
            : [],
        ),
  )
}

/** Prefixes that are ours to judge; every other scope is the EHR's own affair. */
const clinicalPrefix = /^(patient|user|system)\//

export function scopesAreWellFormed(draft: Draft): Finding[] {
  return eachMode(draft, ({ scopes }, path) => {
    const malformed = scopes.flatMap((scope, index) => {
      if (!clinicalPrefix.test(scope) || clinical.test(scope)) return []
      const expected = scope.startsWith('system/')
        ? 'patient/ or user/ scopes (system/ is for backend services)'
        : 'a scope such as patient/Observation.rs'
      return [{ path: [...path, 'scopes', index], found: quote(scope), expected }]
    })
    const placed = scopes.map((scope, index) => ({ scope, index }))
    const twice = repeated(placed, ({ scope }) => scope).map(({ item, value }) => ({
      path: [...path, 'scopes', item.index],
      found: quote(value),
      expected: 'each scope once',
    }))
    return [...malformed, ...twice]
  })
}
