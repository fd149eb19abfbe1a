import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { freePort } from './http.ts'
import { startRedis, type TestRedis } from './redis.ts'

/** Several Redis servers that stand in for one another: under Sentinel, and as a Cluster. */

export interface SentinelGroup {
  readonly config: { sentinels: { host: string; port: number }[]; name: string }
  readonly master: TestRedis
  readonly replica: TestRedis
  /** From now on Sentinel takes a master for dead that has been silent for so long. */
  patience(downAfterMs: number): Promise<void>
  /** The master again, on its port and with its replica, after its `stop`. */
  restartMaster(): Promise<void>
  /** A planned failover, the master being well. */
  failover(): Promise<void>
  /** Where the sentinel sends those who ask now. */
  masterPort(): Promise<number>
  stop(): Promise<void>
}

const groupName = 'hospital'

export interface SentinelGroupOptions {
  /** The master keeps its data on disk, so that it has them when it starts again. */
  readonly durable?: boolean
  readonly downAfterMs?: number
}

export async function startSentinelGroup({
  durable = false,
  downAfterMs = 800,
}: SentinelGroupOptions = {}): Promise<SentinelGroup> {
  const folder = mkdtempSync(join(tmpdir(), 'smart-bff-redis-data-'))
  const kept = durable ? ['--dir', folder, '--appendonly', 'yes'] : []
  const args = ['--repl-diskless-sync-delay', '0', ...kept]
  let master = await startRedis({ args })
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(master.port)] })
  await attached(master, replica)
  const sentinel = await startRedis({
    sentinel: [
      `sentinel monitor ${groupName} 127.0.0.1 ${master.port} 1`,
      `sentinel down-after-milliseconds ${groupName} ${downAfterMs}`,
      `sentinel failover-timeout ${groupName} 2000`,
      '',
    ].join('\n'),
  })
  await saying(sentinel.port, ['SENTINEL', 'MASTER', groupName], 'num-slaves,1')
  return {
    config: { sentinels: [{ host: '127.0.0.1', port: sentinel.port }], name: groupName },
    get master() {
      return master
    },
    replica,
    patience: async (ms) => {
      const option = ['down-after-milliseconds', String(ms)]
      await saying(sentinel.port, ['SENTINEL', 'SET', groupName, ...option], 'OK')
    },
    restartMaster: async () => {
      master = await startRedis({ args, port: master.port })
      await attached(master, replica)
    },
    failover: async () => {
      await saying(sentinel.port, ['SENTINEL', 'FAILOVER', groupName], 'OK')
    },
    masterPort: async () => {
      const told = await tell(sentinel.port, ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', groupName])
      return Number(told.split(',')[1])
    },
    stop: async () => {
      await Promise.all([sentinel.stop(), master.stop(), replica.stop()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The replica says so first; the master counts it, and waits for it, only after its first acknowledgement. */
async function attached(master: TestRedis, replica: TestRedis): Promise<void> {
  await saying(replica.port, ['INFO', 'replication'], 'master_link_status:up')
  await saying(master.port, ['INFO', 'replication'], 'state=online')
}

export interface ClusterGroup {
  readonly config: { cluster: { host: string; port: number }[] }
  readonly masters: readonly TestRedis[]
  /** Of the first master. */
  readonly replica: TestRedis
  /** Moves one slot with all that it holds to the master that is named, `pause` between the steps. */
  moveSlot(slot: number, to: TestRedis, pause: () => Promise<void>): Promise<void>
  /** The replica takes the first master's place, both being well; answers once the old one is its replica. */
  failover(): Promise<void>
  stop(): Promise<void>
}

const slotRanges = [
  ['0', '5460'],
  ['5461', '10922'],
  ['10923', '16383'],
] as const

export async function startClusterGroup(): Promise<ClusterGroup> {
  const servers = await Promise.all(slotRanges.map(startNode))
  const replica = await startNode()
  const [first] = servers
  if (first === undefined) throw new Error('no master')
  for (const [index, server] of servers.entries()) {
    await tell(server.port, ['CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1)])
    await tell(server.port, ['CLUSTER', 'ADDSLOTSRANGE', ...(slotRanges[index] ?? [])])
  }
  for (const { port } of [...servers.slice(1), replica]) {
    await tell(first.port, ['CLUSTER', 'MEET', '127.0.0.1', String(port), String(port + 1)])
  }
  const all = [...servers, replica]
  await Promise.all(
    all.map(({ port }) => saying(port, ['CLUSTER', 'INFO'], 'cluster_known_nodes:4')),
  )
  const id = new Map<TestRedis, string>()
  for (const server of servers) id.set(server, await tell(server.port, ['CLUSTER', 'MYID']))
  await saying(replica.port, ['CLUSTER', 'REPLICATE', id.get(first) ?? ''], 'OK')
  await attached(first, replica)
  await Promise.all(all.map(({ port }) => saying(port, ['CLUSTER', 'INFO'], 'cluster_state:ok')))

  return {
    config: { cluster: servers.map(({ host, port }) => ({ host, port })) },
    masters: servers,
    replica,
    moveSlot: async (slot, to, pause) => {
      const owner = await ownerOf(servers, slot)
      const [from, name] = [owner.port, String(slot)]
      await tell(to.port, ['CLUSTER', 'SETSLOT', name, 'IMPORTING', id.get(owner) ?? ''])
      await tell(from, ['CLUSTER', 'SETSLOT', name, 'MIGRATING', id.get(to) ?? ''])
      await pause()
      for (;;) {
        const found = await tell(from, ['CLUSTER', 'GETKEYSINSLOT', name, '1'])
        if (found === '') break
        await tell(from, ['MIGRATE', '127.0.0.1', String(to.port), found, '0', '5000'])
        await pause()
      }
      for (const { port } of [to, ...servers]) {
        await tell(port, ['CLUSTER', 'SETSLOT', name, 'NODE', id.get(to) ?? ''])
      }
    },
    failover: async () => {
      await tell(replica.port, ['CLUSTER', 'FAILOVER'])
      await saying(first.port, ['ROLE'], 'slave')
    },
    stop: async () => {
      await Promise.all(all.map((server) => server.stop()))
    },
  }
}

async function startNode(): Promise<TestRedis> {
  const port = await freePort()
  const cluster = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']
  return startRedis({
    port,
    // freePort has found the neighbour free too.
    args: [...cluster, '--cluster-port', String(port + 1), '--cluster-node-timeout', '4000'],
  })
}

async function ownerOf(servers: readonly TestRedis[], slot: number): Promise<TestRedis> {
  for (const server of servers) {
    const own = (await tell(server.port, ['CLUSTER', 'NODES']))
      .split('\n')
      .find((line) => line.includes('myself'))
    const ranges = own?.split(' ').slice(8) ?? []
    const holds = ranges.some((range) => {
      const [start = '', end = start] = range.split('-')
      return slot >= Number(start) && slot <= Number(end)
    })
    if (holds) return server
  }
  throw new Error(`slot ${slot} has no owner`)
}

/** One command on a connection of its own; whatever comes back as text. */
export async function tell(port: number, [command, ...args]: readonly string[]): Promise<string> {
  const raw = new Redis(port, { maxRetriesPerRequest: 0, replyMapping: 'legacy' })
  raw.on('error', () => undefined)
  try {
    return String(await raw.call(command ?? '', ...args))
  } finally {
    raw.disconnect()
  }
}

/** A sentinel whose clock has jumped on a busy machine does nothing for 30 s. */
const patienceMs = 90_000

/** Asks again and again until the answer holds the text. */
async function saying(port: number, command: readonly string[], text: string): Promise<void> {
  const until = Date.now() + patienceMs
  let answer = ''
  while (!answer.includes(text)) {
    if (Date.now() > until) throw new Error(`${command.join(' ')} never said ${text}: ${answer}`)
    answer = await tell(port, command).catch(String)
    if (!answer.includes(text)) await sleep(50)
  }
}
