import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { configurationReference } from '../../config/reference/markdown.ts'
import { meanings } from '../../config/reference/meanings.ts'
import { referenceRows } from '../../config/reference/rows.ts'
import { streamCodes } from '../../src/audit/search-index/start-index.ts'
import { commandNames, helpText } from '../../src/cli/help.ts'
import { errorTable } from '../../src/errors.ts'
import { createMetrics } from '../../src/operations/metrics.ts'
import { readSources } from './folders.ts'

/** What the documents name exists, and what exists is named: options, routes, metrics, codes, commands, links. */

const root = new URL('../../', import.meta.url).pathname
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const documents = readdirSync(join(root, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => ({ name: `docs/${name}`, text: read(`docs/${name}`) }))
const everyDocument = [
  ...documents,
  ...['README.md', 'SECURITY.md'].map((name) => ({ name, text: read(name) })),
]

/** The first cells of a document's table rows that match. */
const firstCells = (text: string, form: RegExp): readonly string[] =>
  text.split('\n').flatMap((line) => form.exec(line)?.[1] ?? [])

const sorted = (list: Iterable<string>): readonly string[] => [...new Set(list)].toSorted()

t.test('options: every key has a meaning, and the reference is up to date', (t) => {
  const paths = referenceRows().map(({ path }) => path)
  t.same(sorted(Object.keys(meanings)), sorted(paths), 'config/reference/meanings.ts')
  t.equal(read('docs/configuration.md'), configurationReference(), 'run npm run docs')
  t.end()
})

t.test('codes: every code of ours has its row in troubleshoot.md', (t) => {
  const told = firstCells(read('docs/troubleshoot.md'), /^\| `([A-Z][A-Z_]+)` \|/)
  t.same(sorted(told), sorted([...Object.keys(errorTable), ...Object.values(streamCodes)]))
  t.equal(told.length, new Set(told).size, 'once each')
  t.end()
})

t.test(
  'exit codes: those of src/cli/exit-codes.ts, in the help text and in troubleshoot.md',
  (t) => {
    const table = /const exit = \{([^}]*)\}/.exec(read('src/cli/exit-codes.ts'))?.[1] ?? ''
    // Of a verification or preflight that says no.
    const real = sorted([...(table.match(/\d+/g) ?? []), '1'])
    t.ok(real.length > 3)
    const told = helpText.slice(helpText.indexOf('Exit codes:')).match(/\b[1-9]\d?\b/g) ?? []
    t.same(sorted(told), real)
    t.same(sorted(firstCells(read('docs/troubleshoot.md'), /^\| exit code (\d+)/)), real)
    t.end()
  },
)

t.test('metrics: every metric of ours has its row in operate.md', async (t) => {
  const metrics = createMetrics({ tenants: [], processMetrics: false })
  const { body } = await metrics.expose()
  metrics.close()
  const real = firstCells(body, /^# HELP (\w+) /)
  t.ok(real.length > 5)
  t.same(sorted(firstCells(read('docs/operate.md'), /^\| `(smart_bff_\w+)` \|/)), sorted(real))
})

t.test('routes: the documented ones are those of the code', (t) => {
  const documented = documents.flatMap(({ text }) =>
    [...text.matchAll(/^\| `(GET|POST|PUT|DELETE) (\/[^`]*)`/gm)].map(
      ([, method, path]) => `${method} ${path}`,
    ),
  )
  // Redirect paths are the tenants'; /fhir is answered before the router.
  const elsewhere = ['GET /callback/:tenant']
  t.same(sorted(documented), sorted([...declaredRoutes(), ...elsewhere]))
  t.end()
})

/** Of the collection: the sandbox's own addresses, and the launch URL that the EHR makes. */
const notOurs = /^\{\{ehr\}\}\/_control\/[a-z]+$|^\{\{launchUrl\}\}$/

t.test('collection: what docs/bruno asks for are routes of ours', (t) => {
  const known = declaredRoutes().map((route) => route.replaceAll(/:\w+/g, '*'))
  const files = readdirSync(join(root, 'docs/bruno')).filter((name) => name.endsWith('.bru'))
  t.ok(files.length > 10)
  let ours = 0
  for (const name of files) {
    const [, method = '', url = ''] =
      /^(get|post|put|patch|delete|head|options) \{\n {2}url: ([^?\n]+)/m.exec(
        read(`docs/bruno/${name}`),
      ) ?? []
    t.ok(url, `${name} has a method and an address`)
    if (notOurs.test(url)) continue
    ours += 1
    const path = url
      .replace(/^\{\{(?:app|operations)\}\}(?=\/)/, '')
      .replaceAll(/\{\{\w+\}\}/g, '*')
    // Answered before the router.
    const isFhir = /^\/fhir\/\*(\/|$)/.test(path)
    t.ok(isFhir || known.includes(`${method.toUpperCase()} ${path}`), `${name}: ${url}`)
  }
  t.equal(ours, files.length - 3)
  t.end()
})

t.test('commands: the help text names those of operate.md, and the reverse', (t) => {
  const documented = firstCells(read('docs/operate.md'), /^\| `smart-bff ([a-z ]+)` \|/)
  const helped = commandNames.filter((command) => command !== 'serve')
  t.same(sorted(documented), sorted(helped))
  t.end()
})

t.test('links: what a document points at is there', (t) => {
  for (const { name, text } of everyDocument) {
    const targets = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(
      ([, target = '']) => target,
    )
    for (const target of targets.filter((one) => !/^[a-z]+:/.test(one))) {
      t.ok(existsSync(join(root, dirname(name), target)), `${name} → ${target}`)
    }
  }
  t.end()
})

/** `GET /launches/:launch`, as the public and the operations listener declare them; the staff site is a site of pages. */
function declaredRoutes(): readonly string[] {
  const declared = readSources()
    .filter(({ folder }) => folder !== 'staff' && folder !== 'sandbox')
    .flatMap(({ text }) => [
      ...[...text.matchAll(/\.(get|post|put|delete)(?:<[^(]*>)?\(\s*'(\/[^']*)'/g)].map(
        ([, method = '', path]) => `${method.toUpperCase()} ${path}`,
      ),
      ...[...text.matchAll(/url: '(\/[^']*)'/g)].map(([, path]) => `GET ${path}`),
    ])
  return [...declared.filter((route) => route !== 'GET /app/:launch'), 'GET /smart-bff.js']
}

/** Code below src, tests below test: the last two cells of a row of the security tables. */
function evidence(
  text: string,
): readonly { readonly row: string; readonly files: readonly string[] }[] {
  return text.split('\n').flatMap((row) => {
    const [, code, tests] = /\| ([^|]*) \| ([^|]*) \|$/.exec(row) ?? []
    const named = (cell = '', folder: string, end: string): readonly string[] =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) =>
        name.startsWith('/') ? name.slice(1) : `${folder}/${name}${end}`,
      )
    if (!/^`(?:\/[A-Za-z./-]+|[a-z-]+(\/[a-z-]+)*\.ts)`/.test(code ?? '')) return []
    return [{ row, files: [...named(code, 'src', ''), ...named(tests, 'test', '.test.ts')] }]
  })
}

t.test('security: every threat and requirement names code and tests that exist', (t) => {
  for (const name of ['SECURITY.md', 'docs/asvs.md']) {
    const rows = evidence(read(name))
    t.ok(rows.length > 50, name)
    for (const { row, files } of rows) {
      t.same(
        files.filter((file) => !existsSync(join(root, file))),
        [],
        row,
      )
      t.ok(
        files.some((file) => file.startsWith('test/')),
        row,
      )
    }
  }
  t.end()
})

t.test('security: ASVS 5.0 has 70 requirements of level 1 and 183 of level 2', (t) => {
  const rows = read('docs/asvs.md')
    .split('\n')
    .flatMap((row) => {
      const [, number, level = '', how = ''] =
        /^\| (\d+\.\d+\.\d+) \| ([123]) \| ([^|]+) \|/.exec(row) ?? []
      return number === undefined ? [] : [{ number, level, how, row }]
    })
  t.equal(new Set(rows.map(({ number }) => number)).size, rows.length, 'once each')
  for (const [level, count] of [
    ['1', 70],
    ['2', 183],
  ] as const) {
    t.equal(rows.filter((row) => row.level === level).length, count)
  }
  t.same(
    rows.filter(({ how }) => how.startsWith('A rule: ')).map(({ number }) => number),
    ['15.1.1', '15.2.1'],
    'what no test can show',
  )
  const silent = rows.filter(
    ({ how, row }) => !/^Does not apply\. |^A rule: /.test(how) && evidence(row).length === 0,
  )
  t.same(silent, [], 'a row is met, or says why it does not apply')
  t.same(
    rows.filter(({ how }) => /\babove\b|below in this/.test(how)).map(({ row }) => row),
    [],
    'no row points at another place of its own file: its number or a link says where',
  )
  t.end()
})
