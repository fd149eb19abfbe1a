import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { findChromium, findNginx, findProgram, findRedisServer } from './programs.ts'

/** The programs beside Node that the tests need: installed where we may, otherwise named. */

export interface Need {
  readonly find: () => string | undefined
  readonly debianPackage: string
}

const everyNeed: readonly Need[] = [
  { find: findRedisServer, debianPackage: 'redis-server' },
  { find: findChromium, debianPackage: 'chromium' },
  { find: findNginx, debianPackage: 'nginx-light' },
]

const installLimitMs = 600_000

/** sysexits.h: a service it needs is missing. */
export const exitUnavailable = 69

export interface Readiness {
  /** Who needs them, as the sentence begins: `The tests`. */
  readonly who: string
  readonly say: (sentence: string) => void
  /** Of these packages alone. */
  readonly only?: readonly string[]
  readonly needs?: readonly Need[]
  readonly mayInstall?: boolean
  readonly install?: (names: readonly string[]) => void
}

/** Before a command of the tests does anything: installs what is missing where it may, else says it in one line. */
export function programsAreThere(readiness: Readiness): boolean {
  const { who, say, only, needs = everyNeed, install = aptGetAll } = readiness
  const missing = (): string[] =>
    needs
      .filter(({ debianPackage }) => only === undefined || only.includes(debianPackage))
      .filter(({ find }) => find() === undefined)
      .map(({ debianPackage }) => debianPackage)
  if (missing().length > 0 && (readiness.mayInstall ?? mayInstall())) {
    say(`Installing ${missing().join(' and ')} with apt-get (once) ...`)
    install(missing())
  }
  const left = missing()
  if (left.length > 0)
    say(`${who} need ${left.join(' and ')}: install it and run the command again.`)
  return left.length === 0
}

/** For the long tests: packages whose program has the package's name. Answers those that are still missing. */
export function ensureDebianPackages(names: readonly string[]): string[] {
  const missing = (): string[] => names.filter((name) => findProgram([name]) === undefined)
  if (missing().length > 0 && mayInstall()) {
    aptGetAll(missing())
  }
  return missing()
}

const mayInstall = (): boolean => process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')

function aptGetAll(names: readonly string[]): void {
  aptGet('update', '-qq')
  aptGet('install', '-y', '-qq', '--no-install-recommends', ...names)
}

function aptGet(...args: string[]): void {
  spawnSync('/usr/bin/apt-get', args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: installLimitMs,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
}
