import type { LoadedConfig } from '../config/load.ts'
import { readText } from '../config/read-text.ts'
import type { Config } from '../config/schema/config.ts'
import { productVersion } from '../config/version.ts'
import { accountName } from './account.ts'
import type { AuditSearchOptions, AuditVerifyOptions, Command } from './arguments.ts'
import { readSearch, runAuditSearch, searchKeys } from './audit-search.ts'
import { holdsKeys, runAuditVerify } from './audit-verify.ts'
import { reportConfig, reportFaults } from './check.ts'
import { exit } from './exit-codes.ts'
import { helpOf, helpText } from './help.ts'
import { newKey } from './keys.ts'
import { startFailure } from './start-failure.ts'

/** Every command but `serve`: what it says, and the exit code. What serves is loaded only by those that need it. */
export type ShortCommand = Exclude<Command, { kind: 'serve' }>

/** What the process has; nothing below it reads the environment or ends it. */
export interface Terminal {
  readonly configPath: string
  readonly load: (path: string) => LoadedConfig
  readonly output: NodeJS.WriteStream
  readonly notice: NodeJS.WriteStream
  readonly colour: boolean
}

export async function runCommand(command: ShortCommand, terminal: Terminal): Promise<number> {
  try {
    return await run(command, terminal)
  } catch (error) {
    // A file, a folder or a service that it needs; anything else is a fault of ours and keeps its stack trace.
    const sentence = startFailure(error)
    if (sentence === undefined) throw error
    terminal.notice.write(`smart-bff: ${sentence}\n`)
    return exit.unavailable
  }
}

async function run(command: ShortCommand, terminal: Terminal): Promise<number> {
  const { output } = terminal
  switch (command.kind) {
    case 'check':
      return check(command.print, terminal)
    case 'keys-new':
      output.write(newKey(command.keyKind, { raw: command.raw, now: new Date() }))
      return 0
    case 'preflight':
      return preflight(command, terminal)
    case 'matrix':
      return matrix(command, terminal)
    case 'contract':
      return contract(command.tenant, terminal)
    case 'audit-verify':
      return auditVerify(command, terminal)
    case 'audit-search':
      return auditSearch(command, terminal)
    case 'revoke':
    case 'keys-rotate':
      return maintain(command, terminal)
    case 'help':
      output.write(command.about === undefined ? helpText : helpOf(command.about))
      return 0
    case 'version':
      output.write(`${productVersion()}\n`)
      return 0
    case 'misused': {
      const help = [command.about ?? [], '--help'].flat().join(' ')
      return misused(`${command.sentence}. See smart-bff ${help}`, terminal)
    }
  }
}

function misused(sentence: string, { notice }: Terminal): number {
  notice.write(`smart-bff: ${sentence}.\n`)
  return exit.configuration
}

function check(print: boolean, { load, configPath, output, notice }: Terminal): number {
  const loaded = load(configPath)
  const text = reportConfig(configPath, loaded, print)
  ;(loaded.ok ? output : notice).write(text)
  return loaded.ok ? 0 : exit.configuration
}

/** The configuration of a command that needs a valid one; its faults are said here. */
function loadOrSay(terminal: Terminal, path = terminal.configPath): Config | undefined {
  const loaded = terminal.load(path)
  if (loaded.ok) return loaded.config
  terminal.notice.write(reportFaults(path, loaded.faults))
  return undefined
}

/** The answer where the command names a tenant that there is not: a wrong command line, whichever command it is. */
function unknownTenant({ tenants }: Config, id = '', terminal: Terminal): number | undefined {
  const ids = tenants.map((one) => one.id)
  if (id === '' || ids.includes(id)) return undefined
  return misused(`no tenant ${id}; there are ${ids.join(', ')}`, terminal)
}

type Of<K extends Command['kind']> = Extract<Command, { kind: K }>

async function preflight({ tenant, json }: Of<'preflight'>, terminal: Terminal): Promise<number> {
  const config = loadOrSay(terminal)
  if (config === undefined) return exit.configuration
  const unknown = unknownTenant(config, tenant, terminal)
  if (unknown !== undefined) return unknown
  const { runPreflight } = await import('./preflight.ts')
  const { output, notice, colour } = terminal
  return runPreflight(config, { tenant, json, colour }, output, notice)
}

async function matrix({ tenant, json }: Of<'matrix'>, terminal: Terminal): Promise<number> {
  const config = loadOrSay(terminal)
  if (config === undefined) return exit.configuration
  const unknown = unknownTenant(config, tenant, terminal)
  if (unknown !== undefined) return unknown
  const { runMatrix } = await import('./matrix.ts')
  return runMatrix(config, { tenant, json }, terminal.output)
}

async function contract(id: string, terminal: Terminal): Promise<number> {
  const config = loadOrSay(terminal)
  if (config === undefined) return exit.configuration
  const { launchContract } = await import('./contract.ts')
  const tenant = config.tenants.find((one) => one.id === id)
  if (tenant === undefined) return unknownTenant(config, id, terminal) ?? exit.configuration
  terminal.output.write(launchContract(config, tenant))
  return 0
}

/** An auditor has neither our secrets nor our EHR: with directory and key given no configuration is needed. */
async function auditVerify(options: AuditVerifyOptions, terminal: Terminal): Promise<number> {
  const { directory, key, checkpoints, instance } = options
  const { output } = terminal
  if (key !== undefined && !holdsKeys(readText(key))) {
    return misused(`--key: ${key} holds no key in PEM form`, terminal)
  }
  const kept =
    checkpoints === undefined ? undefined : { name: checkpoints, text: readText(checkpoints) }
  if (directory !== undefined && key !== undefined) {
    return runAuditVerify({ directory, key: readText(key), instance, kept }, output)
  }
  const config = loadOrSay(terminal)
  if (config === undefined) return exit.configuration
  const { audit, keys } = config
  // Only here, so that an auditor's command needs no store.
  const { collectCheckpoints } = await import('./kept-checkpoints.ts')
  // Of files that were copied elsewhere the second places may know more than was copied.
  const collected = directory === undefined ? await collectCheckpoints(config, output) : ''
  const configured = {
    directory: directory ?? audit.directory,
    key: key === undefined ? keys.signing.reveal() : readText(key),
    instance,
    kept,
    collected,
  }
  return runAuditVerify(configured, output)
}

/** Old files need no configuration; ids that stand in them as pseudonyms, and our own folder, do. */
async function auditSearch(options: AuditSearchOptions, terminal: Terminal): Promise<number> {
  const { directories, wanted, json, by = accountName() } = options
  const alone = readSearch(wanted, undefined)
  if (alone.ok && directories.length > 0) {
    await runAuditSearch(directories, alone.query, json, terminal)
    return 0
  }
  if (!alone.ok && !alone.needsKeys) return misused(alone.sentence, terminal)
  const config = loadOrSay(terminal)
  if (config === undefined) return exit.configuration
  const read = readSearch(wanted, searchKeys(config))
  if (!read.ok) return misused(read.sentence, terminal)
  if (by === undefined) return misused(nameless, terminal)
  // Only here, so that an auditor's command needs no store.
  const { recordSearch } = await import('./recorded-search.ts')
  await recordSearch(config, read.asked, by)
  const places = directories.length > 0 ? directories : [config.audit.directory]
  await runAuditSearch(places, read.query, json, terminal)
  return 0
}

const nameless = 'this account has no name: say with --by who you are'

/** Commands on the store that the replicas share, while they run. */
async function maintain(
  command: Of<'revoke' | 'keys-rotate'>,
  terminal: Terminal,
): Promise<number> {
  const config = loadOrSay(terminal, command.config)
  if (config === undefined) return exit.configuration
  const unknown = unknownTenant(config, tenantOf(command), terminal)
  if (unknown !== undefined) return unknown
  // Only here, so that the other commands need not load the store and the EHRs.
  const { runMaintenance } = await import('./maintenance.ts')
  if (command.kind === 'keys-rotate') return runMaintenance(command, config, terminal.output)
  const by = command.by ?? accountName()
  if (by === undefined) return misused(nameless, terminal)
  return runMaintenance({ ...command, by }, config, terminal.output)
}

/** A slip would otherwise end nothing and look like success. */
const tenantOf = (command: Of<'revoke' | 'keys-rotate'>): string | undefined =>
  command.kind === 'revoke' && 'tenant' in command.target ? command.target.tenant : undefined
