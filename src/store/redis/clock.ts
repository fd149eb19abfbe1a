import { Cluster } from 'ioredis'
import type { RedisClient } from './client.ts'

/**
 * The clock that all replicas share: Redis's own (TIME). Every deadline is written by one replica and judged by others,
 * so that by clocks of their own a launch would end as early or as late as those are apart (DESIGN rule 13). Redis counts
 * the lives of its records by the same clock.
 */
export interface SharedClock {
  readonly now: () => number
  /** Asks now. Never throws: without an answer the last one counts, and before the first this process's own clock. */
  sync(): Promise<void>
  close(): void
}

const syncMs = 5_000
/** An own clock so far off is worth a word: tokens and certificates are judged by it. */
const skewToldMs = 2_000
/** Between two looks an own clock that differs so much from the one that only goes forward was set. */
const stepMs = 1_000

export function createSharedClock(
  client: RedisClient,
  own: () => number,
  onSkew: () => void,
): SharedClock {
  let aheadMs = 0
  let told = false
  let lookedOwn = own()
  let lookedSteady = performance.now()

  /** A clock that was set makes what is known of it wrong: Redis is asked at once. */
  const look = (): number => {
    const atOwn = own()
    const atSteady = performance.now()
    const wasSet = Math.abs(atOwn - lookedOwn - (atSteady - lookedSteady)) > stepMs
    lookedOwn = atOwn
    lookedSteady = atSteady
    if (wasSet) void sync()
    return atOwn
  }

  const sync = async (): Promise<void> => {
    const nodes = client instanceof Cluster ? client.nodes('master') : [client]
    const read = await Promise.all(nodes.map((node) => ask(node).catch(() => undefined)))
    const samples = read.flatMap((sample) => sample ?? [])
    // Of the masters of a Cluster the middle one: a single clock that is wrong moves nobody.
    const middle = samples.toSorted((one, two) => one.aheadMs - two.aheadMs)[samples.length >> 1]
    if (middle === undefined) return
    // An answer that took long says less than what is known already, unless that cannot be true any more.
    if (Math.abs(middle.aheadMs - aheadMs) > middle.uncertainMs) aheadMs = middle.aheadMs
    if (Math.abs(aheadMs) > skewToldMs !== told) {
      told = !told
      if (told) onSkew()
    }
  }
  /** `seconds, microseconds`, taken at some instant between sending and receiving. */
  async function ask(node: Pick<RedisClient, 'time'>) {
    const [sentAt, started] = [own(), performance.now()]
    const [seconds, micros] = await node.time()
    const tookMs = performance.now() - started
    const there = Number(seconds) * 1000 + Number(micros) / 1000
    if (!Number.isFinite(there)) return undefined
    return { aheadMs: there - (sentAt + tookMs / 2), uncertainMs: tookMs / 2 + 5 }
  }

  client.on('ready', () => void sync())
  const timer = setInterval(() => void sync(), syncMs)
  timer.unref()
  return {
    now: () => Math.round(look() + aheadMs),
    sync,
    close: () => clearInterval(timer),
  }
}
