import { meanings } from './meanings.ts'
import { type ReferenceRow, referenceRows } from './rows.ts'

/** docs/configuration.md: every key of the file, by the part of the file it stands in. */

const head = `# Configuration

For the hospital's engineer who writes the file. Made from the schema by \`npm run docs\`; do not edit it by hand.

One YAML file, read whole at the start: \`SMART_BFF_CONFIG\`, or \`config/smart-bff.yaml\`. \`smart-bff check\` names every fault in one run,
with the key, what was found and what is expected; \`smart-bff check --print\` shows the whole file with its defaults and without its secrets.
[\`config/smart-bff.yaml\`](../config/smart-bff.yaml) is one to start from.

- Any text may be \`{ env: NAME }\` or \`{ file: PATH }\` instead; a path is relative to the configuration file.
- Unknown keys are errors. A key with a default may be left out.
- \`[]\` stands for every entry of a list, \`*\` for a name you choose.
- A secret is 32 random bytes or a PEM file, as \`smart-bff keys new\` prints it, and is never shown again by any command.
`

/** The longest that fits a path is its part. */
const parts: readonly (readonly [prefix: string, title: string])[] = [
  ['', 'The whole'],
  ['listen', 'listen: the public listener'],
  ['operations', 'operations: probes, metrics, the staff site'],
  ['store', 'store: where sessions are kept'],
  ['keys', 'keys'],
  ['session', 'session: the clocks'],
  ['app', 'app: the app that is served'],
  ['audit', 'audit'],
  ['rateLimits', 'rateLimits'],
  ['logging', 'logging'],
  ['tenants[]', 'tenants: one for each EHR'],
  ['tenants[].client', 'tenants[].client: how the app is registered there'],
  ['tenants[].modes[]', 'tenants[].modes: ways to launch'],
  ['tenants[].modes[].allow[]', 'tenants[].modes[].allow: what a mode may ask of the EHR'],
  ['tenants[].upstream', 'tenants[].upstream: the way to the EHR'],
  ['tenants[].quirks', 'tenants[].quirks: where the EHR differs from its vendor’s defaults'],
]

export function configurationReference(): string {
  const rows = referenceRows()
  const sections = parts.map(([prefix, title]) => {
    const own = rows.filter(({ path }) => partOf(path) === prefix)
    return own.length === 0 ? '' : `\n## ${title}\n\n${table(own, prefix)}`
  })
  return head + sections.join('')
}

function partOf(path: string): string {
  const fitting = parts.map(([prefix]) => prefix).filter((prefix) => isBelow(path, prefix))
  return fitting.reduce((longest, one) => (one.length > longest.length ? one : longest), '')
}

const isBelow = (path: string, prefix: string): boolean =>
  prefix === '' || path.startsWith(`${prefix}.`) || path.startsWith(`${prefix}[`)

function table(rows: readonly ReferenceRow[], prefix: string): string {
  const lines = rows.map((row) => {
    const name = prefix === '' ? row.path : row.path.slice(prefix.length).replace(/^\./, '')
    return `| \`${name}\` | ${row.value} | ${defaultOf(row)} | ${meanings[row.path] ?? ''} |`
  })
  return [
    '| key | value | default | what it is for |',
    '| --- | --- | --- | --- |',
    ...lines,
    '',
  ].join('\n')
}

function defaultOf({ fallback, need }: ReferenceRow): string {
  if (fallback !== undefined && fallback !== '[]' && fallback !== '{}') return `\`${fallback}\``
  if (need === 'never') return ''
  return need === 'always' ? 'required' : `required in \`${need.within}\``
}
