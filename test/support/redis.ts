import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './http.ts'
import { findRedisServer, required } from './programs.ts'

/** A real Redis of the test's own: free port, own directory, nothing kept on disk. */
export interface TestRedis {
  readonly host: '127.0.0.1'
  readonly port: number
  readonly url: string
  /** Stops answering without closing a connection, and goes on; for faults. */
  pause(): void
  resume(): void
  stop(): Promise<void>
}

export interface TestRedisOptions {
  readonly password?: string
  /** The same port again, to come back after `stop`. */
  readonly port?: number
  /** Further arguments, such as `['--maxmemory', '1mb']` or `['--cluster-enabled', 'yes']`. */
  readonly args?: readonly string[]
}

const startLimitMs = 10_000
const stopLimitMs = 3_000

export async function startRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  const port = options.port ?? (await freePort())
  const directory = mkdtempSync(join(tmpdir(), 'smart-bff-redis-'))
  const child = spawn(
    required(findRedisServer(), 'redis-server'),
    [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      directory,
      '--save',
      '',
      '--appendonly',
      'no',
      ...(options.password === undefined ? [] : ['--requirepass', options.password]),
      ...(options.args ?? []),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const stop = async () => {
    await end(child)
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    await ready(child)
  } catch (error) {
    await stop()
    throw error
  }
  const user = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`
  return {
    host: '127.0.0.1',
    port,
    url: `redis://${user}127.0.0.1:${port}`,
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    stop,
  }
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = ''
    const limit = setTimeout(() => {
      reject(new Error(`redis-server did not start: ${log}`))
    }, startLimitMs)
    child.once('exit', () => {
      clearTimeout(limit)
      reject(new Error(`redis-server ended: ${log}`))
    })
    child.once('error', reject)
    child.stdout?.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-4000)
      if (!log.includes('Ready to accept connections')) return
      clearTimeout(limit)
      resolve()
    })
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  // A paused process takes no SIGTERM.
  child.kill('SIGCONT')
  child.kill('SIGTERM')
  const limit = setTimeout(() => child.kill('SIGKILL'), stopLimitMs)
  await ended
  clearTimeout(limit)
}
