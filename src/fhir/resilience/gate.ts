/**
 * A bounded way to a bounded number of connections. Launches wait in lines of their own and are let in by turns, so
 * that one launch cannot starve the others; who waits too long, or finds the lines full, is turned away.
 */
export interface Gate {
  /** True: go, and call `leave` afterwards. False: full, waited too long, or nobody listens any more. */
  enter(launch: string, listener?: Leaver): boolean | Promise<boolean>
  leave(launch: string): void
}

/** Who waits may go away. */
export interface Leaver {
  readonly gone: boolean
  whenGone: (() => void) | undefined
}

export interface GateLimits {
  readonly atOnce: number
  /** Of one launch: fewer than `atOnce`, so that slow answers to one leave room for the others. */
  readonly atOncePerLaunch: number
  readonly waiting: number
  readonly waitingPerLaunch: number
  readonly waitMs: number
}

interface Waiter {
  readonly admit: () => void
}

export function createGate(limits: GateLimits): Gate {
  let inside = 0
  let waiting = 0
  const insideOf = new Map<string, number>()
  /** In insertion order: the launch whose turn it is stands first. */
  const lines = new Map<string, Waiter[]>()

  const hasRoom = (launch: string): boolean =>
    inside < limits.atOnce && (insideOf.get(launch) ?? 0) < limits.atOncePerLaunch

  const admit = (launch: string): void => {
    inside += 1
    count(insideOf, launch, 1)
  }

  const remove = (launch: string, waiter: Waiter): void => {
    const line = lines.get(launch)
    const index = line?.indexOf(waiter) ?? -1
    if (line === undefined || index === -1) return
    line.splice(index, 1)
    waiting -= 1
    if (line.length === 0) lines.delete(launch)
  }

  const admitNext = (): void => {
    for (const [launch, line] of lines) {
      const [waiter] = line
      if (waiter === undefined || !hasRoom(launch)) continue
      remove(launch, waiter)
      // To the end: the others come first now.
      if (line.length > 0) {
        lines.delete(launch)
        lines.set(launch, line)
      }
      admit(launch)
      waiter.admit()
      return
    }
  }

  const wait = (launch: string, listener: Leaver | undefined): Promise<boolean> =>
    new Promise((resolve) => {
      const line = lines.get(launch) ?? []
      const settle = (admitted: boolean): void => {
        clearTimeout(timer)
        if (listener !== undefined) listener.whenGone = undefined
        resolve(admitted)
      }
      const giveUp = (): void => {
        remove(launch, waiter)
        settle(false)
      }
      const timer = setTimeout(giveUp, limits.waitMs)
      const waiter: Waiter = { admit: () => settle(true) }
      if (listener !== undefined) listener.whenGone = giveUp
      line.push(waiter)
      lines.set(launch, line)
      waiting += 1
    })

  return {
    enter: (launch, listener) => {
      // Who waits while there is room has all that one launch may have.
      if (!lines.has(launch) && hasRoom(launch)) {
        admit(launch)
        return true
      }
      const before = lines.get(launch)?.length ?? 0
      const full = waiting >= limits.waiting || before >= limits.waitingPerLaunch
      return full || listener?.gone === true ? false : wait(launch, listener)
    },
    leave: (launch) => {
      inside -= 1
      count(insideOf, launch, -1)
      admitNext()
    },
  }
}

function count(counts: Map<string, number>, name: string, by: number): void {
  const sum = (counts.get(name) ?? 0) + by
  if (sum === 0) counts.delete(name)
  else counts.set(name, sum)
}
