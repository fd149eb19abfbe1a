import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestCertificate } from './certificate.ts'
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
  /** SIGKILL: nothing is said good-bye to. */
  kill(): Promise<void>
  stop(): Promise<void>
}

export interface TestRedisOptions {
  readonly password?: string
  /** The same port again, to come back after `stop`. */
  readonly port?: number
  /** TLS and no plain port. With `clients`, a client proves itself with a certificate too. */
  readonly tls?: TestCertificate & { readonly clients?: boolean }
  /** As redis-sentinel, with this configuration file. */
  readonly sentinel?: string
  /** The text of an ACL file. */
  readonly users?: string
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
      ...(options.sentinel === undefined
        ? []
        : [written(directory, 'sentinel.conf', options.sentinel), '--sentinel']),
      ...(options.tls === undefined
        ? ['--port', String(port)]
        : tlsArguments(directory, port, options.tls)),
      '--bind',
      '127.0.0.1',
      '--dir',
      directory,
      ...(options.sentinel === undefined ? ['--save', '', '--appendonly', 'no'] : []),
      ...(options.users === undefined
        ? []
        : ['--aclfile', written(directory, 'users.acl', options.users)]),
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
    url: `${options.tls === undefined ? 'redis' : 'rediss'}://${user}127.0.0.1:${port}`,
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    kill: async () => {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
    stop,
  }
}

function written(directory: string, name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

function tlsArguments(
  directory: string,
  port: number,
  { cert, key, clients = false }: NonNullable<TestRedisOptions['tls']>,
): string[] {
  const certificate = written(directory, 'cert.pem', cert)
  return [
    '--port',
    '0',
    '--tls-port',
    String(port),
    '--tls-cert-file',
    certificate,
    '--tls-key-file',
    written(directory, 'key.pem', key),
    '--tls-ca-cert-file',
    certificate,
    '--tls-auth-clients',
    clients ? 'yes' : 'no',
  ]
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
      if (!/Ready to accept connections|\+monitor master/.test(log)) return
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
