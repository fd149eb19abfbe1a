/**
 * A circuit for one tenant's FHIR base: after so many failures in a row it answers at once for a while, then lets one
 * request try (DESIGN, forward). Failures of one launch alone never open it: what one user asks for may be at fault.
 */
export interface Circuit {
  /** True when a request may go; it must then be noted with `success` or `failure`, or given back with `cancel`. */
  enter(): boolean
  success(): void
  failure(launch: string): void
  cancel(): void
  /** Seconds until a try is let through; 0 while closed. */
  retryAfterSeconds(): number
}

export interface CircuitLimits {
  readonly failures: number
  readonly openSeconds: number
}

export function createCircuit(
  limits: CircuitLimits,
  now: () => number,
  onChange: (open: boolean) => void = () => undefined,
): Circuit {
  let failures = 0
  let launches = new Set<string>()
  let openUntil = 0
  let probing = false

  const reset = (): void => {
    if (openUntil !== 0) onChange(false)
    failures = 0
    launches = new Set()
    openUntil = 0
    probing = false
  }

  return {
    enter: () => {
      if (openUntil === 0) return true
      if (probing || now() < openUntil) return false
      probing = true
      return true
    },
    success: () => {
      if (failures > 0 || openUntil !== 0) reset()
    },
    failure: (launch) => {
      failures += 1
      // Two are enough to know; the set stays small.
      if (launches.size < 2) launches.add(launch)
      if (!probing && (failures < limits.failures || launches.size < 2)) return
      if (openUntil === 0) onChange(true)
      openUntil = now() + limits.openSeconds * 1000
      probing = false
    },
    cancel: () => {
      probing = false
    },
    retryAfterSeconds: () => Math.max(0, Math.ceil((openUntil - now()) / 1000)),
  }
}
