import { connections, load, say, startOurs } from '../harness.ts'
import type { Lab, OurProxy } from '../harness.ts'
import type { Figures, Plan } from '../bench.ts'

/**
 * One process and two on one Redis, the same launch through both. On a machine where load, EHR and Redis have no core of
 * their own, requests per second say little; the CPU of a request says whether a second replica costs the first anything.
 */
export async function scaling(lab: Lab, plan: Plan): Promise<Figures> {
  const first = await startOurs(lab, { core: 0 })
  const { configuration, made } = first
  const second = await startOurs(lab, { configuration, made, instance: 'bench-2', core: 1 })
  try {
    await run([first, second], plan)
    const alone = await run([first], plan)
    const both = await run([first, second], plan)
    say(
      '\n| processes | requests/s | CPU µs/request | CPU against one |\n| ---: | ---: | ---: | ---: |',
    )
    say(`| 1 | ${alone.rate.toFixed(0)} | ${alone.cpu.toFixed(0)} | 1.00 |`)
    say(
      `| 2 | ${both.rate.toFixed(0)} | ${both.cpu.toFixed(0)} | ${(both.cpu / alone.cpu).toFixed(2)} |`,
    )
    return {
      'one, CPU us a request': alone.cpu,
      'two, CPU us a request': both.cpu,
      'one, requests a second': alone.rate,
      'two, requests a second': both.rate,
    }
  } finally {
    await second.stop()
    await first.stop()
  }
}

async function run(
  replicas: readonly OurProxy[],
  plan: Plan,
): Promise<{ rate: number; cpu: number }> {
  const before = await cpuOf(replicas)
  const started = performance.now()
  const asked = { connections: connections / replicas.length, durationMs: plan.roundMs * 2 }
  const lists = await Promise.all(replicas.map((one) => load(one, 'Patient/p1', asked)))
  const seconds = (performance.now() - started) / 1000
  const count = lists.reduce((sum, list) => sum + list.length, 0)
  return { rate: count / seconds, cpu: ((await cpuOf(replicas)) - before) / count }
}

async function cpuOf(replicas: readonly OurProxy[]): Promise<number> {
  const usages = await Promise.all(replicas.map((one) => one.usage()))
  return usages.reduce((sum, { cpuMicroseconds }) => sum + cpuMicroseconds, 0)
}
