/**
 * Whether this process should get traffic. The probe reads what the last check found, so that no stranger can make the
 * store work by asking. A store fault is `degraded` and not `unavailable`: every replica has it at the same moment, and
 * taking all of them away would turn a page that explains into no page at all. Without an audit nothing may be shown,
 * so that replica goes (DESIGN rules 8, 12).
 */
export interface Health {
  /** Checks once, then at the interval. Resolves after the first check, whatever it found. */
  start(): Promise<void>
  /** Whether the first successful checks came within the limit. */
  succeeds(limitMs: number): Promise<boolean>
  /** Every listener is open. Whoever is sent here before that meets nothing. */
  opened(): void
  status(): HealthStatus
  /** From now on not ready: the load balancer goes elsewhere while what runs is finished. */
  drain(): void
  close(): void
}

export interface HealthStatus {
  readonly word: HealthWord
  readonly ready: boolean
  /** For the staff; the probe answers the word only. */
  readonly reasons: readonly string[]
}

export type HealthWord = 'ready' | 'degraded' | 'starting' | 'draining' | 'unavailable'

export interface HealthDeps {
  readonly auditHealthy: () => boolean
  /** Rejects when the store cannot be used. */
  readonly checkStore: () => Promise<void>
  readonly intervalMs?: number
  readonly timeoutMs?: number
  readonly onChange?: (status: HealthStatus) => void
}

export function createHealth(deps: HealthDeps): Health {
  const { auditHealthy, checkStore, intervalMs = 5000, timeoutMs = 2000 } = deps
  let checked = false
  let open = false
  let draining = false
  let storeWorks = false
  let told: HealthWord = 'starting'
  let timer: NodeJS.Timeout | undefined
  const success = Promise.withResolvers<void>()

  function status(): HealthStatus {
    const reasons = [
      ...(auditHealthy() ? [] : ['audit_not_writable']),
      ...(storeWorks ? [] : ['store_unavailable']),
    ]
    const word = judge(reasons)
    return { word, ready: word === 'ready' || word === 'degraded', reasons }
  }

  function judge(reasons: readonly string[]): HealthWord {
    if (draining) return 'draining'
    if (!checked || !open) return 'starting'
    if (reasons.includes('audit_not_writable')) return 'unavailable'
    return reasons.length === 0 ? 'ready' : 'degraded'
  }

  function tell(): void {
    const now = status()
    if (now.word === told) return
    told = now.word
    deps.onChange?.(now)
  }

  async function check(): Promise<void> {
    storeWorks = await within(checkStore(), timeoutMs)
    checked ||= storeWorks && auditHealthy()
    if (checked) success.resolve()
    tell()
  }

  async function checkAndWait(): Promise<void> {
    await check()
    if (draining) return
    timer = setTimeout(() => void checkAndWait(), checked ? intervalMs : Math.min(500, intervalMs))
    timer.unref()
  }

  return {
    start: checkAndWait,
    succeeds: (limitMs) => within(success.promise, limitMs),
    status,
    opened() {
      open = true
      tell()
    },
    drain() {
      draining = true
      clearTimeout(timer)
      tell()
    },
    close() {
      draining = true
      clearTimeout(timer)
    },
  }
}

async function within(work: Promise<void>, timeoutMs: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => {
    late.resolve(false)
  }, timeoutMs)
  try {
    return await Promise.race([succeeds(work), late.promise])
  } finally {
    clearTimeout(timer)
  }
}

async function succeeds(work: Promise<void>): Promise<boolean> {
  try {
    await work
    return true
  } catch {
    return false
  }
}
