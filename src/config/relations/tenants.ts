import type { Draft } from '../draft.ts'
import { type Finding, quote } from '../fault.ts'
import { redirectPathOf } from '../schema/tenant.ts'

export function tenantIdsUnique({ tenants }: Draft): Finding[] {
  return repeated(tenants, ({ id }) => id).map(({ item, value }) => ({
    path: ['tenants', item.index, 'id'],
    found: quote(value),
    expected: 'an id that no other tenant has',
  }))
}

/** A launch finds its tenant by iss, compared byte for byte (DESIGN rule 3). */
export function issUnique({ tenants }: Draft): Finding[] {
  return repeated(tenants, ({ iss }) => iss).map(({ item, value }) => ({
    path: ['tenants', item.index, 'iss'],
    found: quote(value),
    expected: 'an iss that no other tenant has',
  }))
}

/**
 * On one redirect path only the answer's own iss tells the EHRs apart, so all who share it must demand it
 * (DESIGN rule 3; RFC 9207, 4: mix-up attacks).
 */
export function redirectPathsApart({ tenants }: Draft): Finding[] {
  const placed = tenants.flatMap(({ index, id, redirectPath, quirks }) => {
    if (id === undefined) return []
    const path = redirectPathOf(redirectPath === undefined ? { id } : { id, redirectPath })
    return [{ index, path, demandsIss: quirks?.callbackIss === 'required' }]
  })
  return placed.flatMap(({ index, path, demandsIss }) => {
    const shared = placed.some((other) => other.index !== index && other.path === path)
    if (!shared || demandsIss) return []
    return [
      {
        path: ['tenants', index, 'redirectPath'],
        found: `${path}, which another tenant has too`,
        expected: 'a path of its own, or quirks.callbackIss: required at all who share it',
      },
    ]
  })
}

/** Every item whose value stands at an earlier item too. */
export function repeated<T>(items: readonly T[], valueOf: (item: T) => string | undefined) {
  const seen = new Set<string>()
  return items.flatMap((item) => {
    const value = valueOf(item)
    if (value === undefined) return []
    if (seen.has(value)) return [{ item, value }]
    seen.add(value)
    return []
  })
}
