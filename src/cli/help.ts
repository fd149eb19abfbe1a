import { revocationReasons } from '../audit/reasons.ts'
import { keyKinds } from './keys.ts'

/** What `smart-bff --help` says, and `smart-bff COMMAND --help`: no line longer than a terminal of 80 characters. */

interface CommandHelp {
  /** Behind the command's name. */
  readonly usage: string
  /** One line of the overview. */
  readonly does: string
  /** The whole of it: options, words, an example. */
  readonly more: string
}

const commands = {
  serve: {
    usage: '',
    does: 'start the server; what runs without a command',
    more: `Opens the public listener and the one for operations. SIGTERM and SIGINT stop
it in order; SIGHUP reads the configuration anew, as far as that is safe.
`,
  },
  check: {
    usage: '[--print]',
    does: 'say whether the configuration is valid, and every fault of it',
    more: `Needs no network: it looks at the file and at what the file refers to.

  --print           show the effective configuration, without its secrets
`,
  },
  'keys new': {
    usage: '--kind KIND [--raw]',
    does: "print a fresh key in the configuration's form",
    more: `  --kind KIND       ${keyKinds.join(', ')}
  --raw             the bare value, for a file of its own

Example
  smart-bff keys new --kind session --raw > /run/secrets/session
`,
  },
  preflight: {
    usage: '[--tenant ID] [--json]',
    does: 'ask the live EHRs whether launches would work',
    more: `Looks at TLS, discovery, keys, every rule and every scope, without a user.

  --tenant ID       one tenant instead of all
  --json            for a ticket or a pipeline

Exit code 1: something will not work.
`,
  },
  contract: {
    usage: '--tenant ID',
    does: 'print what to register the app with, as Markdown',
    more: `  --tenant ID       the tenant whose launch contract is wanted
`,
  },
  matrix: {
    usage: '[--tenant ID] [--json]',
    does: 'show what real launches have brought',
    more: `Context, scopes, token lifetimes, kinds of users and FHIR types, for each mode.

  --tenant ID       one tenant instead of all
  --json            for a pipeline
`,
  },
  'audit verify': {
    usage: '[options]',
    does: 'prove the audit files whole, or name the first broken record',
    more: `  --directory DIR   files that lie elsewhere; the configuration's without it
  --key PEM-FILE    the public key; the configuration's signing key without it
  --instance NAME   one replica instead of all
  --checkpoints FILE
                    checkpoints that were kept elsewhere, which show a cut:
                    notes, or lines of a collected application log

With --directory and --key no configuration is needed.
Exit code 1: something is broken, there are no files, or FILE says nothing of
them.
`,
  },
  'audit search': {
    usage: '[DIR...] [options]',
    does: 'look through audit files, compressed ones too, oldest first',
    more: `DIR is one or more folders; the configuration's without it.

  --patient ID      as the EHR has it, or a pseudonym
  --user USER       such as Practitioner/7, or a pseudonym
  --launch ID       as in the app's address, or as the audit shows it
  --request NUMBER  the incident number of a page
  --tenant ID
  --outcome WORD    success, refused or failed
  --event NAME      such as launch.refused
  --resource TYPE   such as Observation
  --from TIME, --to TIME
                    2026-03-01 or 2026-03-01T10:14, in UTC
  --limit N         at most so many; 1000 without it
  --json            whole records
  --by NAME         who searches; your login name without it

The search itself is recorded, except one that needs no configuration.

Example
  smart-bff audit search --patient 4711 --from 2026-03-01
`,
  },
  revoke: {
    usage: 'WHICH --reason WORD [options]',
    does: 'end launches at once, on every replica',
    more: `Their pages go blank within a second, and the EHR gets their tokens back.

WHICH is one of
  --launch ID       one launch
  --tenant ID --user USER
                    all launches of a user at a tenant
  --tenant ID       all launches of a tenant
  --key ID          all that are sealed under this encryption key
  --all             all

  USER and the ID of a launch also as the audit shows them.

  --reason WORD     ${revocationReasons.slice(0, 4).join(', ')},
                    ${revocationReasons.slice(4).join(', ')}
  --by NAME         who orders it; your login name without it
  --config PATH     instead of SMART_BFF_CONFIG

Exit code 1: it is done, and no replica of the store has confirmed it.

Example
  smart-bff revoke --tenant north --user Practitioner/7 --reason device_lost
`,
  },
  'keys rotate': {
    usage: '[--config PATH]',
    does: 'seal everything anew under the first encryption key',
    more: `Launches, sessions and saved searches, while the server runs. Says how far it
is, and which keys can be taken out of the configuration afterwards.

  --config PATH     instead of SMART_BFF_CONFIG

Exit code 1: something could not be opened.
`,
  },
} as const satisfies Record<string, CommandHelp>

export type CommandName = keyof typeof commands

export const isCommand = (name: string): name is CommandName => Object.hasOwn(commands, name)

export const commandNames: readonly string[] = Object.keys(commands)

const groups: readonly (readonly [title: string, names: readonly CommandName[]])[] = [
  ['Run', ['serve', 'check', 'keys new']],
  ['Connect an EHR', ['preflight', 'contract', 'matrix']],
  ['Read the audit', ['audit search', 'audit verify']],
  ['Act', ['revoke', 'keys rotate']],
]

const overview = groups
  .map(
    ([title, names]) =>
      `${title}\n${names.map((name) => `  ${name.padEnd(14)}${commands[name].does}\n`).join('')}`,
  )
  .join('\n')

export const helpText = `Usage: smart-bff [command] [options]

${overview}
smart-bff COMMAND --help shows the options of a command; --version the version.

The configuration is the file that SMART_BFF_CONFIG names, else
config/smart-bff.yaml.

Exit codes: 0 done; 1 preflight failed, or the audit is broken; 69 a needed
service is missing; 70 a fault of ours, or a stop that took too long; 78 the
configuration or the command line is wrong.
`

export function helpOf(name: CommandName): string {
  const { usage, does, more } = commands[name]
  const said = `${does.charAt(0).toUpperCase()}${does.slice(1)}.`
  return `Usage: smart-bff ${`${name} ${usage}`.trim()}\n\n${said}\n\n${more}`
}
