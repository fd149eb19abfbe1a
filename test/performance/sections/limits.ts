import { setTimeout } from 'node:timers/promises'
import { fetch } from 'undici'
import { end, listening, load, median, say, startMain, startOurs, usage } from '../harness.ts'
import type { Lab, OurProxy } from '../harness.ts'
import { createCallers } from '../load.ts'
import { rawConfiguration } from '../parts/configuration.ts'
import { createMaker } from '../parts/ours.ts'
import type { Figures, Plan } from '../bench.ts'

/** How long a start takes, what 500 connections at once cost, and what an answer of 5 MB does to a quiet process. */
export async function limits(lab: Lab, plan: Plan): Promise<Figures> {
  return {
    ...(await coldStart(lab, plan)),
    ...(await crowd(lab, plan)),
    ...(await large(lab, plan)),
  }
}

async function coldStart(lab: Lab, plan: Plan): Promise<Figures> {
  const walls: number[] = []
  const cpu: number[] = []
  for (let round = 0; round < plan.rounds; round += 1) {
    const configuration = rawConfiguration({ ehr: lab.ehr, redisUrl: lab.redis.url })
    const started = performance.now()
    const child = startMain(configuration, 'bench', 1)
    // oxlint-disable-next-line no-await-in-loop -- one start after the other
    const { operations } = await listening(child)
    // oxlint-disable-next-line no-await-in-loop -- one start after the other
    const { status } = await fetch(`${operations}/readyz`)
    if (status !== 200) throw new Error(`not ready after the start: ${String(status)}`)
    walls.push(performance.now() - started)
    // oxlint-disable-next-line no-await-in-loop -- one start after the other
    cpu.push((await usage(child)).cpuMicroseconds / 1000)
    // oxlint-disable-next-line no-await-in-loop -- one start after the other
    await end(child)
  }
  say(
    `\nCold start to ready: ${median(walls).toFixed(0)} ms, of them ${median(cpu).toFixed(0)} ms of CPU.`,
  )
  return { 'cold start ms': median(walls), 'cold start CPU ms': median(cpu) }
}

async function crowd(lab: Lab, plan: Plan): Promise<Figures> {
  const connections = 500
  // One launch alone may not have so many under way: it would starve the others.
  const launches = 10
  const ours = await startOurs(lab)
  const maker = createMaker(ours.configuration.file)
  // Each launch with connections of its own.
  const browsers = Array.from({ length: launches }, () => createCallers(ours.origin))
  const asked = { connections: connections / launches, durationMs: plan.roundMs * 2 }
  try {
    const made = await Promise.all(Array.from({ length: launches }, () => maker.make()))
    // Any answer but 200 ends the bench.
    const lists = await Promise.all(
      made.map((one, index) => {
        const callers = browsers[index] ?? ours.callers
        return load({ ...ours, ...one, callers }, 'Observation?_count=33', asked)
      }),
    )
    const count = lists.reduce((sum, list) => sum + list.length, 0)
    const megabytes = (await ours.usage()).peakRssBytes / 1_048_576
    say(`500 connections: ${String(count)} answers, no error, ${megabytes.toFixed(0)} MB at most.`)
    return { '500 connections, peak MB': megabytes, '500 connections, answers': count }
  } finally {
    for (const callers of browsers) callers.close()
    await maker.close()
    await ours.stop()
  }
}

async function large(lab: Lab, plan: Plan): Promise<Figures> {
  const ours = await startOurs(lab)
  const once = { connections: 1, durationMs: 1 }
  try {
    ours.watch()
    // Compiled by answers of a usual size.
    await load(ours, 'Observation?_count=165', { connections: 1, durationMs: plan.roundMs })
    const idle = await standstill(ours, async () => undefined)
    const before = await ours.usage()
    const first = await standstill(ours, () => load(ours, 'Observation?_count=7200', once))
    const rise = ((await ours.usage()).rssBytes - before.rssBytes) / 1_048_576
    const stood: number[] = []
    for (let round = 0; round < plan.rounds * 2; round += 1) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      stood.push(await standstill(ours, () => load(ours, 'Observation?_count=7200', once)))
    }
    const [usual, most] = [median(stood), Math.max(...stood)]
    say(
      `An answer of 5 MB: resident memory rises by ${rise.toFixed(0)} MB. The event loop stands still`,
    )
    say(
      `for ${first.toFixed(0)} ms with the first, for ${usual.toFixed(0)} ms with one of ${String(stood.length)} more, ${most.toFixed(0)} ms at most; idle for ${idle.toFixed(1)} ms.`,
    )
    return {
      '5 MB, rise in MB': rise,
      '5 MB, event loop ms': usual,
      '5 MB, first, event loop ms': first,
      '5 MB, worst, event loop ms': most,
      'idle, event loop ms': idle,
    }
  } finally {
    await ours.stop()
  }
}

/** The longest that the event loop stood still while this was done, and a tenth of a second after. */
async function standstill(ours: OurProxy, done: () => Promise<unknown>): Promise<number> {
  await ours.usage()
  await done()
  await setTimeout(100)
  return (await ours.usage()).blockedMs
}
