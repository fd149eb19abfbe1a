/**
 * Many that wait equally long, and one timer for all. A timer for each request of the FHIR path costs more than its
 * place here. A place is emptied when the wait is over: nothing here holds what has ended, or V8 would keep it until it
 * marks the whole heap (a Map does, in the tables it has left behind).
 */
export interface Deadlines<One> {
  /** Answers the place, with which the wait is ended. */
  begin(one: One): number
  end(place: number): void
}

export function createDeadlines<One>(waitMs: number, expire: (one: One) => void): Deadlines<One> {
  const waiting: (One | undefined)[] = []
  const overAt: number[] = []
  const free: number[] = []
  let timer: NodeJS.Timeout | undefined

  function arm(ms: number): void {
    timer = setTimeout(ring, Math.max(1, Math.ceil(ms)))
    // Whoever waits has a connection, which keeps the process.
    timer.unref()
  }

  function ring(): void {
    timer = undefined
    const now = performance.now()
    let next = Infinity
    for (const [place, one] of waiting.entries()) {
      if (one === undefined) continue
      const at = overAt[place] ?? 0
      if (at <= now) expire(one)
      else next = Math.min(next, at)
    }
    if (next < Infinity && timer === undefined) arm(next - now)
  }

  return {
    begin(one) {
      const place = free.pop() ?? waiting.length
      waiting[place] = one
      overAt[place] = performance.now() + waitMs
      if (timer === undefined) arm(waitMs)
      return place
    },
    end(place) {
      if (waiting[place] === undefined) return
      waiting[place] = undefined
      free.push(place)
    },
  }
}
