import { plainFetch } from '../http.ts'

/**
 * What stands before the replicas: it asks each for its readiness as Kubernetes does, sends requests in turn to those
 * that are ready, and repeats a GET elsewhere when a replica is gone.
 */
export interface Ingress {
  /** For `createCookieJar`; the host of the URL is the ingress's own, which does not exist. */
  readonly send: typeof plainFetch
  stop(): void
}

export interface Backend {
  readonly public: string
  readonly operations: string
}

/** No machine has this name (RFC 6761). */
export const ingressOrigin = 'http://ingress.invalid'
const probeMs = 500

export function createIngress(backends: () => readonly Backend[]): Ingress {
  const ready = new Map<string, boolean>()
  let turn = 0
  const probe = async (): Promise<void> => {
    await Promise.all(
      backends().map(async ({ public: at, operations }) => {
        const answer = await plainFetch(`${operations}/readyz`).catch(() => undefined)
        ready.set(at, answer?.status === 200)
      }),
    )
  }
  const timer = setInterval(() => void probe(), probeMs)

  const choose = (but?: string): string => {
    const all = backends().map(({ public: at }) => at)
    const good = all.filter((at) => at !== but && ready.get(at) !== false)
    turn += 1
    return good[turn % good.length] ?? all[turn % all.length] ?? ingressOrigin
  }
  return {
    send: async (url, init) => {
      const path = String(url).slice(ingressOrigin.length)
      const first = choose()
      try {
        return await plainFetch(first + path, init)
      } catch (error) {
        ready.set(first, false)
        if ((init?.method ?? 'GET') !== 'GET') throw error
        return plainFetch(choose(first) + path, init)
      }
    },
    stop: () => clearInterval(timer),
  }
}
