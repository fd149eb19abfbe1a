/**
 * A bounded way to a bounded number of connections. Launches wait in lines of their own and are let in by turns, so
 * that one launch cannot starve the others; who waits too long, or finds the lines full, is turned away.
 */
export interface Gate {
  /** True: go, and call `leave` afterwards. False: full, or waited too long. */
  enter(launch: string): Promise<boolean>
  leave(): void
}

export interface GateLimits {
  readonly atOnce: number
  readonly waiting: number
  readonly waitingPerLaunch: number
  readonly waitMs: number
}

interface Waiter {
  readonly admit: (admitted: boolean) => void
  readonly timer: NodeJS.Timeout
}

export function createGate(limits: GateLimits): Gate {
  let inside = 0
  let waiting = 0
  /** In insertion order: the launch whose turn it is stands first. */
  const lines = new Map<string, Waiter[]>()

  const remove = (launch: string, waiter: Waiter): void => {
    const line = lines.get(launch)
    const index = line?.indexOf(waiter) ?? -1
    if (line === undefined || index === -1) return
    line.splice(index, 1)
    waiting -= 1
    if (line.length === 0) lines.delete(launch)
  }

  const admitNext = (): void => {
    const next = lines.entries().next()
    if (next.done === true) return
    const [launch, line] = next.value
    const [waiter] = line
    if (waiter === undefined) return
    remove(launch, waiter)
    // To the end: the others come first now.
    if (line.length > 0) {
      lines.delete(launch)
      lines.set(launch, line)
    }
    clearTimeout(waiter.timer)
    inside += 1
    waiter.admit(true)
  }

  return {
    enter: (launch) => {
      if (inside < limits.atOnce && waiting === 0) {
        inside += 1
        return admitted
      }
      const line = lines.get(launch) ?? []
      if (waiting >= limits.waiting || line.length >= limits.waitingPerLaunch) return turnedAway
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          remove(launch, waiter)
          resolve(false)
        }, limits.waitMs)
        const waiter: Waiter = { admit: resolve, timer }
        line.push(waiter)
        lines.set(launch, line)
        waiting += 1
      })
    },
    leave: () => {
      inside -= 1
      admitNext()
    },
  }
}

const admitted = Promise.resolve(true)
const turnedAway = Promise.resolve(false)
