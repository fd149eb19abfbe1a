#!/usr/bin/env node
import { statSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import type { App } from './app.ts'
import { appFault } from './cli/app-folder.ts'
import { readArguments } from './cli/arguments.ts'
import { reportFaults } from './cli/check.ts'
import { exit } from './cli/exit-codes.ts'
import { startFailure } from './cli/start-failure.ts'
import { type LoadedConfig, loadConfig } from './config/load.ts'
import { readText } from './config/read-text.ts'

/** The process: environment, signals, exit codes. The only file that reads process.env or exits. */

const configPath = process.env['SMART_BFF_CONFIG'] ?? 'config/smart-bff.yaml'

// Whoever reads may leave, as `head` does; an error that nobody hears would end the process.
process.stderr.on('error', () => undefined)

const command = readArguments(process.argv.slice(2))
if (command.kind === 'serve') await serve()
else {
  // Only here: a server needs none of it.
  const { runCommand } = await import('./cli/run-command.ts')
  process.stdout.on('error', (error) => {
    if (hasLeft(error)) return
    // A full disk: what acts goes on to its end, and says that not all of its words are there.
    print(process.stderr, `smart-bff: the output is not whole: ${startFailure(error)}\n`)
    process.on('exit', () => (process.exitCode = exit.unavailable))
  })
  process.exitCode = await runCommand(command, {
    configPath,
    load,
    output: process.stdout,
    notice: process.stderr,
    // https://no-color.org: any value but the empty one.
    colour: process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '',
  })
}

/**
 * V8 makes objects whose like have lived long among the old ones at once. In a proxy it learns that from the requests
 * that are on their way when it looks; from then on each of them leaves old objects behind, and all that those point to
 * stays until the whole heap is marked. Without it what a request needs goes with the request: an eighth less CPU
 * (docs/performance.md).
 */
function keepShortLivesYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring')
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
    keepShortLivesYoung()
    // Only here, so that the other commands need not load the whole server.
    const { createApp } = await import('./app.ts')
    app = await createApp(loaded.config)
    const { public: open, operations } = await app.start()
    // Standard output belongs to the application log, which is JSON lines.
    print(process.stderr, `smart-bff serves ${open}, operations ${operations}\n`)
    listenForReload(app)
    listenForCrash(app)
  } catch (error) {
    const sentence = startFailure(error)
    if (sentence === undefined) throw error
    print(process.stderr, `smart-bff: ${sentence}\n`)
    // Nothing half-started: what is open already is closed, the audit with its last checkpoint.
    if (app !== undefined) await stopInOrder(app)
    process.exit(exit.unavailable)
  }
  await stopping
  process.exit(await stopInOrder(app))
}

/** The exit code. What a stop can meet outside, such as a disk that is full or gone, is one line as well. */
async function stopInOrder(app: App): Promise<number> {
  try {
    await app.stop()
    return 0
  } catch (error) {
    const sentence = startFailure(error)
    // A fault of ours: unhandled, it ends the process as a crash.
    if (sentence === undefined) throw error
    print(process.stderr, `smart-bff: not stopped in order: ${sentence}\n`)
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

/** An error that nobody caught leaves the process in an unknown state: it says where, and ends. */
function listenForCrash(app: App): void {
  process.on('uncaughtException', (error) => {
    app.crashed(error)
    print(process.stderr, 'smart-bff: ended by an error that nobody caught\n')
    process.exit(exit.internal)
  })
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
      app.reloadRefused(faults.length)
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

function hasLeft(error: Error): boolean {
  return 'code' in error && error.code === 'EPIPE'
}

function print(stream: NodeJS.WriteStream, text: string): void {
  stream.write(text)
}
