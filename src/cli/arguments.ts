import { parseArgs } from 'node:util'
import { revocationReasons, type RevocationReason } from '../audit/reasons.ts'
import type { RevocationTarget } from '../vault/revocation.ts'
import { wantedNames, type Wanted } from './audit-search.ts'
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
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'misused'; readonly sentence: string }

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

export const helpText = `Usage: smart-bff [command]

  serve                 start (the default)
  check [--print]       say whether the configuration is valid; --print shows it without secrets
  keys new --kind KIND  print a fresh key in the configuration's form; KIND is
                        ${keyKinds.join(', ')}; --raw prints the bare value for a secret file
  preflight             look at the live EHRs without a user: TLS, discovery, keys, rules, scopes;
                        --tenant ID for one of them, --json
  matrix                show what real launches have brought: context, scopes, tokens, users, FHIR types;
                        --tenant ID for one of them, --json
  contract --tenant ID  print the tenant's launch contract as Markdown, to register the app by
  audit verify          prove the audit files whole, or name the first broken record; --directory DIR,
                        --key PEM-FILE and --instance NAME instead of the configuration's;
                        --checkpoints FILE with checkpoints that were kept elsewhere
  audit search [DIR...]  look through audit files themselves, compressed ones too, oldest first;
                        --patient ID, --user USER, --launch ID, --request NUMBER, --tenant ID, --outcome WORD,
                        --event NAME, --resource TYPE, --from TIME, --to TIME (UTC), --limit N (1000),
                        --json for whole records; --by NAME instead of your login name
  revoke WHICH --reason WORD
                        end launches at once, on every replica, and take their tokens back; WHICH is
                        --tenant ID, --tenant ID --user USER, --launch ID, --key ENCRYPTION-KEY-ID or --all;
                        USER and ID also as the audit shows them; --by NAME instead of your login name
                        WORD is one of ${revocationReasons.slice(0, 4).join(', ')},
                        ${revocationReasons.slice(4).join(', ')}
  keys rotate           seal launches, sessions and saved searches under the first key
  --help, --version

The configuration is read from the file that SMART_BFF_CONFIG names, else from config/smart-bff.yaml;
revoke and keys rotate also take --config PATH.
Exit codes: 0 done, 1 preflight failed or the audit is broken, 64 wrong usage, 69 a needed service is missing, 78 wrong configuration.
`

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

const allowedOptions: Readonly<Record<string, readonly string[]>> = {
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
  const unknown = tokens.find(
    (token) => token.kind === 'option' && !Object.hasOwn(options, token.name),
  )
  if (unknown?.kind === 'option') return misused(`unknown option ${unknown.rawName}`)
  if (values.help === true) return { kind: 'help' }
  if (values.version === true) return { kind: 'version' }

  const searches = positionals[0] === 'audit' && positionals[1] === 'search'
  const name = searches ? 'audit search' : positionals.join(' ') || 'serve'
  const allowed = Object.hasOwn(allowedOptions, name) ? allowedOptions[name] : undefined
  if (allowed === undefined) return misused(`unknown command "${name}"`)
  const misplaced = Object.keys(values).find((option) => !allowed.includes(option))
  if (misplaced !== undefined) return misused(`${name} has no option --${misplaced}`)
  if (name === 'check') return { kind: 'check', print: values.print === true }
  if (name === 'audit verify') return auditVerify(values)
  if (searches) return auditSearch(positionals.slice(2), values)
  if (name === 'revoke') return revoke(values)
  if (name === 'keys rotate') {
    if (values.config === true) return misused('--config needs a value')
    return { kind: 'keys-rotate', config: text(values.config) }
  }
  if (name === 'preflight' || name === 'contract' || name === 'matrix') {
    return aboutTenant(name, values)
  }
  return name === 'keys new' ? keysNew(values.kind, values.raw === true) : { kind: 'serve' }
}

function keysNew(wanted: unknown, raw: boolean): Command {
  const keyKind = keyKinds.find((kind) => kind === wanted)
  if (keyKind === undefined) return misused(`--kind must be one of ${keyKinds.join(', ')}`)
  return { kind: 'keys-new', keyKind, raw }
}

function aboutTenant(
  kind: 'preflight' | 'contract' | 'matrix',
  values: Readonly<Record<string, unknown>>,
): Command {
  const { tenant } = values
  if (tenant === true || tenant === '') return misused('--tenant needs a value')
  const named = typeof tenant === 'string' ? tenant : undefined
  if (kind !== 'contract') return { kind, tenant: named, json: values['json'] === true }
  return named === undefined ? misused('contract needs --tenant') : { kind, tenant: named }
}

function auditVerify(values: Readonly<Record<string, unknown>>): Command {
  const names = ['directory', 'key', 'checkpoints', 'instance'] as const
  const bare = names.find((name) => values[name] === true || values[name] === '')
  if (bare !== undefined) return misused(`--${bare} needs a value`)
  const [directory, key, checkpoints, instance] = names.map((name) => {
    const value = values[name]
    return typeof value === 'string' ? value : undefined
  })
  return { kind: 'audit-verify', directory, key, checkpoints, instance }
}

function auditSearch(
  directories: readonly string[],
  values: Readonly<Record<string, unknown>>,
): Command {
  const names = [...wantedNames, 'by'] as const
  const bare = names.find((name) => values[name] === true || values[name] === '')
  if (bare !== undefined) return misused(`--${bare} needs a value`)
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

function revoke(values: Readonly<Record<string, unknown>>): Command {
  const bare = ['tenant', 'user', 'launch', 'key', 'reason', 'by', 'config'].find(
    (name) => values[name] === true || values[name] === '',
  )
  if (bare !== undefined) return misused(`--${bare} needs a value`)
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

function targetOf(values: Readonly<Record<string, unknown>>): RevocationTarget | undefined {
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

const misused = (sentence: string): Command => ({ kind: 'misused', sentence })
