#!/usr/bin/env node
import { statSync } from 'node:fs'
import type { App } from './app.ts'
import {
  type AuditSearchOptions,
  type AuditVerifyOptions,
  type Command,
  readArguments,
} from './cli/arguments.ts'
import { readSearch, runAuditSearch, searchKeys } from './cli/audit-search.ts'
import { runAuditVerify } from './cli/audit-verify.ts'
import { appFault } from './cli/app-folder.ts'
import { reportConfig, reportFaults } from './cli/check.ts'
import { helpOf, helpText } from './cli/help.ts'
import { newKey } from './cli/keys.ts'
import { type LoadedConfig, loadConfig } from './config/load.ts'
import { readText } from './config/read-text.ts'
import type { Config } from './config/schema/config.ts'
import { productVersion } from './config/version.ts'
import { startFailure } from './cli/start-failure.ts'

/** The process: environment, signals, exit codes. The only file that reads process.env or exits. */

/** sysexits.h: a needed service, an internal fault, configuration. A wrong command line is configuration too. */
const exit = { unavailable: 69, internal: 70, configuration: 78 } as const

const configPath = process.env['SMART_BFF_CONFIG'] ?? 'config/smart-bff.yaml'

await run()

async function run(): Promise<void> {
  const command = readArguments(process.argv.slice(2))
  switch (command.kind) {
    case 'serve':
      return serve()
    case 'check': {
      const loaded = load()
      print(
        loaded.ok ? process.stdout : process.stderr,
        reportConfig(configPath, loaded, command.print),
      )
      process.exitCode = loaded.ok ? 0 : exit.configuration
      return
    }
    case 'keys-new':
      return print(process.stdout, newKey(command.keyKind, { raw: command.raw, now: new Date() }))
    case 'preflight':
      return preflight(command.tenant, command.json)
    case 'matrix':
      return matrix(command.tenant, command.json)
    case 'contract':
      return contract(command.tenant)
    case 'audit-verify':
      process.exitCode = await auditVerify(command)
      return
    case 'audit-search':
      process.exitCode = await auditSearch(command)
      return
    case 'revoke':
    case 'keys-rotate':
      process.exitCode = await maintain(command)
      return
    case 'help':
      return print(process.stdout, command.about === undefined ? helpText : helpOf(command.about))
    case 'version':
      return print(process.stdout, `${productVersion()}\n`)
    case 'misused':
      print(
        process.stderr,
        `smart-bff: ${command.sentence}. See smart-bff ${[command.about ?? [], '--help'].flat().join(' ')}.\n`,
      )
      process.exitCode = exit.configuration
  }
}

async function serve(): Promise<void> {
  const loaded = load()
  if (!loaded.ok) {
    print(process.stderr, reportFaults(configPath, loaded.faults))
    process.exitCode = exit.configuration
    return
  }
  const missing = appFault(loaded.config)
  if (missing !== undefined) {
    print(process.stderr, reportFaults(configPath, [missing]))
    process.exitCode = exit.configuration
    return
  }
  const stopping = listenForStop(loaded.config.shutdownSeconds)
  // Without a listener the signal would end a process that does not serve yet.
  process.on('SIGHUP', () => undefined)
  let app: App | undefined
  try {
    // Only here, so that the other commands need not load the whole server.
    const { createApp } = await import('./app.ts')
    app = await createApp(loaded.config)
    const { public: open, operations } = await app.start()
    // Standard output belongs to the application log, which is JSON lines.
    print(process.stderr, `smart-bff serves ${open}, operations ${operations}\n`)
    listenForReload(app)
  } catch (error) {
    const sentence = startFailure(error)
    if (sentence === undefined) throw error
    print(process.stderr, `smart-bff: ${sentence}\n`)
    // Nothing half-started: what is open already is closed, the audit with its last checkpoint.
    await app?.stop()
    process.exit(exit.unavailable)
  }
  await stopping
  // A failure to stop is a fault of ours: unhandled, it ends the process with its stack trace.
  await app.stop()
  process.exit(0)
}

/** The configuration of a command that needs a valid one; its faults are said here. */
function loadOrSay(): Config | undefined {
  const loaded = load()
  if (loaded.ok) return loaded.config
  print(process.stderr, reportFaults(configPath, loaded.faults))
  process.exitCode = exit.configuration
  return undefined
}

async function preflight(tenant: string | undefined, json: boolean): Promise<void> {
  const config = loadOrSay()
  if (config === undefined) return
  const { runPreflight } = await import('./cli/preflight.ts')
  // https://no-color.org: any value but the empty one.
  const colour = process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === ''
  const options = { tenant, json, colour }
  process.exitCode = await runPreflight(config, options, process.stdout, process.stderr)
}

async function matrix(tenant: string | undefined, json: boolean): Promise<void> {
  const config = loadOrSay()
  if (config === undefined) return
  const { runMatrix } = await import('./cli/matrix.ts')
  try {
    process.exitCode = await runMatrix(config, { tenant, json }, process.stdout)
  } catch (error) {
    const sentence = startFailure(error)
    if (sentence === undefined) throw error
    print(process.stderr, `smart-bff: ${sentence}\n`)
    process.exitCode = exit.unavailable
  }
}

async function contract(id: string): Promise<void> {
  const config = loadOrSay()
  if (config === undefined) return
  const { launchContract } = await import('./cli/contract.ts')
  const tenant = config.tenants.find((one) => one.id === id)
  if (tenant !== undefined) return print(process.stdout, launchContract(config, tenant))
  const names = config.tenants.map((one) => one.id).join(', ')
  print(process.stderr, `smart-bff: no tenant ${id}; there are ${names}.\n`)
  process.exitCode = exit.configuration
}

/** An auditor has neither our secrets nor our EHR: with directory and key given no configuration is needed. */
async function auditVerify(options: AuditVerifyOptions): Promise<number> {
  const { directory, key, checkpoints, instance } = options
  try {
    const keptNotes = checkpoints === undefined ? undefined : readText(checkpoints)
    if (directory !== undefined && key !== undefined) {
      const given = { directory, key: readText(key), instance, keptNotes }
      return await runAuditVerify(given, process.stdout)
    }
    const loaded = load()
    if (!loaded.ok) {
      print(process.stderr, reportFaults(configPath, loaded.faults))
      return exit.configuration
    }
    const { config } = loaded
    const { audit, keys } = config
    // Only here, so that an auditor's command needs no store.
    const { collectCheckpoints } = await import('./cli/kept-checkpoints.ts')
    // Of files that were copied elsewhere the second places may know more than was copied.
    const collected =
      directory === undefined ? await collectCheckpoints(config, process.stdout) : ''
    const configured = {
      directory: directory ?? audit.directory,
      key: key === undefined ? keys.signing.reveal() : readText(key),
      instance,
      keptNotes: [keptNotes ?? '', collected].join('\n'),
    }
    return await runAuditVerify(configured, process.stdout)
  } catch (error) {
    const sentence = startFailure(error)
    if (sentence === undefined) throw error
    print(process.stderr, `smart-bff: ${sentence}\n`)
    return exit.unavailable
  }
}

/** Old files need no configuration; ids that stand in them as pseudonyms, and our own folder, do. */
async function auditSearch(options: AuditSearchOptions): Promise<number> {
  const { directories, wanted, json, by } = options
  const streams = { output: process.stdout, notice: process.stderr }
  try {
    const alone = readSearch(wanted, undefined)
    if (alone.ok && directories.length > 0) {
      await runAuditSearch(directories, alone.query, json, streams)
      return 0
    }
    const config = loadOrSay()
    if (config === undefined) return exit.configuration
    const read = readSearch(wanted, searchKeys(config))
    if (!read.ok) {
      print(process.stderr, `smart-bff: ${read.sentence}.\n`)
      return exit.configuration
    }
    // Only here, so that an auditor's command needs no store.
    const { recordSearch } = await import('./cli/recorded-search.ts')
    await recordSearch(config, read.asked, by)
    const places = directories.length > 0 ? directories : [config.audit.directory]
    await runAuditSearch(places, read.query, json, streams)
    return 0
  } catch (error) {
    const sentence = startFailure(error)
    if (sentence === undefined) throw error
    print(process.stderr, `smart-bff: ${sentence}\n`)
    return exit.unavailable
  }
}

/** Commands on the store that the replicas share, while they run. */
async function maintain(
  command: Extract<Command, { kind: 'revoke' | 'keys-rotate' }>,
): Promise<number> {
  const path = command.config ?? configPath
  const loaded = load(path)
  if (!loaded.ok) {
    print(process.stderr, reportFaults(path, loaded.faults))
    return exit.configuration
  }
  try {
    // Only here, so that the other commands need not load the store and the EHRs.
    const { runMaintenance } = await import('./cli/maintenance.ts')
    return await runMaintenance(command, loaded.config, process.stdout)
  } catch (error) {
    const sentence = startFailure(error)
    if (sentence === undefined) throw error
    print(process.stderr, `smart-bff: ${sentence}\n`)
    return exit.unavailable
  }
}

/**
 * Resolves at the first signal, which stops in order and within a limit; the second, or the limit, ends at once. From
 * the first moment: process 1 of a container has no default for a signal.
 */
function listenForStop(limitSeconds: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let stopping = false
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(exit.internal)
    stopping = true
    setTimeout(() => {
      print(process.stderr, `smart-bff: not stopped ${limitSeconds} s after ${signal}\n`)
      process.exit(exit.internal)
    }, limitSeconds * 1000)
    resolve()
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  return promise
}

/** SIGHUP: the file is read again, with all that it refers to. What cannot be applied is named, and nothing changes. */
function listenForReload(app: App): void {
  let underway = Promise.resolve()
  const reload = async (): Promise<void> => {
    const loaded = load()
    const faults = loaded.ok ? [appFault(loaded.config) ?? []].flat() : loaded.faults
    if (!loaded.ok || faults.length > 0) {
      print(process.stderr, reportFaults(configPath, faults))
      print(process.stderr, 'smart-bff goes on with the configuration that it has.\n')
      return
    }
    const { applied, keys } = await app.reload(loaded.config)
    const lines = keys.map(
      (key) => `smart-bff: ${key} ${applied ? 'reloaded' : 'needs a restart'}\n`,
    )
    print(process.stderr, lines.length === 0 ? 'smart-bff: nothing has changed\n' : lines.join(''))
  }
  process.on('SIGHUP', () => {
    underway = underway.then(reload).catch((error: unknown) => {
      // Even a fault of ours ends nobody's launch: the process goes on with what it has.
      const sentence = startFailure(error) ?? (error instanceof Error ? error.stack : 'a fault')
      print(process.stderr, `smart-bff: not reloaded: ${sentence}\n`)
    })
  })
}

function load(path = configPath): LoadedConfig {
  return loadConfig({ path, readFile: readText, modeOf, env: process.env })
}

function modeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mode
}

function print(stream: NodeJS.WriteStream, text: string): void {
  stream.write(text)
}
