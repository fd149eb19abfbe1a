/** Which tenants' circuits this replica holds open, and since when; for people. */
export interface CircuitStates {
  changed(tenant: string, open: boolean): void
  /** Milliseconds since the epoch; undefined while it is closed. */
  openSince(tenant: string): number | undefined
}

export function createCircuitStates(now: () => number): CircuitStates {
  const since = new Map<string, number>()
  return {
    changed(tenant, open) {
      if (open) since.set(tenant, now())
      else since.delete(tenant)
    },
    openSince: (tenant) => since.get(tenant),
  }
}
