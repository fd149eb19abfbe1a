import { execFileSync, fork, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Pool } from 'undici'
import { startRedis } from '../support/redis.ts'
import type { Usage } from './report.ts'

/**
 * `npm run bench`: one fixed upstream, the proxies side by side in alternating rounds, medians. The judge is CPU time of
 * the proxy process per request, as a ratio to the bare proxy of the same run. Results go to the terminal and, as JSON,
 * to the file that BENCH_RESULT names.
 */
const folder = fileURLToPath(new URL('.', import.meta.url))
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)
const roundMs = Number(process.env['BENCH_ROUND_MS'] ?? 2000)
const connections = 50
interface Body {
  readonly name: string
  readonly path: string
  readonly target: number | undefined
  /** Answers of 5 MB on 50 connections would fill the budget of held bytes, which is there to refuse them. */
  readonly connections: number
}

const bodies: readonly Body[] = [
  { name: '1 KB Patient', path: 'Patient/p1', target: 0.45, connections },
  { name: '23 KB searchset', path: 'Observation?_count=33', target: 0.6, connections },
  { name: '115 KB searchset', path: 'Observation?_count=165', target: 0.6, connections },
  { name: '5 MB searchset', path: 'Observation?_count=7200', target: undefined, connections: 4 },
]

interface Proxy {
  readonly name: string
  readonly child: ChildProcess
  readonly pool: Pool
  readonly launch: string
  readonly headers: Record<string, string>
}

interface Sample {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuMicroseconds: number
  readonly peakRssBytes: number
}

async function main(): Promise<void> {
  installComparators()
  const redis = await startRedis()
  const upstream = start('upstream.ts', [])
  const { origin } = await told(upstream)
  const proxies = [
    await startProxy('bare node:http + undici', 'bare.ts', [origin]),
    await startProxy('@fastify/http-proxy', 'http-proxy.mjs', [origin]),
    await startProxy('smart-bff on Redis', 'ours.ts', [origin, redis.url]),
  ]
  const stop = async (): Promise<void> => {
    for (const { child, pool } of proxies) {
      child.kill()
      await pool.destroy()
    }
    upstream.kill()
    await redis.stop()
  }
  try {
    await compare(proxies)
  } finally {
    await stop()
  }
}

async function compare(proxies: readonly Proxy[]): Promise<void> {
  const results: Record<string, Record<string, Sample>> = {}
  for (const body of bodies) {
    const samples = new Map<string, Sample[]>(proxies.map(({ name }) => [name, []]))
    for (const proxy of proxies) await load(proxy, body, roundMs)
    for (let round = 0; round < rounds; round += 1) {
      for (const proxy of proxies) samples.get(proxy.name)?.push(await measure(proxy, body))
    }
    results[body.name] = Object.fromEntries(
      [...samples].map(([name, list]) => [name, medians(list)]),
    )
    print(body.name, results[body.name] ?? {}, body.target)
  }
  const file = process.env['BENCH_RESULT']
  if (file !== undefined) writeFileSync(file, JSON.stringify(describe(results), undefined, 2))
}

/** Once; the registry is asked for nothing when they are there. */
function installComparators(): void {
  if (existsSync(`${folder}node_modules/@fastify/http-proxy`)) return
  execFileSync('npm', ['install', '--no-package-lock', '--loglevel=error'], {
    cwd: folder,
    stdio: 'inherit',
  })
}

/** The proxy under test has a core of its own where the system can pin one; everything else has the others. */
const canPin = cpus().length > 1 && spawnSync('taskset', ['--version']).status === 0

function start(file: string, args: readonly string[], core?: number): ChildProcess {
  const pinned = canPin && core !== undefined
  return fork(`${folder}${file}`, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    ...(pinned ? { execPath: 'taskset', execArgv: ['-c', String(core), process.execPath] } : {}),
  })
}

async function startProxy(name: string, file: string, args: readonly string[]): Promise<Proxy> {
  const child = start(file, args, cpus().length - 1)
  const { origin, launch, headers } = await told(child)
  return { name, child, launch, headers, pool: new Pool(origin, { connections, allowH2: false }) }
}

interface Told {
  readonly origin: string
  readonly launch: string
  readonly headers: Record<string, string>
}

function told(child: ChildProcess): Promise<Told> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as Told))
    child.once('exit', (code) => reject(new Error(`a process of the bench ended: ${String(code)}`)))
  })
}

function usage(child: ChildProcess): Promise<Usage> {
  return new Promise((resolve) => {
    child.once('message', (message) => resolve(message as Usage))
    child.send('usage')
  })
}

async function measure(proxy: Proxy, body: Body): Promise<Sample> {
  const before = await usage(proxy.child)
  const started = performance.now()
  const latencies = await load(proxy, body, roundMs)
  const seconds = (performance.now() - started) / 1000
  const after = await usage(proxy.child)
  latencies.sort((a, b) => a - b)
  return {
    requestsPerSecond: latencies.length / seconds,
    p50Ms: latencies[Math.floor(latencies.length / 2)] ?? 0,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
    cpuMicroseconds: (after.cpuMicroseconds - before.cpuMicroseconds) / latencies.length,
    peakRssBytes: after.peakRssBytes,
  }
}

/** A closed loop on every connection; a wrong answer ends the bench. */
async function load(proxy: Proxy, asked: Body, durationMs: number): Promise<number[]> {
  const latencies: number[] = []
  const end = performance.now() + durationMs
  const target = `/fhir/${proxy.launch}/${asked.path}`
  const one = async (): Promise<void> => {
    while (performance.now() < end) {
      const started = performance.now()
      const { statusCode, body } = await proxy.pool.request({
        path: target,
        method: 'GET',
        headers: proxy.headers,
      })
      await body.dump({ limit: 100_000_000 })
      if (statusCode !== 200) throw new Error(`${proxy.name} answered ${String(statusCode)}`)
      latencies.push(performance.now() - started)
    }
  }
  await Promise.all(Array.from({ length: asked.connections }, one))
  return latencies
}

function medians(samples: readonly Sample[]): Sample {
  const of = (pick: (sample: Sample) => number): number => {
    const sorted = samples.map(pick).toSorted((a, b) => a - b)
    return sorted[Math.floor(sorted.length / 2)] ?? 0
  }
  return {
    requestsPerSecond: of((sample) => sample.requestsPerSecond),
    p50Ms: of((sample) => sample.p50Ms),
    p99Ms: of((sample) => sample.p99Ms),
    cpuMicroseconds: of((sample) => sample.cpuMicroseconds),
    peakRssBytes: Math.max(...samples.map((sample) => sample.peakRssBytes)),
  }
}

function print(name: string, rows: Record<string, Sample>, target: number | undefined): void {
  const bare = Object.values(rows)[0]
  process.stdout.write(
    `\n${name}${target === undefined ? '' : `, bare / ours at least ${String(target)}`}\n`,
  )
  for (const [proxy, sample] of Object.entries(rows)) {
    const ratio = bare === undefined ? 0 : bare.cpuMicroseconds / sample.cpuMicroseconds
    const cells = [
      proxy.padEnd(26),
      `${sample.requestsPerSecond.toFixed(0)} req/s`.padStart(13),
      `p50 ${sample.p50Ms.toFixed(1)} ms`.padStart(14),
      `p99 ${sample.p99Ms.toFixed(1)} ms`.padStart(14),
      `${sample.cpuMicroseconds.toFixed(0)} us CPU`.padStart(13),
      `${(sample.peakRssBytes / 1_048_576).toFixed(0)} MB`.padStart(8),
      `bare/this ${ratio.toFixed(2)}`.padStart(15),
    ]
    process.stdout.write(`${cells.join(' ')}\n`)
  }
}

function describe(results: object): object {
  const [cpu] = cpus()
  return {
    date: new Date().toISOString(),
    machine: { cpu: cpu?.model, cores: cpus().length, node: process.version, pinned: canPin },
    rounds,
    roundMs,
    connections,
    results,
  }
}

await main()
