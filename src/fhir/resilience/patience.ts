/**
 * Retry-After of the EHR, honoured: until its time has come, a launch that was told to wait is not sent again (RFC 9110
 * 10.2.3, RFC 6585 4). Held for a minute at most, whatever the EHR asks.
 */
export interface Patience {
  /** What is to be answered at once; undefined: it may go. */
  left(launch: string): { readonly status: number; readonly seconds: number } | undefined
  /** An answer with this status and Retry-After has come. */
  told(launch: string, status: number, retryAfter: string | undefined): void
}

const secondsMax = 60
const launchesMax = 10_000

export function createPatience(now: () => number): Patience {
  const until = new Map<string, { readonly at: number; readonly status: number }>()
  return {
    left: (launch) => {
      if (until.size === 0) return undefined
      const held = until.get(launch)
      if (held === undefined) return undefined
      const ms = held.at - now()
      if (ms > 0) return { status: held.status, seconds: Math.ceil(ms / 1000) }
      until.delete(launch)
      return undefined
    },
    told: (launch, status, retryAfter) => {
      if (retryAfter === undefined || (status !== 429 && status !== 503)) return
      const seconds = secondsOf(retryAfter, now())
      if (seconds === undefined || seconds <= 0) return
      if (until.size >= launchesMax) until.clear()
      until.set(launch, { at: now() + Math.min(seconds, secondsMax) * 1000, status })
    },
  }
}

/** Seconds, or an HTTP date. */
function secondsOf(text: string, now: number): number | undefined {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : (date - now) / 1000
}
