import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Sandbox } from '../../src/sandbox/sandbox.ts'
import { rawConfig, type Raw } from './config.ts'
import { demoModes } from './deployment.ts'
import { createBrowser, sandboxFor, withIss, type TestBrowser } from './hospital.ts'
import { freePort } from './http.ts'
import { runMain, type Running } from './process.ts'
import { findNginx, required } from './programs.ts'
import { startRedis } from './redis.ts'
import { until } from './until.ts'

/** Two replicas behind nginx with config/nginx.conf, each of which can be replaced by another version while it runs. */
export interface Rolling {
  readonly sandbox: Sandbox
  readonly publicUrl: string
  /** Through the proxy, as a browser comes. */
  browser(): TestBrowser
  /** Past the proxy. */
  browserAt(replica: number): TestBrowser
  /** Stops what runs in this place, in order, and starts this version in it; resolves when it is ready. */
  replace(replica: number): Promise<{ readonly code: number | null }>
  /** In which form this version writes launch records when it is started the next time. */
  writeRecords(as: 'packed' | 'text'): void
  kill(replica: number): Promise<void>
  close(): Promise<void>
}

export interface RollingOptions {
  /** What each replica runs first: a path of another version's main.ts, or undefined for this one. */
  readonly mains: readonly (string | undefined)[]
  readonly accessTokenSeconds?: number
}

const nobodyListens = -1

export async function startRolling({ mains, ...options }: RollingOptions): Promise<Rolling> {
  const folder = mkdtempSync(join(tmpdir(), 'smart-bff-rolling-'))
  const redis = await startRedis()
  const proxyPort = await freePort()
  const ports = [await freePort(), await freePort()] as const
  const probes = [await freePort(), await freePort()] as const
  const publicUrl = `http://localhost:${proxyPort}`
  const raw: Raw = rawConfig({
    publicUrl,
    tenant: { modes: await demoModes() },
    root: {
      audit: { directory: join(folder, 'audit') },
      store: { redis: { url: redis.url } },
      trustProxy: ['127.0.0.1'],
      rateLimits: { launchPerMinute: 100_000 },
    },
  })
  const sandbox = await sandboxFor(raw, publicUrl, options)
  const running: Running[] = []
  // An earlier version reads text alone (docs/upgrade.md).
  let form = mains.some((main) => main !== undefined) ? 'packed' : 'packed'

  const start = async (replica: number, main: string | undefined): Promise<void> => {
    const file = join(folder, `replica-${replica}.yaml`)
    const own = {
      listen: { host: '127.0.0.1', port: ports[replica] },
      operations: { listen: { host: '127.0.0.1', port: probes[replica] } },
      instance: `replica-${replica}`,
      // An earlier version may not know these.
      ...(main === undefined
        ? {
            drainSeconds: 5,
            shutdownSeconds: 20,
            store: { redis: { url: redis.url, launchRecords: form } },
          }
        : {}),
    }
    writeFileSync(file, JSON.stringify({ ...withIss(raw, sandbox), ...own }), { mode: 0o600 })
    const env = { SMART_BFF_CONFIG: file, PATH: process.env['PATH'] ?? '' }
    running[replica] = runMain(['serve'], env, {
      limitMs: 3_600_000,
      ...(main === undefined ? {} : { main }),
    })
    await until(
      async () => {
        const asked = await fetch(`http://127.0.0.1:${probes[replica]}/readyz`).catch(
          () => undefined,
        )
        return asked?.status ?? nobodyListens
      },
      (status) => status === 200,
      60_000,
    )
  }
  const stop = async (replica: number, signal: NodeJS.Signals) => {
    running[replica]?.child.kill(signal)
    return running[replica]?.ended()
  }

  await Promise.all(mains.map((main, replica) => start(replica, main)))
  const proxy = await startProxy(folder, proxyPort, ports)
  return {
    sandbox,
    publicUrl,
    browser: () => createBrowser(publicUrl, publicUrl, sandbox),
    browserAt: (replica) =>
      createBrowser(`http://127.0.0.1:${ports[replica] ?? 0}`, publicUrl, sandbox),
    replace: async (replica) => {
      const ended = await stop(replica, 'SIGTERM')
      await start(replica, undefined)
      return { code: ended?.code ?? null }
    },
    writeRecords: (as) => {
      form = as
    },
    kill: async (replica) => {
      await stop(replica, 'SIGKILL')
    },
    close: async () => {
      const ended = once(proxy, 'exit')
      proxy.kill('SIGTERM')
      await ended
      await Promise.all(running.map((_, replica) => stop(replica, 'SIGTERM')))
      await sandbox.close()
      await redis.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** config/nginx.conf with this machine's paths and ports, and without TLS, which the browser of these tests has not. */
async function startProxy(
  folder: string,
  port: number,
  [first, second]: readonly [number, number],
): Promise<ChildProcess> {
  const file = join(folder, 'nginx.conf')
  const conf = readFileSync(new URL('../../config/nginx.conf', import.meta.url), 'utf8')
    .replaceAll('/tmp/', `${folder}/`)
    .replaceAll(/^ *ssl_(certificate|certificate_key|protocols|session_cache).*$/gm, '')
    .replaceAll('ssl_reject_handshake on;', 'return 444;')
    .replaceAll(/listen 8443 ssl/g, `listen ${port}`)
    .replaceAll('app.hospital.example', 'localhost')
    .replaceAll(/smart-bff-0:300\d/g, `127.0.0.1:${first}`)
    .replaceAll(/smart-bff-1:300\d/g, `127.0.0.1:${second}`)
    .replaceAll('X-Forwarded-Proto https', 'X-Forwarded-Proto http')
    .replaceAll('proxy_set_header Host $host;', 'proxy_set_header Host $http_host;')
  writeFileSync(file, `${conf}\n`)
  const child = spawn(required(findNginx(), 'nginx'), ['-c', file, '-g', 'daemon off;'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await until(
    async () => (await fetch(`http://localhost:${port}/healthz`).catch(() => undefined))?.status,
    (status) => status === 200,
  )
  return child
}
