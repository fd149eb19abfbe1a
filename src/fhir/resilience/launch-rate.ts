/**
 * How many requests of one launch this process answers in a minute: a page that has lost its way asks for everything
 * over and over, and shares the EHR's patience with every other chart of the hospital. Counted once the launch is known
 * to be the browser's own, so that a stranger's requests count for nothing and fill nothing.
 */
export interface LaunchRate {
  /** Undefined: it may go. Else the seconds until it may. */
  takes(launch: string): number | undefined
}

const windowMs = 60_000

/** `now` need not know the date: milliseconds that only grow. */
export function createLaunchRate(perMinute: () => number, now: () => number): LaunchRate {
  const counts = new Map<string, number>()
  let endsAt = 0
  return {
    takes: (launch) => {
      const time = now()
      if (time >= endsAt) {
        counts.clear()
        endsAt = time + windowMs
      }
      const count = (counts.get(launch) ?? 0) + 1
      counts.set(launch, count)
      return count <= perMinute() ? undefined : Math.ceil((endsAt - time) / 1000)
    },
  }
}
