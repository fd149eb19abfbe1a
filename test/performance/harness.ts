import { fork, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { request } from 'undici'
import { startRedis } from '../support/redis.ts'
import type { TestRedis } from '../support/redis.ts'
import { createCallers } from './load.ts'
import type { Callers } from './load.ts'
import { proxyNames } from './names.ts'
import { rawConfiguration } from './parts/configuration.ts'
import type { RawConfiguration } from './parts/configuration.ts'
import { createMaker } from './parts/ours.ts'
import type { Made } from './parts/ours.ts'

/** The processes of the bench, how they are loaded, and what of them is measured. */
export const folder = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('../../', import.meta.url))
const usageModule = `${folder}parts/usage.mjs`

/** The proxy under test has a core of its own where the system can pin one; everything else has the others. */
export const canPin = cpus().length > 1 && spawnSync('taskset', ['--version']).status === 0
const testCore = cpus().length - 1

export interface Lab {
  readonly redis: TestRedis
  readonly ehr: string
  /** No section meets what another left, under other keys. */
  empty(): Promise<void>
  stop(): Promise<void>
}

/** Redis and the fixed EHR. */
export async function openLab(): Promise<Lab> {
  const redis = await startRedis()
  const upstream = startPart('parts/upstream.ts', {})
  const { origin } = await told<{ origin: string }>(upstream)
  return {
    redis,
    ehr: origin,
    empty: async () => {
      const client = new Redis(redis.url)
      await client.flushall()
      client.disconnect()
    },
    stop: async () => {
      await end(upstream)
      await redis.stop()
    },
  }
}

export interface Proxy {
  readonly name: string
  readonly origin: string
  readonly callers: Callers
  readonly launch: string
  readonly headers: Record<string, string>
  usage(): Promise<Usage>
  stop(): Promise<void>
}

export interface Usage {
  readonly cpuMicroseconds: number
  readonly rssBytes: number
  readonly peakRssBytes: number
  readonly blockedMs: number
}

export const connections = 50

export function pinned(core: number | undefined = testCore): readonly string[] {
  return canPin ? ['taskset', '-c', String(core)] : []
}

function startPart(
  file: string,
  argument: object,
  options: { core?: number; execArgv?: string[] } = {},
): ChildProcess {
  const [execPath, ...before] = options.core === undefined ? [] : pinned(options.core)
  return fork(join(folder, file), [JSON.stringify(argument)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    ...(execPath === undefined
      ? { execArgv: options.execArgv ?? [] }
      : { execPath, execArgv: [...before, process.execPath, ...(options.execArgv ?? [])] }),
  })
}

interface Told {
  readonly origin: string
  readonly launch: string
  readonly headers: Record<string, string>
  /** A path that leads through the sign-in. */
  readonly signIn?: string
}

export async function startProxy(name: string, file: string, argument: object): Promise<Proxy> {
  const child = startPart(file, argument, { core: testCore, execArgv: ['--import', usageModule] })
  const { origin, launch, headers, signIn } = await told<Told>(child)
  const callers = createCallers(origin)
  const cookie = signIn === undefined ? {} : await signInAt(origin, signIn)
  return {
    name,
    origin,
    launch,
    headers: { ...headers, ...cookie },
    callers,
    usage: () => usage(child),
    stop: async () => {
      await end(child)
      callers.close()
    },
  }
}

export interface OurProxy extends Proxy {
  readonly configuration: RawConfiguration
  readonly operations: string
  readonly made: Made
  /** From now on `usage` tells for how long the event loop stood still. */
  watch(): void
}

/** smart-bff as it is deployed: the built program with its configuration file. */
export async function startOurs(
  lab: Lab,
  options: {
    readonly configuration?: RawConfiguration
    readonly instance?: string
    readonly core?: number
    readonly made?: Made
  } = {},
): Promise<OurProxy> {
  const configuration =
    options.configuration ?? rawConfiguration({ ehr: lab.ehr, redisUrl: lab.redis.url })
  const instance = options.instance ?? 'bench'
  const child = startMain(configuration, instance, options.core ?? testCore)
  const { origin, operations } = await listening(child)
  const callers = createCallers(origin)
  const made = options.made ?? (await makeOne(configuration))
  return {
    name: proxyNames.ours,
    configuration,
    origin,
    operations,
    made,
    launch: made.launch,
    headers: made.headers,
    callers,
    usage: () => usage(child),
    watch: () => void child.send('watch'),
    stop: async () => {
      await end(child)
      callers.close()
    },
  }
}

/** For profiles: `BENCH_NODE_ARGS='--cpu-prof' npm run bench -- proxies` (docs/performance.md). */
const profiling = (process.env['BENCH_NODE_ARGS'] ?? '').split(' ').filter(Boolean)

export function startMain(
  { folder: directory, file }: RawConfiguration,
  instance: string,
  core: number,
): ChildProcess {
  const path = join(directory, `${instance}.json`)
  writeFileSync(path, JSON.stringify({ ...file, instance }), { mode: 0o600 })
  const [execPath = process.execPath, ...before] = pinned(core)
  const node = execPath === process.execPath ? [] : [...before, process.execPath]
  return fork(join(root, 'dist/main.js'), ['serve'], {
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    env: { ...process.env, SMART_BFF_CONFIG: path },
    execPath,
    execArgv: [...node, '--import', usageModule, ...profiling],
  })
}

/** It says where it listens, on standard error. */
export function listening(child: ChildProcess): Promise<{ origin: string; operations: string }> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-4000)
      const found = /serves (http\S+), operations (http\S+)/.exec(text)
      if (found !== null) resolve({ origin: found[1] ?? '', operations: found[2] ?? '' })
    })
    child.once('exit', (code, signal) => {
      reject(new Error(`smart-bff did not start: ${text}`))
      // Ended in order by `end`, or else it says why.
      if (code !== 0 && signal === null) say(`smart-bff ended with ${String(code)}: ${text}`)
    })
  })
}

async function makeOne({ file }: RawConfiguration): Promise<Made> {
  const maker = createMaker(file)
  try {
    return await maker.make()
  } finally {
    await maker.close()
  }
}

function told<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void =>
      reject(new Error(`a process of the bench ended: ${String(code)}`))
    child.once('exit', ended)
    child.once('message', (message) => {
      child.removeListener('exit', ended)
      resolve(message as T)
    })
  })
}

export function usage(child: ChildProcess): Promise<Usage> {
  const answer = told<Usage>(child)
  child.send('usage')
  return answer
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const limit = setTimeout(() => child.kill('SIGKILL'), 5000)
  await ended
  clearTimeout(limit)
}

/** Follows redirects with a browser's cookies until the sign-in is done; answers the cookies. */
export async function signInAt(origin: string, path: string): Promise<{ cookie: string }> {
  const jar = new Map<string, string>()
  let url = new URL(path, origin)
  for (let step = 0; step < 10; step += 1) {
    // oxlint-disable-next-line no-await-in-loop -- each step leads to the next
    const answer = await request(url, {
      headers: { accept: 'text/html', ...(url.origin === origin ? cookieOf(jar) : {}) },
    })
    // oxlint-disable-next-line no-await-in-loop -- so that the connection is free
    await answer.body.dump()
    for (const line of [answer.headers['set-cookie'] ?? []].flat()) keepCookie(jar, line)
    const { location } = answer.headers
    if (typeof location !== 'string') {
      if (answer.statusCode === 200) return cookieOf(jar)
      throw new Error(`the sign-in at ${url.pathname} answered ${String(answer.statusCode)}`)
    }
    url = new URL(location, url)
  }
  throw new Error('the sign-in leads in circles')
}

function keepCookie(jar: Map<string, string>, line: string): void {
  const pair = line.split(';', 1)[0] ?? ''
  const equals = pair.indexOf('=')
  const value = pair.slice(equals + 1)
  if (value === '') jar.delete(pair.slice(0, equals))
  else jar.set(pair.slice(0, equals), value)
}

const cookieOf = (jar: ReadonlyMap<string, string>): { cookie: string } => ({
  cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
})

/** Answers how long each request took, in ms. */
export async function load(
  { name, callers, launch, headers }: Pick<Proxy, 'name' | 'callers' | 'launch' | 'headers'>,
  path: string,
  options: { readonly connections: number; readonly durationMs: number },
): Promise<number[]> {
  try {
    return await callers.run({ path: `/fhir/${launch}/${path}`, headers, ...options })
  } catch (cause) {
    throw new Error(`${name}: a wrong answer`, { cause })
  }
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

export function say(line = ''): void {
  process.stdout.write(`${line}\n`)
}
