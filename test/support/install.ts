import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { findChromium, findNginx, findProgram, findRedisServer } from './programs.ts'

/** The programs beside Node that the tests need: installed where we may, otherwise named. */

interface Need {
  readonly find: () => string | undefined
  readonly debianPackage: string
}

const needs: readonly Need[] = [
  { find: findRedisServer, debianPackage: 'redis-server' },
  { find: findChromium, debianPackage: 'chromium' },
  { find: findNginx, debianPackage: 'nginx-light' },
]

const installLimitMs = 600_000

/** The packages that are still missing after the attempt to install them; empty when all is well. */
export function ensurePrograms(tell: (sentence: string) => void): string[] {
  const missing = missingPackages()
  if (missing.length === 0 || !mayInstall()) return missing
  tell(`Installing ${missing.join(' and ')} with apt-get (once) ...`)
  aptGet('update', '-qq')
  aptGet('install', '-y', '-qq', '--no-install-recommends', ...missing)
  return missingPackages()
}

/** For the long tests: packages whose program has the package's name. Answers those that are still missing. */
export function ensureDebianPackages(names: readonly string[]): string[] {
  const missing = (): string[] => names.filter((name) => findProgram([name]) === undefined)
  if (missing().length > 0 && mayInstall()) {
    aptGet('update', '-qq')
    aptGet('install', '-y', '-qq', '--no-install-recommends', ...missing())
  }
  return missing()
}

const missingPackages = (): string[] =>
  needs.filter(({ find }) => find() === undefined).map(({ debianPackage }) => debianPackage)

const mayInstall = (): boolean => process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')

function aptGet(...args: string[]): void {
  spawnSync('/usr/bin/apt-get', args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: installLimitMs,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
}
