export interface AlarmClock {
  /** Arming it again while it runs changes nothing. */
  arm(ms: number): void
  disarm(): void
}

/** At most one timer at a time. */
export function createAlarmClock(ring: () => void): AlarmClock {
  let timer: NodeJS.Timeout | undefined
  function rings(): void {
    timer = undefined
    ring()
  }
  return {
    arm(ms) {
      timer ??= setTimeout(rings, Math.max(1, Math.ceil(ms)))
    },
    disarm() {
      clearTimeout(timer)
      timer = undefined
    },
  }
}
