import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Secret } from '../../src/config/secret.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import { createVault } from '../../src/vault/vault-store.ts'
import { startRedis } from '../support/redis.ts'
import { exampleRecord, newId } from './example.ts'
import type { ReplicaOrder } from './refresh-replica.ts'

/** Rotates refresh tokens; one that was superseded ends the grant for good, as a real EHR does (RFC 9700 4.14.2). */
async function startTokenServer() {
  const seen = { calls: 0, reused: 0, valid: 'refresh-0' }
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const refresh = await text(request)
    seen.calls += 1
    if (refresh !== seen.valid) {
      seen.reused += 1
      seen.valid = ''
      response.writeHead(400).end()
      return
    }
    seen.valid = `refresh-${seen.calls}`
    const granted = `access-${seen.calls} ${seen.valid}`
    await sleep(200)
    response.end(granted)
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { seen, url: `http://127.0.0.1:${address.port}/token`, stop: () => server.close() }
}

async function startReplica(...args: string[]): Promise<ChildProcess> {
  const child = fork(new URL('./refresh-replica.ts', import.meta.url), args, { execArgv: [] })
  await once(child, 'message')
  return child
}

async function order(child: ChildProcess, work: ReplicaOrder): Promise<string[]> {
  const answered = once(child, 'message')
  child.send(work)
  const [got]: unknown[] = await answered
  return Array.isArray(got) ? got.map(String) : []
}

t.test('two processes on one Redis refresh a token once', async (t) => {
  const [redis, ehr] = await Promise.all([startRedis(), startTokenServer()])
  const secret = newId()
  const children = await Promise.all([
    startReplica(redis.url, ehr.url, secret),
    startReplica(redis.url, ehr.url, secret),
  ])
  const store = createRedisStore({ config: { url: new Secret(redis.url) }, now: Date.now })
  t.teardown(async () => {
    for (const child of children) child.disconnect()
    await store.close()
    ehr.stop()
    await redis.stop()
  })
  const vault = createVault({
    store,
    keyRing: createKeyRing([{ id: 'k1', secret: new Secret(secret) }]),
    now: Date.now,
    session: { idleMs: 3_600_000, absoluteMs: 36_000_000 },
  })
  const now = Date.now()
  const key = { session: newId(), launch: newId() }
  await store.createSession(key.session, 'blob', now + 3_600_000)
  const expired = { access: 'access-0', receivedAt: now - 60_000, accessExpiresAt: now - 1 }
  await vault.create(
    key,
    exampleRecord(key.launch, now, { tokens: { ...expired, refresh: 'refresh-0' } }),
  )

  const got = await Promise.all(children.map((child) => order(child, { key, requests: 50 })))
  t.strictSame(new Set(got.flat()), new Set(['access-1']), 'all hundred have the one new token')
  t.match(ehr.seen, { calls: 1, reused: 0 })

  const later = await Promise.all(children.map((child) => order(child, { key, requests: 1 })))
  t.strictSame(later.flat(), ['access-1', 'access-1'], 'and keep it')
  t.equal(ehr.seen.calls, 1)

  await Promise.all(children.map((child) => order(child, { key, requests: 2 })))
  t.match(ehr.seen, { reused: 0 }, 'a 401 in both spends no token twice')
  const opening = await vault.open(key)
  t.match(opening, { kind: 'open', launch: { record: { state: 'active' } } })
})
