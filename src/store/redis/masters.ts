import { Cluster } from 'ioredis'
import type { RedisClient } from './client.ts'
import { beatName } from './names.ts'

/**
 * Where beats go: to every master that commands go to, by a name. A beat needs a write first: a master that was demoted,
 * or that the majority of its Cluster has given up, still publishes what it is told, and hears nothing of the ends at
 * its successor. It takes no write (READONLY, MOVED, CLUSTERDOWN, NOREPLICAS).
 */
export interface Master {
  readonly name: string
  beat(channel: string, message: string): Promise<unknown>
}

/** A write that it did not take is a beat that does not come back. */
const beatLifeMs = 150

export function createMasters(client: RedisClient): () => readonly Master[] {
  if (!(client instanceof Cluster)) {
    const beat: Master['beat'] = async (channel, message) => {
      await client.set(beatName(channel), '', 'PX', beatLifeMs)
      return client.publish(channel, message)
    }
    return () => [{ name: '0', beat }]
  }

  const tags = new Map<string, string>()
  return () =>
    client.nodes('master').map((node) => {
      const name = `${node.options.host}:${node.options.port}`
      const beat: Master['beat'] = async (channel, message) => {
        const tag = tagOf(client.slots, name, tags.get(name))
        tags.set(name, tag)
        try {
          await node.set(beatName(channel, tag), '', 'PX', beatLifeMs)
        } catch (error) {
          // Another has its slots: known by now instead of when they are next read anyway.
          if (error instanceof Error && error.message.startsWith('MOVED')) {
            client.refreshSlotsCache()
          }
          throw error
        }
        return node.publish(channel, message)
      }
      return { name, beat }
    })
}

/** However few slots a master has, one of the first so many numbers falls into them. */
const numbersMost = 300_000

/** A hash tag whose slot is the master's. Throws where it has none. */
function tagOf(slots: readonly (readonly string[])[], name: string, last = '0'): string {
  const isOwn = (tag: string): boolean => slots[slotOf(tag)]?.[0] === name
  if (isOwn(last)) return last
  for (let number = 0; number < numbersMost; number += 1) {
    if (isOwn(String(number))) return String(number)
  }
  throw new TypeError('a master without slots')
}

/** Redis Cluster specification, Key distribution model: CRC16 (XMODEM) of the hash tag, modulo 16384. */
export function slotOf(tag: string): number {
  let crc = 0
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit += 1) {
      crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
    }
    crc &= 0xffff
  }
  return crc % 16384
}
