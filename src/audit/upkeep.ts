/**
 * What is done beside the records: at intervals, one round at a time, and never as a reason to refuse a record. A round
 * that fails is told and tried again at the next.
 */
export interface Upkeep {
  /** No round begins any more; resolves when the last one is over. */
  stop(): Promise<void>
}

export interface Chore {
  readonly everyMs: number
  /** The first round at once, and not after the first interval. */
  readonly atOnce?: boolean
  readonly act: () => Promise<unknown>
  readonly onFault: (error: unknown) => void
}

export function startUpkeep(chores: readonly Chore[]): Upkeep {
  const stops = chores.map(startChore)
  return {
    async stop() {
      await Promise.all(stops.map((stop) => stop()))
    },
  }
}

function startChore({ everyMs, atOnce = false, act, onFault }: Chore): () => Promise<void> {
  let running: Promise<void> | undefined
  async function round(): Promise<void> {
    try {
      await act()
    } catch (error) {
      onFault(error)
    }
    running = undefined
  }
  function begin(): void {
    running ??= round()
  }
  const timer = setInterval(begin, everyMs)
  timer.unref()
  if (atOnce) begin()
  return async () => {
    clearInterval(timer)
    await running
  }
}
