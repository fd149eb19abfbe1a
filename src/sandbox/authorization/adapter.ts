/** The part of a stored token that the adapter looks at; the rest belongs to oidc-provider. */
interface Payload {
  readonly grantId?: string
  readonly uid?: string
  readonly exp?: number
  readonly iat?: number
  readonly consumed?: number
}

/** Hours of load testing; the oldest go first. */
const maxKept = 100_000

/**
 * oidc-provider's storage, in memory. It keeps its times in the sandbox's own clock: moving `offsetSeconds` forward
 * makes tokens expire early, without touching the process's clock, which tests share.
 */
export interface TokenStorage {
  /** The class that oidc-provider creates for each kind of token. */
  readonly adapter: (kind: string) => object
  /** Forgets every token of these kinds: to their holders they are revoked. */
  revoke(kinds: readonly string[]): number
}

export function createTokenStorage(offsetSeconds: () => number): TokenStorage {
  const kept = new Map<string, Payload>()

  const adapter = (kind: string): object => {
    const key = (id: string): string => `${kind}:${id}`
    const shifted = (payload: Payload | undefined, seconds: number): Payload | undefined =>
      payload && {
        ...payload,
        ...(payload.exp === undefined ? {} : { exp: payload.exp + seconds }),
        ...(payload.iat === undefined ? {} : { iat: payload.iat + seconds }),
      }
    return {
      async upsert(id: string, payload: Payload) {
        kept.set(key(id), shifted(payload, offsetSeconds()) ?? payload)
        const [oldest] = kept.keys()
        if (kept.size > maxKept && oldest !== undefined) kept.delete(oldest)
      },
      async find(id: string) {
        return shifted(kept.get(key(id)), -offsetSeconds())
      },
      async findByUid(uid: string) {
        const found = [...kept].find(([name, { uid: of }]) => name.startsWith(kind) && of === uid)
        return shifted(found?.[1], -offsetSeconds())
      },
      async findByUserCode() {
        return undefined
      },
      async consume(id: string) {
        const payload = kept.get(key(id))
        if (payload) kept.set(key(id), { ...payload, consumed: Math.floor(Date.now() / 1000) })
      },
      async destroy(id: string) {
        kept.delete(key(id))
      },
      async revokeByGrantId(grantId: string) {
        for (const [name, payload] of kept) if (payload.grantId === grantId) kept.delete(name)
      },
    }
  }

  return {
    adapter,
    revoke(kinds) {
      const doomed = [...kept.keys()].filter((name) => kinds.includes(name.split(':')[0] ?? ''))
      for (const name of doomed) kept.delete(name)
      return doomed.length
    },
  }
}
