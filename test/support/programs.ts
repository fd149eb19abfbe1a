import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The programs that tests run beside Node: found on PATH or in the usual places, never downloaded here. */

const usualPlaces = ['/usr/bin', '/usr/local/bin', '/usr/sbin', '/opt/homebrew/bin', '/snap/bin']

const chromiumNames = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

export const findRedisServer = (): string | undefined => findProgram(['redis-server'])

export const findNginx = (): string | undefined => findProgram(['nginx'])

/** `CHROMIUM_PATH` names another one. */
export const findChromium = (): string | undefined =>
  process.env['CHROMIUM_PATH'] ?? findProgram(chromiumNames)

export function required(program: string | undefined, title: string): string {
  if (program === undefined) throw new Error(`${title} is not installed (test/support/install.ts)`)
  return program
}

export function findProgram(names: readonly string[]): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), ...usualPlaces]
  return places
    .filter((place) => place !== '')
    .flatMap((place) => names.map((name) => join(place, name)))
    .find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
