import { randomUUID } from 'node:crypto'
import { Secret } from '../../src/config/secret.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import type { LaunchKey } from '../../src/store/store.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import { createTokens } from '../../src/vault/refresh.ts'
import { createVault } from '../../src/vault/vault-store.ts'
import type { RefreshOutcome } from '../../src/vault/vault.ts'

/** One replica, a process of its own. Each message starts requests with the token it read; the answer is what they got. */
export interface ReplicaOrder {
  readonly key: LaunchKey
  readonly requests: number
}

const [redisUrl = '', tokenUrl = '', secret = ''] = process.argv.slice(2)
const now = Date.now
const store = createRedisStore({ config: { url: new Secret(redisUrl) }, now })
const keyRing = createKeyRing([{ id: 'k1', secret: new Secret(secret) }])
const vault = createVault({
  store,
  keyRing,
  now,
  session: { idleMs: 3_600_000, absoluteMs: 36_000_000 },
})

const tokens = createTokens({
  vault,
  store,
  now,
  audit: {
    record: () => Promise.resolve(),
    healthy: () => true,
    close: () => Promise.resolve(),
  },
  async refresh(record): Promise<RefreshOutcome> {
    const answer = await fetch(tokenUrl, {
      method: 'POST',
      headers: { 'x-request': randomUUID() },
      body: record.tokens.refresh ?? '',
    })
    if (!answer.ok) return { kind: 'refused', reason: 'invalid_grant' }
    const [access = '', refresh] = (await answer.text()).split(' ')
    return { kind: 'refreshed', access, refresh, expiresInSeconds: 3600, granted: undefined }
  },
})

process.on('message', (order: ReplicaOrder) => {
  void carryOut(order).then((answer) => process.send?.(answer))
})
process.on('disconnect', () => void store.close())
await store.check()
process.send?.('ready')

async function carryOut({ key, requests }: ReplicaOrder): Promise<string[]> {
  const opening = await vault.open(key)
  if (opening.kind !== 'open') return [opening.kind]
  const got = await Promise.allSettled(
    Array.from({ length: requests }, async (_, n) =>
      n % 2 === 0 ? tokens.current(key, opening.launch) : tokens.afterRefusal(key, opening.launch),
    ),
  )
  return got.map((one) =>
    one.status === 'fulfilled' ? one.value.record.tokens.access : String(one.reason),
  )
}
