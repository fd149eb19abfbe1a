/**
 * Small documents of an EHR, by URL: fetched again when they are old, one fetch at a time, and used for a day while
 * their server is broken.
 */
export interface Kept<T> {
  /** Rejects only where nothing usable is kept. */
  get(url: string): Promise<T>
  /** One that is `ageMs` old at most; rejects where it cannot be fetched. */
  newer(url: string, ageMs: number): Promise<T>
}

export interface KeptDeps<T> {
  /** `before` is what was kept so far. */
  readonly load: (url: string, before: T | undefined) => Promise<T>
  readonly now: () => number
  readonly freshMs: number
}

const usableMs = 86_400_000
const retryAfterFaultMs = 30_000
const urlsMax = 50

interface Entry<T> {
  readonly value: T
  readonly fetchedAt: number
  nextTryAt: number
}

export function createKept<T>({ load, now, freshMs }: KeptDeps<T>): Kept<T> {
  const entries = new Map<string, Entry<T>>()
  const underway = new Map<string, Promise<T>>()

  const fetch = (url: string): Promise<T> => {
    const running = underway.get(url)
    if (running !== undefined) return running
    const started = load(url, entries.get(url)?.value)
      .then((value) => {
        if (entries.size >= urlsMax) entries.clear()
        entries.set(url, { value, fetchedAt: now(), nextTryAt: 0 })
        return value
      })
      .finally(() => underway.delete(url))
    underway.set(url, started)
    return started
  }

  const newer: Kept<T>['newer'] = async (url, ageMs) => {
    const entry = entries.get(url)
    return entry !== undefined && now() - entry.fetchedAt < ageMs ? entry.value : fetch(url)
  }

  return {
    newer,
    get: async (url) => {
      const entry = entries.get(url)
      if (entry !== undefined && now() < entry.nextTryAt) return entry.value
      try {
        return await newer(url, freshMs)
      } catch (fault) {
        if (entry === undefined || now() - entry.fetchedAt > usableMs) throw fault
        entry.nextTryAt = now() + retryAfterFaultMs
        return entry.value
      }
    },
  }
}
