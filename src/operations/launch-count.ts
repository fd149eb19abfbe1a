import type { Store } from '../store/store.ts'

/**
 * Counts the live launches now and then, for the metrics. Every live launch has a deadline in the store, so the count
 * is true for all replicas together, and each tells the same number. It pauses a hundred times as long as it took: with
 * a million launches it is asked more rarely instead of costing more.
 */
export interface LaunchCount {
  start(): void
  stop(): void
}

const pauseMs = 5_000
const pauseFactor = 100

export function createLaunchCount(
  store: Pick<Store, 'listDue'>,
  tell: (count: number) => void,
): LaunchCount {
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  const count = async (): Promise<void> => {
    const startedAt = performance.now()
    try {
      let launches = 0
      for await (const page of store.listDue()) {
        if (stopped) return
        launches += page.filter(({ launch }) => launch !== undefined).length
      }
      tell(launches)
    } catch {
      // The store is down, which health tells; the last count stands until it is back.
    }
    const pause = Math.max(pauseMs, (performance.now() - startedAt) * pauseFactor)
    if (!stopped) timer = setTimeout(() => void count(), pause).unref()
  }

  return {
    start: () => void count(),
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}
