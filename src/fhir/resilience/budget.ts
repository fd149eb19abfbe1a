/**
 * How many bytes of answers are held for judging, in the process and for one tenant (DESIGN rule 17): 256 MiB, half of
 * it for one tenant. An answer that does not fit is refused; it is not kept waiting with its bytes in hand.
 */
export interface Budget {
  /** False: no room. */
  take(tenant: string, bytes: number): boolean
  give(tenant: string, bytes: number): void
}

const budgetBytesMax = 256 * 1_048_576

export function createBudget(maxBytes: number = budgetBytesMax): Budget {
  const byTenant = new Map<string, number>()
  let total = 0
  return {
    take: (tenant, bytes) => {
      const own = byTenant.get(tenant) ?? 0
      if (total + bytes > maxBytes || own + bytes > maxBytes / 2) return false
      total += bytes
      byTenant.set(tenant, own + bytes)
      return true
    },
    give: (tenant, bytes) => {
      total -= bytes
      byTenant.set(tenant, (byTenant.get(tenant) ?? 0) - bytes)
    },
  }
}
