import { connections, load, median, say, startOurs, startProxy } from '../harness.ts'
import type { Lab, Proxy } from '../harness.ts'
import { startApache } from '../parts/apache.ts'
import { bodyNames, proxyNames } from '../names.ts'
import type { Figures, Plan } from '../bench.ts'

/**
 * The proxies side by side: alternating rounds, medians. The judge is CPU time of the proxy process per request, as a
 * ratio to the bare proxy's in the same run.
 */
interface Body {
  readonly name: string
  readonly path: string
  /** Answers of 5 MB on 50 connections would fill the budget of held bytes, which is there to refuse them. */
  readonly connections: number
  /** Answers before the first round, so that no round measures the compiler: V8 is done after some 20,000 of a kind. */
  readonly warm: number
}

const [small, middle, large, huge] = bodyNames
const bodies: readonly Body[] = [
  { name: small, path: 'Patient/p1', connections, warm: 25_000 },
  { name: middle, path: 'Observation?_count=33', connections, warm: 15_000 },
  { name: large, path: 'Observation?_count=165', connections, warm: 6000 },
  { name: huge, path: 'Observation?_count=7200', connections: 4, warm: 20 },
]

interface Sample {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuMicroseconds: number
  readonly peakRssMegabytes: number
}

export async function proxies(lab: Lab, plan: Plan): Promise<Figures> {
  const { ehr, redis } = lab
  const both = { ehr, redisUrl: redis.url }
  const all: Proxy[] = []
  const figures: Record<string, number> = {}
  try {
    all.push(await startProxy(proxyNames.bare, 'parts/bare.mjs', both))
    all.push(await startOurs(lab))
    all.push(await startProxy(proxyNames.fastify, 'comparators/http-proxy.mjs', both))
    all.push(await startProxy(proxyNames.express, 'comparators/express.mjs', both))
    const apache = await startApache(both)
    if (apache === undefined) say('Apache with mod_auth_openidc is not installed: left out.')
    else all.push(apache)
    for (const body of bodies) {
      const rows = await compare(all, body, plan)
      print(body, rows)
      for (const [proxy, sample] of Object.entries(rows)) {
        for (const [name, value] of Object.entries(sample)) {
          figures[`${body.name} / ${proxy} / ${name}`] = value
        }
      }
    }
  } finally {
    for (const proxy of all) await proxy.stop()
  }
  return figures
}

async function compare(
  all: readonly Proxy[],
  body: Body,
  plan: Plan,
): Promise<Record<string, Sample>> {
  const samples = new Map<string, Sample[]>(all.map(({ name }) => [name, []]))
  const asked = { connections: body.connections, durationMs: plan.roundMs }
  for (const proxy of all) {
    for (let done = 0; done < body.warm;) {
      done += (await load(proxy, body.path, { ...asked, durationMs: plan.roundMs / 3 })).length
    }
  }
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const proxy of all) samples.get(proxy.name)?.push(await measure(proxy, body, asked))
  }
  return Object.fromEntries([...samples].map(([name, list]) => [name, medians(list)]))
}

async function measure(
  proxy: Proxy,
  body: Body,
  asked: { connections: number; durationMs: number },
): Promise<Sample> {
  const before = await proxy.usage()
  const started = performance.now()
  const latencies = await load(proxy, body.path, asked)
  const seconds = (performance.now() - started) / 1000
  const after = await proxy.usage()
  latencies.sort((a, b) => a - b)
  return {
    requestsPerSecond: latencies.length / seconds,
    p50Ms: latencies[Math.floor(latencies.length / 2)] ?? 0,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
    cpuMicroseconds: (after.cpuMicroseconds - before.cpuMicroseconds) / latencies.length,
    peakRssMegabytes: after.peakRssBytes / 1_048_576,
  }
}

function medians(samples: readonly Sample[]): Sample {
  return {
    requestsPerSecond: median(samples.map((sample) => sample.requestsPerSecond)),
    p50Ms: median(samples.map((sample) => sample.p50Ms)),
    p99Ms: median(samples.map((sample) => sample.p99Ms)),
    cpuMicroseconds: median(samples.map((sample) => sample.cpuMicroseconds)),
    peakRssMegabytes: Math.max(...samples.map((sample) => sample.peakRssMegabytes)),
  }
}

function print({ name }: Body, rows: Record<string, Sample>): void {
  const [bare] = Object.values(rows)
  say(`\n${name}`)
  say('| proxy | requests/s | p50 ms | p99 ms | CPU µs/request | peak MB | bare CPU / its CPU |')
  say('| --- | ---: | ---: | ---: | ---: | ---: | ---: |')
  for (const [proxy, sample] of Object.entries(rows)) {
    const ratio = (bare?.cpuMicroseconds ?? 0) / sample.cpuMicroseconds
    const cells = [
      proxy,
      sample.requestsPerSecond.toFixed(0),
      sample.p50Ms.toFixed(1),
      sample.p99Ms.toFixed(1),
      sample.cpuMicroseconds.toFixed(0),
      sample.peakRssMegabytes.toFixed(0),
      ratio.toFixed(2),
    ]
    say(`| ${cells.join(' | ')} |`)
  }
}
