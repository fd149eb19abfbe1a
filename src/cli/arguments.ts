import { parseArgs } from 'node:util'
import { revocationReasons, type RevocationReason } from '../audit/reasons.ts'
import type { RevocationTarget } from '../vault/revocation.ts'
import { wantedNames, type Wanted } from './audit-search.ts'
import { commandNames, isCommand, type CommandName } from './help.ts'
import { keyKinds, type KeyKind } from './keys.ts'

/** The command line, understood or refused as a whole. */

export type Command =
  | { readonly kind: 'serve' }
  | { readonly kind: 'check'; readonly print: boolean }
  | { readonly kind: 'keys-new'; readonly keyKind: KeyKind; readonly raw: boolean }
  | { readonly kind: 'preflight'; readonly tenant: string | undefined; readonly json: boolean }
  | { readonly kind: 'contract'; readonly tenant: string }
  | { readonly kind: 'matrix'; readonly tenant: string | undefined; readonly json: boolean }
  | ({ readonly kind: 'audit-verify' } & AuditVerifyOptions)
  | ({ readonly kind: 'audit-search' } & AuditSearchOptions)
  | ({ readonly kind: 'revoke' } & RevokeOptions)
  | { readonly kind: 'keys-rotate'; readonly config: string | undefined }
  /** Without a command: of all of them. */
  | { readonly kind: 'help'; readonly about: CommandName | undefined }
  | { readonly kind: 'version' }
  | {
      readonly kind: 'misused'
      readonly sentence: string
      readonly about?: CommandName | undefined
    }

/** Paths. Without a directory or a key they are those of the configuration. */
export interface AuditVerifyOptions {
  readonly directory: string | undefined
  /** PEM file: the public key of the checkpoints. */
  readonly key: string | undefined
  /** File of checkpoints that were kept elsewhere. */
  readonly checkpoints: string | undefined
  readonly instance: string | undefined
}

/** Without a directory those of the configuration. */
export interface AuditSearchOptions {
  readonly directories: readonly string[]
  readonly wanted: Wanted
  readonly json: boolean
  readonly by: string | undefined
}

export interface RevokeOptions {
  readonly target: RevocationTarget
  readonly reason: RevocationReason
  /** Without it the name of the account that runs the command. */
  readonly by: string | undefined
  /** Path, instead of the one of the environment. */
  readonly config: string | undefined
}

const options = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
  print: { type: 'boolean' },
  kind: { type: 'string' },
  json: { type: 'boolean' },
  raw: { type: 'boolean' },
  directory: { type: 'string' },
  key: { type: 'string' },
  checkpoints: { type: 'string' },
  instance: { type: 'string' },
  tenant: { type: 'string' },
  user: { type: 'string' },
  launch: { type: 'string' },
  all: { type: 'boolean' },
  reason: { type: 'string' },
  by: { type: 'string' },
  config: { type: 'string' },
  patient: { type: 'string' },
  request: { type: 'string' },
  outcome: { type: 'string' },
  event: { type: 'string' },
  resource: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  limit: { type: 'string' },
} as const

const allowedOptions: Readonly<Record<CommandName, readonly string[]>> = {
  serve: [],
  check: ['print'],
  'keys new': ['kind', 'raw'],
  preflight: ['tenant', 'json'],
  contract: ['tenant'],
  matrix: ['tenant', 'json'],
  'audit verify': ['directory', 'key', 'checkpoints', 'instance'],
  'audit search': [...wantedNames, 'json', 'by'],
  revoke: ['tenant', 'user', 'launch', 'key', 'all', 'reason', 'by', 'config'],
  'keys rotate': ['config'],
}

export function readArguments(args: readonly string[]): Command {
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  const given = tokens.filter((token) => token.kind === 'option')
  const unknown = given.find(({ name }) => !isOption(name))
  const asks = positionals[0] === 'help' || values.help === true
  const words = positionals[0] === 'help' ? positionals.slice(1) : positionals
  const searches = words[0] === 'audit' && words[1] === 'search'
  const name = searches ? 'audit search' : words.join(' ')
  const about = isCommand(name) ? name : undefined
  if (unknown !== undefined) return misused(`unknown option ${unknown.rawName}`, about)
  const slip = slipOf(given)
  if (slip !== undefined) return misused(slip, about)
  if (asks && (name === '' || about !== undefined)) return { kind: 'help', about }
  if (values.version === true) return { kind: 'version' }
  if (name !== '' && about === undefined) return unknownCommand(name)

  const command = about ?? 'serve'
  const misplaced = Object.keys(values).find((option) => !allowedOptions[command].includes(option))
  if (misplaced !== undefined) return misused(`${command} has no option --${misplaced}`, about)
  const read = readOptions(command, values, words)
  return read.kind === 'misused' ? { ...read, about } : read
}

type Values = Readonly<Record<string, unknown>>

const isOption = (name: string): name is keyof typeof options => Object.hasOwn(options, name)

interface Given {
  readonly name: string
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

/**
 * What is not said as it is meant, of an option that there is. `--all=false` must not end everything, and of two
 * tenants neither is the one.
 */
function slipOf(given: readonly Given[]): string | undefined {
  const names = new Set<string>()
  for (const { name, rawName, value, inlineValue } of given) {
    if (names.has(name)) return `${rawName} was given twice`
    names.add(name)
    const isFlag = isOption(name) && options[name].type === 'boolean'
    if (isFlag && value !== undefined) return `${rawName} takes no value`
    // Behind an option whose value was forgotten stands the next one.
    const next = inlineValue === false && value?.startsWith('-') === true
    if (!isFlag && (value === undefined || value === '' || next)) return `${rawName} needs a value`
  }
  return undefined
}

function readOptions(name: CommandName, values: Values, words: readonly string[]): Command {
  switch (name) {
    case 'serve':
      return { kind: 'serve' }
    case 'check':
      return { kind: 'check', print: values['print'] === true }
    case 'keys new':
      return keysNew(values['kind'], values['raw'] === true)
    case 'preflight':
    case 'contract':
    case 'matrix':
      return aboutTenant(name, values)
    case 'audit verify':
      return auditVerify(values)
    case 'audit search':
      return auditSearch(words.slice(2), values)
    case 'revoke':
      return revoke(values)
    case 'keys rotate':
      return { kind: 'keys-rotate', config: text(values['config']) }
  }
}

/** `keys` alone is the beginning of two. */
function unknownCommand(name: string): Command {
  const longer = commandNames.filter((command) => command.startsWith(`${name} `))
  const hint = longer.length === 0 ? '' : `; there are ${longer.join(' and ')}`
  return misused(`unknown command "${name}"${hint}`)
}

function keysNew(wanted: unknown, raw: boolean): Command {
  const keyKind = keyKinds.find((kind) => kind === wanted)
  if (keyKind === undefined) return misused(`--kind must be one of ${keyKinds.join(', ')}`)
  return { kind: 'keys-new', keyKind, raw }
}

function aboutTenant(kind: 'preflight' | 'contract' | 'matrix', values: Values): Command {
  const { tenant } = values
  const named = text(tenant)
  if (kind !== 'contract') return { kind, tenant: named, json: values['json'] === true }
  return named === undefined ? misused('contract needs --tenant') : { kind, tenant: named }
}

function auditVerify(values: Values): Command {
  return {
    kind: 'audit-verify',
    directory: text(values['directory']),
    key: text(values['key']),
    checkpoints: text(values['checkpoints']),
    instance: text(values['instance']),
  }
}

function auditSearch(directories: readonly string[], values: Values): Command {
  const by = text(values['by'])
  if (by !== undefined && !loginForm.test(by)) return misused('--by must be a login name')
  const given = wantedNames.flatMap((name) => {
    const value = text(values[name])
    return value === undefined ? [] : [[name, value] as const]
  })
  const wanted: Wanted = Object.fromEntries(given)
  return { kind: 'audit-search', directories, wanted, json: values['json'] === true, by }
}

const loginForm = /^[A-Za-z0-9][A-Za-z0-9._@+|-]{0,127}$/

function revoke(values: Values): Command {
  const { reason, by } = values
  const known = revocationReasons.find((word) => word === reason)
  if (known === undefined) {
    return misused(`--reason must be one of ${revocationReasons.join(', ')}`)
  }
  if (typeof by === 'string' && !loginForm.test(by)) return misused('--by must be a login name')
  const target = targetOf(values)
  if (target === undefined) {
    return misused('revoke needs one of --tenant, --tenant with --user, --launch, --key or --all')
  }
  return { kind: 'revoke', target, reason: known, by: text(by), config: text(values['config']) }
}

function targetOf(values: Values): RevocationTarget | undefined {
  const [tenant, user, launch, key] = [
    text(values['tenant']),
    text(values['user']),
    text(values['launch']),
    text(values['key']),
  ]
  const named = [tenant, launch, key, values['all']].filter((value) => value !== undefined)
  if (named.length !== 1 || (user !== undefined && tenant === undefined)) return undefined
  if (tenant !== undefined) {
    return user === undefined ? { kind: 'tenant', tenant } : { kind: 'user', tenant, user }
  }
  if (launch !== undefined) return { kind: 'launch', launch }
  return key === undefined ? { kind: 'everything' } : { kind: 'key', key }
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

const misused = (sentence: string, about?: CommandName): Command => ({
  kind: 'misused',
  sentence,
  about,
})
