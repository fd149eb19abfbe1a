import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import { freePort } from './http.ts'
import { runMain, type Running } from './process.ts'
import { findNginx, required } from './programs.ts'
import { until } from './until.ts'

/**
 * The services of docker-compose.yml as processes, each started as the file says: its command, its environment, its
 * volumes and secrets. Only paths and addresses of containers are moved to this machine's.
 */
export interface Composed {
  /** Resolves when the service does what another may wait for. */
  startRedis(): Promise<ChildProcess>
  startReplica(name: ReplicaName): Promise<Running>
  startProxy(): Promise<ChildProcess>
  /** The health check of the service, run once. */
  redisIsHealthy(): boolean
  /** Of the container's address, such as `redis:6379`, on this machine. */
  port(address: string): number
}

export type ReplicaName = 'smart-bff-0' | 'smart-bff-1'

interface Service {
  readonly command?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly secrets?: readonly string[]
  readonly healthcheck?: { readonly test: readonly string[] }
}

const root = fileURLToPath(new URL('../../', import.meta.url))
const composeFile: {
  readonly services: Readonly<Record<string, Service>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
} = Object(parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true }))

const addresses = [
  'redis:6379',
  'proxy:8443',
  ...['smart-bff-0', 'smart-bff-1'].flatMap((name) => [`${name}:3000`, `${name}:3001`]),
]

/**
 * `folder` stands for the user's folder with docker-compose.yml in it, `env` for his environment; `hosts` are names of
 * his network that lead to this machine.
 */
export async function compose(
  folder: string,
  env: Readonly<Record<string, string>>,
  hosts: readonly string[] = [],
): Promise<Composed> {
  const ports = new Map<string, number>()
  for (const address of addresses) ports.set(address, await freePort())
  const port = (address: string): number => ports.get(address) ?? 0
  const service = (name: string): Service => composeFile.services[name] ?? {}
  const environment = (name: string) => ({
    PATH: `${process.env['PATH'] ?? ''}:/usr/bin:/usr/sbin`,
    ...Object.fromEntries(
      Object.entries(service(name).environment ?? {}).map(([key, value]) => [
        key,
        here(interpolated(value, env)),
      ]),
    ),
  })
  const here = (text: string): string =>
    addresses.reduce((moved, one) => moved.replaceAll(one, `127.0.0.1:${port(one)}`), text)
  const redisText = (text: string): string =>
    moved(service('redis'), folder, text.replaceAll('$$', '$'))
      .replace('tls-port 6379', `tls-port ${port('redis:6379')}`)
      .replace("echo 'dir ", `echo 'port ${port('redis:6379')}'; echo 'dir `)
      .replace('redis-cli ', `redis-cli -h 127.0.0.1 -p ${port('redis:6379')} `)

  return {
    port,
    startRedis: async () => {
      const [shell = '', ...args] = (service('redis').command ?? []).map(redisText)
      const child = spawn(shell, args, {
        env: environment('redis'),
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      await ready(child)
      return child
    },
    redisIsHealthy: () => {
      const [, script = ''] = (service('redis').healthcheck?.test ?? []).map(redisText)
      return spawnSync('sh', ['-c', script], { env: environment('redis') }).status === 0
    },
    startReplica: async (name) => {
      const text = moved(
        service(name),
        folder,
        readFileSync(join(folder, 'config/smart-bff.yaml'), 'utf8'),
      )
      const config = Object(parse(text))
      config.listen.port = port(`${name}:3000`)
      config.operations.listen.port = port(`${name}:3001`)
      const file = join(folder, `${name}.yaml`)
      writeFileSync(file, stringify(config))
      const running = runMain(
        ['serve'],
        { ...environment(name), NODE_ENV: 'production', SMART_BFF_CONFIG: file },
        { limitMs: 600_000, nodeArgs: ['--import', namesHere(hosts)] },
      )
      await running.says(/smart-bff serves/)
      return running
    },
    startProxy: async () => {
      const text = moved(
        service('proxy'),
        folder,
        readFileSync(join(folder, 'config/nginx.conf'), 'utf8'),
      )
      const file = join(folder, 'nginx.conf')
      writeFileSync(
        file,
        here(text).replaceAll('listen 8443', `listen 127.0.0.1:${port('proxy:8443')}`),
      )
      const [, , , ...args] = service('proxy').entrypoint ?? []
      const child = spawn(required(findNginx(), 'nginx'), ['-c', file, ...args], {
        stdio: ['ignore', 'ignore', 'inherit'],
      })
      await until(
        () => listens(port('proxy:8443')),
        (there) => there,
      )
      return child
    },
  }
}

/** A module that resolves the names to this machine, where no name server knows them. */
const namesHere = (hosts: readonly string[]): string =>
  `data:text/javascript,${encodeURIComponent(`
    import dns from 'node:dns'
    import { syncBuiltinESMExports } from 'node:module'
    const { lookup } = dns
    const here = ${JSON.stringify(hosts)}
    dns.lookup = (name, ...rest) => lookup(here.includes(name) ? '127.0.0.1' : name, ...rest)
    syncBuiltinESMExports()
  `)}`

/** Compose's own: `${NAME:-default}`. */
const interpolated = (text: string, env: Readonly<Record<string, string>>): string =>
  text.replaceAll(/\$\{(\w+):-([^}]*)\}/g, (_, name: string, otherwise: string) =>
    env[name] === undefined || env[name] === '' ? otherwise : env[name],
  )

/** A text of the container with this machine's paths: the volumes and secrets that compose mounts into it. */
function moved({ volumes = [], secrets = [] }: Service, folder: string, text: string): string {
  const mounts = [
    ...volumes.map((volume) => volume.split(':')),
    ...secrets.map((name) => [composeFile.secrets[name]?.file, `/run/secrets/${name}`]),
  ].map(([source = '', target = '']) => {
    const name = source.startsWith('.') ? source : join('volumes', source)
    return { target, place: join(folder, name) }
  })
  for (const { place } of mounts) if (place.includes('/volumes/')) makeVolume(place)
  const temporary = { target: '/tmp/', place: `${makeVolume(join(folder, 'volumes/tmp'))}/` }
  // In one go, so that no path that was put in is moved once more; the longer first.
  const targets = [...mounts, temporary].toSorted((a, b) => b.target.length - a.target.length)
  const any = new RegExp(targets.map(({ target }) => RegExp.escape(target)).join('|'), 'g')
  return text.replaceAll(any, (found) => targets.find(({ target }) => target === found)!.place)
}

function makeVolume(place: string): string {
  mkdirSync(place, { recursive: true })
  return place
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const connected = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return connected
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4000)
      if (said.includes('Ready to accept connections')) resolve()
    })
    child.once('exit', (code) => reject(new Error(`Redis ended with ${String(code)}: ${said}`)))
  })
}
