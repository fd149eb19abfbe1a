import type { Redis } from 'ioredis'

/** Everything that stands in a Redis, by key: what somebody with a copy of it can read. */
export async function dumpRedis(raw: Redis): Promise<ReadonlyMap<string, string>> {
  const dump = new Map<string, string>()
  for (const key of await raw.keys('*')) dump.set(key, await textOf(raw, key))
  return dump
}

async function textOf(raw: Redis, key: string): Promise<string> {
  switch (await raw.type(key)) {
    case 'string':
      return (await raw.get(key)) ?? ''
    case 'hash':
      return JSON.stringify(await raw.hgetall(key))
    case 'set':
      return JSON.stringify(await raw.smembers(key))
    case 'zset':
      return JSON.stringify(await raw.zrange(key, '0', '-1', 'WITHSCORES'))
    case 'list':
      return JSON.stringify(await raw.lrange(key, '0', '-1'))
    case 'stream':
      return JSON.stringify(await raw.xrange(key, '-', '+'))
    default:
      throw new Error(`${key} is of a type that no store of ours writes`)
  }
}
