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
  /** Nobody reads its standard output any more, or again. */
  readOutput(reads: boolean): void
  /** Where it listens. */
  readonly public: string
  operations(): string
  pid(): number
  readonly auditFolder: string
  /** SIGKILL: nothing is finished, nothing said good-bye to. */
  kill(): Promise<void>
  /** The same replica again, after `kill`. */
  start(): Promise<void>
}

export interface DeploymentOptions {
  readonly replicas?: number
  readonly root?: Raw
  readonly tenant?: Raw
  readonly accessTokenSeconds?: number
  readonly refreshTokens?: 'rotate' | 'keep'
  readonly sandboxHost?: string
  readonly sandboxPort?: number
  /** Of each replica's process. */
  readonly nodeArgs?: readonly string[]
  /** Of one replica's process, besides. */
  readonly nodeArgsOf?: (index: number) => readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly limitMs?: number
  /** Each replica its own audit folder, as on machines of their own. */
  readonly ownFolders?: boolean
}

/** Characters of output that are kept. */
const outputKept = 10_000_000

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
  const replicas = await Promise.all(
    ports.map(async (port, index) => {
      const file = join(folder, `replica-${index}.yaml`)
      const auditFolder =
        options.ownFolders === true ? join(folder, `audit-${index}`) : auditDirectory
      const own = {
        listen: { host: 'localhost', port },
        instance: `replica-${index}`,
        audit: { ...(raw['audit'] as Raw), directory: auditFolder },
      }
      await writeFile(file, JSON.stringify({ ...withIss(raw, sandbox), ...own }), { mode: 0o600 })
      const replica = createReplica({
        file,
        port,
        auditFolder,
        publicUrl,
        sandbox,
        options: {
          ...options,
          nodeArgs: [...(options.nodeArgs ?? []), ...(options.nodeArgsOf?.(index) ?? [])],
        },
      })
      await replica.start()
      return replica
    }),
  )
  const auditFolders = [...new Set(replicas.map(({ auditFolder }) => auditFolder))]
  return {
    sandbox,
    publicUrl,
    secrets: secretsOf(raw),
    replicas,
    auditText: async () => (await Promise.all(auditFolders.map(readFolder))).join(''),
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
      await Promise.all(replicas.map((replica) => replica.stop()))
      await sandbox.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function readFolder(folder: string): Promise<string> {
  const names = (await readdir(folder)).toSorted()
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  return texts.join('')
}

interface ReplicaSetting {
  readonly file: string
  readonly port: number
  readonly auditFolder: string
  readonly publicUrl: string
  readonly sandbox: Sandbox
  readonly options: DeploymentOptions
}

function createReplica(setting: ReplicaSetting): Replica & { stop(): Promise<void> } {
  const { file, port, auditFolder, publicUrl, sandbox } = setting
  const { nodeArgs = [], env = {}, limitMs } = setting.options
  const listening = `http://localhost:${port}`
  let output = ''
  let operations = ''
  let running: Running | undefined
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    running?.child.kill(signal)
    await running?.ended()
    running = undefined
  }
  return {
    public: listening,
    auditFolder,
    operations: () => operations,
    pid: () => running?.child.pid ?? 0,
    browser: () => createBrowser(listening, publicUrl, sandbox),
    output: () => output,
    readOutput: (reads) => {
      const stdout = running?.child.stdout
      if (reads) stdout?.resume()
      else stdout?.pause()
    },
    start: async () => {
      const given = { SMART_BFF_CONFIG: file, PATH: process.env['PATH'] ?? '', ...env }
      const started = runMain(['serve'], given, {
        nodeArgs,
        ...(limitMs === undefined ? {} : { limitMs }),
      })
      const hear = (chunk: Buffer): void => {
        output = (output + chunk.toString()).slice(-outputKept)
      }
      started.child.stdout?.on('data', hear)
      started.child.stderr?.on('data', hear)
      started.child.once('exit', (code, signal) => {
        output += `(ended: ${String(signal ?? code)})\n`
      })
      operations = (await started.says(/smart-bff serves .*, operations (\S+)/))[1] ?? ''
      running = started
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  }
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
