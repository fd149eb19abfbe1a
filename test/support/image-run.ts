import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from './until.ts'

/**
 * The program of an image as docker-compose.yml and Kubernetes run it: on a read-only root with a /tmp in memory, as
 * process 1, as the image's user, with no capability and no way to gain one. By mounts in a namespace of its own, as
 * root and without an engine, which in a chroot could not make its root read-only.
 */
export interface ImageRun {
  /** Of the program, as this machine counts. */
  readonly pid: number
  /** Its lines `Uid`, `CapEff`, `NoNewPrivs` in /proc. */
  status(name: string): string
  /** `ro,relatime` of `/`. */
  rootOptions(): string
  /** Another command beside it, in its namespaces and as its user; the exit code. */
  beside(command: readonly string[], environment?: Readonly<Record<string, string>>): number | null
  /** SIGTERM to process 1; the exit code. */
  stop(): Promise<number | null>
}

export interface ImageConfig {
  /** `1000:1000` */
  readonly User: string
  readonly Env: readonly string[]
  readonly WorkingDir: string
  readonly Cmd: readonly string[]
}

export interface ImageRunOptions {
  /** Where the image's files are; mount points that it lacks are made there. */
  readonly root: string
  readonly config: ImageConfig
  readonly environment: Readonly<Record<string, string>>
  /** Read-only, by the place in the image. */
  readonly mounts: Readonly<Record<string, string>>
  /** The one folder it may write to, by the place in the image. */
  readonly writable: { readonly place: string; readonly folder: string }
}

export async function runImage(options: ImageRunOptions): Promise<ImageRun> {
  const { root, config, writable } = options
  const [user = '', group = ''] = config.User.split(':')
  mkdirSync(writable.folder, { mode: 0o700 })
  chownSync(writable.folder, Number(user), Number(group))
  // As an engine brings them.
  const mounts = {
    ...options.mounts,
    '/etc/hosts': '/etc/hosts',
    '/etc/resolv.conf': '/etc/resolv.conf',
  }
  for (const place of Object.keys(mounts)) {
    if (place.startsWith('/etc/smart-bff')) mkdirSync(join(root, place), { recursive: true })
    else writeFileSync(join(root, place), '', { flag: 'a' })
  }
  const script = [
    `mount --bind ${root} ${root}`,
    `mount -o remount,ro,bind ${root}`,
    ...Object.entries(mounts).flatMap(([place, from]) => [
      `mount --bind ${from} ${root}${place}`,
      `mount -o remount,ro,bind ${root}${place}`,
    ]),
    `mount --bind ${writable.folder} ${root}${writable.place}`,
    `mount -t tmpfs -o mode=1777 tmpfs ${root}/tmp`,
    `mount -t proc proc ${root}/proc`,
    `mount --rbind /dev ${root}/dev`,
    // chroot takes the last three and gives them up with the user.
    [
      'exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+sys_chroot,+setuid,+setgid',
      `chroot --userspec=${config.User} --groups= ${root} env -C ${config.WorkingDir} "$@"`,
    ].join(' '),
  ].join(' && ')
  const environment = {
    // An engine's own, for an image that names none.
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ...Object.fromEntries(config.Env.map((line) => line.split(/=(.*)/s, 2))),
    ...options.environment,
  }
  const run = spawn(
    'unshare',
    ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script, 'sh', ...config.Cmd],
    { stdio: ['ignore', 'inherit', 'inherit'], env: environment },
  )
  const ended = once(run, 'exit')
  const pid = await until(
    async () => childOf(run.pid ?? 0),
    (child) => child !== undefined && nameOf(child).startsWith('node') && isSettled(child, user),
    20_000,
  )
  if (pid === undefined) throw new Error('the program did not start')
  const proc = (name: string): string => readFileSync(`/proc/${pid}/${name}`, 'utf8')
  return {
    pid,
    status: (name) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(proc('status'))?.[1] ?? '',
    rootOptions: () => / \/ (\S+) /.exec(proc('mountinfo'))?.[1] ?? '',
    beside: (command, besides = {}) =>
      spawnSync(
        'nsenter',
        `--target ${pid} --mount --pid --root --wd --setuid ${user} --setgid ${group} --`
          .split(' ')
          .concat(command),
        { stdio: ['ignore', 'inherit', 'inherit'], env: { ...environment, ...besides } },
      ).status,
    stop: async () => {
      if (run.exitCode === null) process.kill(pid, 'SIGTERM')
      const [code] = (await ended) as [number | null]
      return code
    },
  }
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // It is gone, or not there yet.
    return ''
  }
}

/** `unshare` forks once; what it became by `exec` keeps the number. */
function childOf(pid: number): number | undefined {
  const [first] = read(`/proc/${pid}/task/${pid}/children`).split(' ')
  return first === undefined || first === '' ? undefined : Number(first)
}

const nameOf = (pid: number): string => read(`/proc/${pid}/cmdline`).split('\0')[0] ?? ''

const isSettled = (pid: number, user: string): boolean =>
  read(`/proc/${pid}/status`).includes(`\nUid:\t${user}\t`)
