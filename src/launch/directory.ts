import type { Config } from '../config/schema/config.ts'
import type { Mode, Tenant } from '../config/schema/tenant.ts'
import { SmartBffError } from '../errors.ts'
import { redirectPathOf } from '../ehr/quirks.ts'

/** Finds tenants and modes. `iss` is compared byte for byte, before any outbound request (DESIGN rule 3). */
export interface Directory {
  byIss(iss: string): Place
  byPath(tenantId: string, modeId: string): Place
  /** Undefined for a tenant or mode that has left the configuration since the launch began. */
  find(tenantId: string, modeId: string): Place | undefined
  tenantsAt(callbackPath: string): readonly Tenant[]
}

export interface Place {
  readonly tenant: Tenant
  readonly mode: Mode
}

export function createDirectory(config: Config): Directory {
  const byIss = new Map(config.tenants.map((tenant) => [tenant.iss, tenant]))
  const byId = new Map(config.tenants.map((tenant) => [tenant.id, tenant]))

  const find = (tenantId: string, modeId: string): Place | undefined => {
    const tenant = byId.get(tenantId)
    const mode = tenant?.modes.find((one) => one.id === modeId)
    return tenant === undefined || mode === undefined ? undefined : { tenant, mode }
  }

  return {
    find,
    byIss: (iss) => {
      const tenant = byIss.get(iss)
      const mode = tenant?.modes.find((one) => one.launch === 'ehr')
      if (tenant === undefined || mode === undefined) throw new SmartBffError('LAUNCH_ISS_UNKNOWN')
      return { tenant, mode }
    },
    byPath: (tenantId, modeId) => {
      const place = find(tenantId, modeId)
      if (place === undefined) throw new SmartBffError('LAUNCH_MODE_UNKNOWN')
      return place
    },
    tenantsAt: (callbackPath) =>
      config.tenants.filter((tenant) => redirectPathOf(tenant) === callbackPath),
  }
}
