import { stringify } from 'yaml'
import { effectiveConfig } from '../config/effective.ts'
import { type ConfigFault, formatFault } from '../config/fault.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { Config } from '../config/schema/config.ts'

/** What `smart-bff check` says of a configuration that was loaded from `path`. */
export function reportConfig(path: string, loaded: LoadedConfig, print: boolean): string {
  if (!loaded.ok) return reportFaults(path, loaded.faults)
  return print ? stringify(effectiveConfig(loaded.config)) : summary(path, loaded.config)
}

/** One line a fault, and how many. */
export function reportFaults(path: string, faults: readonly ConfigFault[]): string {
  const lines = faults.map((fault) => formatFault(path, fault))
  const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`
  return [...lines, `The configuration has ${count}.`, ''].join('\n')
}

function summary(path: string, config: Config): string {
  const { store, development, publicUrl, audit, tenants } = config
  return [
    `The configuration is valid: ${path}`,
    `  public URL  ${publicUrl}${development ? ' (development)' : ''}`,
    `  store       ${'redis' in store ? 'redis' : 'memory'}`,
    `  audit       ${audit.directory}`,
    ...tenants.map(({ id, iss, client, modes }) => {
      const names = modes.map((mode) => `${mode.id} (${mode.launch})`).join(', ')
      return `  tenant      ${id}: ${iss}, ${client.auth}, ${names}`
    }),
    '',
  ].join('\n')
}
