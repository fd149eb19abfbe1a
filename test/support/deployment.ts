import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { Sandbox } from '../../src/sandbox/sandbox.ts'
import { rawConfig, rawTenant, type Raw } from './config.ts'
import { createBrowser, sandboxFor, withIss, type TestBrowser } from './hospital.ts'
import { freePort } from './http.ts'
import { runMain, type Running } from './process.ts'

/** smart-bff as it is deployed: processes of their own with one configuration file, beside the sandbox EHR. */
export interface Deployment {
  readonly sandbox: Sandbox
  readonly publicUrl: string
  readonly replicas: readonly Replica[]
  /** Every secret of the configuration, for searches that must not find it. */
  readonly secrets: readonly string[]
  auditText(): Promise<string>
  /** A command beside the running processes, with the configuration of the first. */
  run(args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }>
  close(): Promise<void>
}

export interface Replica {
  /** A browser whose requests reach this replica, as an ingress would route them. */
  browser(): TestBrowser
  /** Standard output (the application log) and standard error so far. */
  output(): string
}

export interface DeploymentOptions {
  readonly replicas?: number
  readonly root?: Raw
  readonly tenant?: Raw
  readonly accessTokenSeconds?: number
  readonly refreshTokens?: 'rotate' | 'keep'
}

/** The demo's mode, so that the demo app has all that it asks for. */
export async function demoModes(): Promise<unknown> {
  const demo = parse(
    await readFile(new URL('../../config/demo.yaml', import.meta.url), 'utf8'),
  ) as {
    tenants: { modes: unknown }[]
  }
  return demo.tenants[0]?.modes
}

export async function startDeployment(options: DeploymentOptions = {}): Promise<Deployment> {
  const folder = await mkdtemp(join(tmpdir(), 'smart-bff-deployment-'))
  const ports = await Promise.all(
    Array.from({ length: options.replicas ?? 1 }, async () => freePort()),
  )
  const publicUrl = `http://localhost:${ports[0]}`
  const auditDirectory = join(folder, 'audit')
  const raw = rawConfig({
    publicUrl,
    tenant: { modes: await demoModes(), ...options.tenant },
    root: { audit: { directory: auditDirectory }, logging: { level: 'debug' }, ...options.root },
  })
  const sandbox = await sandboxFor(raw, publicUrl, options)
  const running = await Promise.all(
    ports.map(async (port, index) => {
      const file = join(folder, `replica-${index}.yaml`)
      const own = { listen: { host: 'localhost', port }, instance: `replica-${index}` }
      await writeFile(file, JSON.stringify({ ...withIss(raw, sandbox), ...own }), { mode: 0o600 })
      return startReplica(file)
    }),
  )
  return {
    sandbox,
    publicUrl,
    secrets: secretsOf(raw),
    replicas: running.map((process, index) => ({
      browser: () => createBrowser(`http://localhost:${ports[index]}`, publicUrl, sandbox),
      output: () => process.output(),
    })),
    auditText: async () => {
      const names = (await readdir(auditDirectory)).toSorted()
      const texts = await Promise.all(
        names.map((name) => readFile(join(auditDirectory, name), 'utf8')),
      )
      return texts.join('')
    },
    run: async (args) => {
      const file = join(folder, 'replica-0.yaml')
      const started = runMain([...args], {
        SMART_BFF_CONFIG: file,
        PATH: process.env['PATH'] ?? '',
      })
      const { code, stdout, stderr } = await started.ended()
      return { code, output: stdout + stderr }
    },
    close: async () => {
      for (const { running: process } of running) process.child.kill('SIGTERM')
      await Promise.all(running.map(({ running: process }) => process.ended()))
      await sandbox.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function startReplica(file: string): Promise<{ running: Running; output: () => string }> {
  const running = runMain(['serve'], { SMART_BFF_CONFIG: file, PATH: process.env['PATH'] ?? '' })
  let output = ''
  running.child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  running.child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  await running.says(/smart-bff serves/)
  return { running, output: () => output }
}

/** All that must never be seen: keys of every purpose and the client's key material. */
function secretsOf(raw: Raw): readonly string[] {
  const found: string[] = []
  const visit = (value: unknown, key: string): void => {
    if (typeof value === 'string') {
      if (['secret', 'key', 'signing', 'session'].includes(key)) found.push(...lines(value))
    } else if (Array.isArray(value)) value.forEach((one) => visit(one, key))
    else if (typeof value === 'object' && value !== null) {
      for (const [name, member] of Object.entries(value)) visit(member, name)
    }
  }
  visit(raw['keys'], '')
  visit(raw['tenants'] ?? [rawTenant()], '')
  return found
}

const lines = (text: string): string[] =>
  text.split('\n').filter((line) => line.length > 20 && !line.startsWith('-----'))
