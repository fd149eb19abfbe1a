import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type ConfigFault, quote } from '../config/fault.ts'
import type { Config } from '../config/schema/config.ts'

/**
 * The app that a start would serve. Not judged with the rest of the configuration, because `smart-bff check` is also run
 * where the app is not.
 */
export function appFault({ app }: Pick<Config, 'app'>): ConfigFault | undefined {
  if (!('directory' in app) || existsSync(join(app.directory, 'index.html'))) return undefined
  const state = existsSync(app.directory) ? 'which has no index.html' : 'which does not exist'
  const found = `${quote(app.directory)}, ${state}`
  return { key: 'app.directory', found, expected: "the folder of the app's files" }
}
