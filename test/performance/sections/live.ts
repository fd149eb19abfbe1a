import { Redis } from 'ioredis'
import { say } from '../harness.ts'
import type { Lab } from '../harness.ts'
import { rawConfiguration } from '../parts/configuration.ts'
import { createMaker } from '../parts/ours.ts'
import type { Made, Maker } from '../parts/ours.ts'
import type { Figures, Plan } from '../bench.ts'

/**
 * Cost against the number of live launches: memory in Redis, the time to open one of them, and one look for what is
 * due. A million is on paper: the bytes of a launch times a million.
 */
const atOnce = 100
const opens = 2000

export async function live(lab: Lab, plan: Plan): Promise<Figures> {
  const { file } = rawConfiguration({ ehr: lab.ehr, redisUrl: lab.redis.url })
  const maker = createMaker(file)
  const redis = new Redis(lab.redis.url)
  const figures: Record<string, number> = {}
  try {
    await redis.flushall()
    const empty = await usedMemory(redis)
    const made: Made[] = []
    let bytes = 0
    say(
      '\n| live launches | Redis MB | bytes a launch | CPU µs to open one | µs to look for what is due |',
    )
    say('| ---: | ---: | ---: | ---: | ---: |')
    for (const count of plan.live) {
      await makeMany(maker, made, count)
      const used = (await usedMemory(redis)) - empty
      bytes = used / count
      const open = await openMany(maker, made)
      const due = await lookForDue(maker)
      figures[`${String(count)} launches, Redis MB`] = used / 1e6
      figures[`${String(count)} launches, bytes a launch`] = bytes
      figures[`${String(count)} launches, CPU us to open one`] = open
      figures[`${String(count)} launches, us to look for what is due`] = due
      say(
        `| ${[String(count), (used / 1e6).toFixed(1), bytes.toFixed(0), open.toFixed(0), due.toFixed(0)].join(' | ')} |`,
      )
    }
    figures['1000000 launches on paper, Redis MB'] = bytes
    say(`| 1000000 (on paper) | ${bytes.toFixed(0)} | ${bytes.toFixed(0)} | the same | the same |`)
    await redis.flushall()
    return figures
  } finally {
    await maker.close()
    redis.disconnect()
  }
}

async function makeMany(maker: Maker, made: Made[], count: number): Promise<void> {
  let left = count - made.length
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      // oxlint-disable-next-line no-await-in-loop -- a hundred at a time
      made.push(await maker.make())
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
}

async function openMany(maker: Maker, made: readonly Made[]): Promise<number> {
  const before = process.cpuUsage()
  for (let done = 0; done < opens; done += atOnce) {
    // oxlint-disable-next-line no-await-in-loop -- a hundred at a time
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        const one = made[Math.floor(Math.random() * made.length)]
        const opening = one === undefined ? undefined : await maker.vault.open(one)
        if (opening?.kind !== 'open') throw new Error('a launch is not there')
      }),
    )
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / opens
}

/** As the sweeper does it, when nothing is due. */
async function lookForDue(maker: Maker): Promise<number> {
  const looks = 50
  // The first visits of new launches are due once.
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- until nothing is due
    const claims = await maker.store.claimDue({ limit: 1000, hideMs: 3_600_000 })
    if (claims.length === 0) break
  }
  const started = performance.now()
  for (let look = 0; look < looks; look += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await maker.store.claimDue({ limit: 1000, hideMs: 60_000 })
  }
  return ((performance.now() - started) * 1000) / looks
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1] ?? 0)
}
