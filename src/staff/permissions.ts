/** What each role may do on the staff site; what is not here nobody may. */
export type Role = 'auditor' | 'operator'

export type Permission =
  | 'find'
  /** Who looked at a patient is the privacy office's question. */
  | 'find_patient'
  | 'read_launch'
  | 'export'
  | 'overview'
  | 'tenants'
  | 'integrity'
  | 'end_launches'
  | 'docs'

const granted: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  auditor: new Set([
    'find',
    'find_patient',
    'read_launch',
    'export',
    'overview',
    'tenants',
    'integrity',
    'docs',
  ]),
  operator: new Set(['find', 'read_launch', 'overview', 'tenants', 'end_launches', 'docs']),
}

export function may(roles: readonly Role[], permission: Permission): boolean {
  return roles.some((role) => granted[role].has(permission))
}

/** The roles that the values of the configured claim give; without one nobody comes in. */
export function rolesOf(
  claim: unknown,
  configured: { readonly auditor: readonly string[]; readonly operator: readonly string[] },
): readonly Role[] {
  const values = new Set(
    (Array.isArray(claim) ? claim : [claim]).filter((value) => typeof value === 'string'),
  )
  const roles: readonly Role[] = ['auditor', 'operator']
  return roles.filter((role) => configured[role].some((value) => values.has(value)))
}
