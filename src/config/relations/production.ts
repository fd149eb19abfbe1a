import type { Draft, TenantDraft } from '../draft.ts'
import { type Finding, type Path, quote } from '../fault.ts'

/** Shortcuts that need an explicit `development: true` (DESIGN rule 16). */

export function addressesAreSecure(draft: Draft): Finding[] {
  if (draft.development !== false) return []
  return addresses(draft).flatMap(({ path, value }) => {
    if (value === undefined) return []
    const { protocol, hostname } = new URL(value)
    if (protocol !== 'https:') {
      return [{ path, found: quote(value), expected: 'https (http needs development: true)' }]
    }
    if (!isLoopback(hostname)) return []
    const expected = 'an address that other machines reach (loopback needs development: true)'
    return [{ path, found: quote(value), expected }]
  })
}

interface Address {
  readonly path: Path
  readonly value: string | undefined
}

/** `app.upstream` is not among them: the app's container stands beside ours and serves no patient data. */
function addresses(draft: Draft): Address[] {
  const { operations } = draft
  return [
    { path: ['publicUrl'], value: draft.publicUrl },
    { path: ['operations', 'publicUrl'], value: operations?.publicUrl },
    { path: ['operations', 'staff', 'oidc', 'issuer'], value: operations?.staff?.oidc?.issuer },
    { path: ['operations', 'tracing', 'endpoint'], value: operations?.tracing?.endpoint },
    { path: ['audit', 'fhir', 'url'], value: draft.audit?.fhir?.url },
    ...draft.tenants.flatMap(tenantAddresses),
  ]
}

function tenantAddresses(tenant: TenantDraft): Address[] {
  const at = (...rest: Path): Path => ['tenants', tenant.index, ...rest]
  const { issuer: _issuer, ...endpoints } = tenant.quirks?.endpoints ?? {}
  return [
    { path: at('iss'), value: tenant.iss },
    ...(tenant.frameAncestors ?? []).map((value, index) => ({
      path: at('frameAncestors', index),
      value,
    })),
    ...Object.entries(endpoints).map(([name, value]) => ({
      path: at('quirks', 'endpoints', name),
      value,
    })),
  ]
}

const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' ||
  hostname.endsWith('.localhost') ||
  hostname === '[::1]' ||
  hostname.startsWith('127.')

/** Replicas share one Redis; the embedded store dies with its process. */
export function storeIsShared({ development, store }: Draft): Finding[] {
  if (development !== false || store === undefined || 'redis' in store) return []
  const expected = 'redis (the embedded store needs development: true)'
  return [{ path: ['store'], found: 'memory', expected }]
}

export function noLocalStaff({ development, operations }: Draft): Finding[] {
  if (development !== false || operations?.staff?.local === undefined) return []
  const expected = 'oidc (local staff needs development: true)'
  return [{ path: ['operations', 'staff', 'local'], found: 'local staff', expected }]
}
