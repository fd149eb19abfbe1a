import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import type { Config } from '../config/schema/config.ts'
import { SmartBffError } from '../errors.ts'
import type { StoreFault } from '../store/redis/fault.ts'
import type { KeyRing } from '../vault/key-ring.ts'

/** What a process proves of itself before it takes its first request. Its faults are said in one line by src/main.ts. */

/** Seals and opens, signs and verifies once: a key that cannot be used is found now and not in a launch. */
export function checkKeys(keyRing: KeyRing, { signing }: Pick<Config['keys'], 'signing'>): void {
  const opened = keyRing.open('launch', 'check', keyRing.seal('launch', 'check', 'check'))
  const privateKey = createPrivateKey(signing.reveal())
  const text = Buffer.from('check')
  const signed = verify(null, text, createPublicKey(privateKey), sign(null, text, privateKey))
  if (!opened.ok || !signed) throw new SmartBffError('INTERNAL', { detail: 'keys: unusable' })
}

/** The store's first check (write, read, delete) did not succeed: which store, and what it said last. */
export function storeMissing(store: Config['store'], last: StoreFault | undefined): SmartBffError {
  const detail = `${placesOf(store).join(', ')} (${last?.reason ?? 'no answer'})`
  return new SmartBffError('STORE_UNAVAILABLE', { detail })
}

/** Hosts and ports; a Redis URL may hold a password, so nothing else of it is shown. */
function placesOf(store: Config['store']): readonly string[] {
  if ('memory' in store) return ['memory']
  const { redis } = store
  if ('url' in redis) {
    const { hostname, port } = new URL(redis.url.reveal())
    return [`${hostname}:${port === '' ? '6379' : port}`]
  }
  const nodes = 'sentinels' in redis ? redis.sentinels : redis.cluster
  return nodes.map(({ host, port }) => `${host}:${port}`)
}
