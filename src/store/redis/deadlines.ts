import { Cluster } from 'ioredis'
import type { Deadline, Store } from '../store.ts'
import type { RedisClient } from './client.ts'
import type { RedisAsker } from './fault.ts'
import * as names from './names.ts'

/** `due` and `index:…`: sorted sets by time, each in a slot of its own. */

type DeadlinePart = Pick<
  Store,
  'schedule' | 'claimDue' | 'settleDue' | 'listDue' | 'addToIndex' | 'listIndex'
>

const pageSize = 500

export function deadlinePart(
  client: RedisClient,
  ask: RedisAsker,
  now: () => number,
): DeadlinePart {
  return {
    async schedule(what, at) {
      await ask('schedule', () => client.zadd(names.dueName, Math.floor(at), names.memberOf(what)))
    },

    async claimDue({ limit, hideMs }) {
      const time = Math.floor(now())
      const until = time + hideMs
      const found = await ask('claimDue', () =>
        client.bffClaimDue(names.dueName, time, until, limit),
      )
      const members: readonly unknown[] = Array.isArray(found) ? found : []
      const deadlines = await Promise.all(members.map((member) => readOrRemove(member)))
      return deadlines.flatMap((deadline) => (deadline ? [{ ...deadline, until }] : []))
    },

    async settleDue(claim, nextAt) {
      const next = nextAt === undefined ? '' : Math.floor(nextAt)
      await ask('settleDue', () =>
        client.bffSettleDue(names.dueName, names.memberOf(claim), claim.until, next),
      )
    },

    async *listDue() {
      let cursor = '0'
      do {
        const from = cursor
        // oxlint-disable-next-line no-await-in-loop -- each page follows from the one before
        const page = await ask('listDue', () =>
          client.zscan(names.dueName, from, 'COUNT', pageSize),
        )
        cursor = page?.[0] ?? '0'
        const members = page?.[1] ?? []
        yield members.flatMap((text, n) => (n % 2 === 0 ? (names.readMember(text) ?? []) : []))
      } while (cursor !== '0')
    },

    async addToIndex(name, key, until) {
      const time = Math.floor(now())
      const life = Math.max(1, Math.ceil(until - time))
      await ask('addToIndex', () =>
        client.bffAddToIndex(
          names.indexName(name),
          names.memberOf(key),
          Math.ceil(until),
          time,
          life,
        ),
      )
    },

    async listIndex(name) {
      const found = await ask('listIndex', () => client.zrange(names.indexName(name), '0', '-1'))
      return (found ?? []).flatMap((member) => {
        const read = names.readMember(member)
        return read?.launch === undefined ? [] : [{ session: read.session, launch: read.launch }]
      })
    },
  }

  /** A member of another form is no deadline of ours. */
  async function readOrRemove(member: unknown): Promise<Deadline | undefined> {
    const read = typeof member === 'string' ? names.readMember(member) : undefined
    if (read === undefined && typeof member === 'string') {
      await ask('claimDue', () => client.zrem(names.dueName, member))
    }
    return read
  }
}

/** WAIT speaks of what its own connection has written; in a Cluster that is one connection for each master. */
export function replicatedPart(client: RedisClient): Pick<Store, 'replicated'> {
  return {
    async replicated(timeoutMs) {
      const nodes = client instanceof Cluster ? client.nodes('master') : [client]
      const answers = await Promise.all(
        nodes.map((node) => isReplicated(node, timeoutMs).catch(() => false)),
      )
      return answers.every(Boolean)
    },
  }
}

/**
 * INFO names a replica from the moment it attaches, ROLE only once it has acknowledged: one that is still being filled
 * is waited for too.
 */
async function isReplicated(
  node: Pick<RedisClient, 'call' | 'info'>,
  timeoutMs: number,
): Promise<boolean> {
  if (!/^slave\d+:/m.test(await node.info('replication'))) return true
  return Number(await node.call('WAIT', '1', String(timeoutMs))) >= 1
}
