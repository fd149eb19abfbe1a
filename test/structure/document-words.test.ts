import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { transformSync } from 'esbuild'
import t from 'tap'
import { referenceRows } from '../../config/reference/rows.ts'
import { auditEvents } from '../../src/audit/event-names.ts'
import { streamCodes } from '../../src/audit/search-index/start-index.ts'
import { commandNames, helpOf, isCommand } from '../../src/cli/help.ts'
import { errorTable } from '../../src/errors.ts'
import { logEvents } from '../../src/operations/log-events.ts'
import { createMetrics } from '../../src/operations/metrics.ts'

/**
 * Names within the text: where a document, an alert or a deployment's file names an option, a metric, a flag or a code,
 * it is one that exists. (documents.test.ts holds the tables against the code, both ways.)
 */

const root = new URL('../../', import.meta.url).pathname
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const inFolder = (folder: string, end: string): readonly string[] =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(end))
    .map((name) => `${folder}/${name}`)

/** Prose with names in backticks. */
const documents = [...inFolder('docs', '.md'), 'README.md', 'SECURITY.md']
/** Comments and sentences for whoever deploys and is woken up: names stand there without backticks. */
const deployment = [
  ...inFolder('config/kubernetes', '.yaml'),
  ...inFolder('config/prometheus', '.yaml'),
  'config/nginx.conf',
  'config/smart-bff.yaml',
  'config/demo.yaml',
  'docker-compose.yml',
  'Dockerfile',
]

interface Named {
  readonly file: string
  readonly name: string
}

/** What matches, in every file, once each. */
const named = (files: readonly string[], form: RegExp): readonly Named[] =>
  files.flatMap((file) =>
    [...new Set([...read(file).matchAll(form)].map(([, name = '']) => name))].map((name) => ({
      file,
      name,
    })),
  )

const unknownAmong = (found: readonly Named[], isKnown: (name: string) => boolean) =>
  found.filter(({ name }) => !isKnown(name)).map(({ file, name }) => `${file}: ${name}`)

// Of every entry in a list, and every name of a map.
const keyForm = (path: string): string => path.replaceAll('[]', '')
const keys = referenceRows().map(({ path }) => keyForm(path))
/** A key, what holds keys, or the last steps of one, as `upstream.ca` within a tenant. */
const isKey = (name: string): boolean =>
  keys.some((key) => `.${key}.`.includes(`.${keyForm(name)}.`))
/** As `StepSpan` of src/tracing/tracing.ts has them. */
const isSpan = (name: string): boolean => read('src/tracing/tracing.ts').includes(`'${name}'`)
const isEvent = (name: string): boolean => name in auditEvents || name in logEvents || isSpan(name)

/** Members of objects that an app's developer holds in the hand: the helper's, FHIR's, JavaScript's. */
const members =
  /^(bff|error|launch|request|response|condition|window|FHIR|Attachment|Bundle|JSON)\./
const fileName = /\.(ts|cjs|md|yaml|yml|json|js|jsonl|html|conf|acl|note|gz|pem)$/

t.test('options and events in the text are in the schema and in the tables of events', (t) => {
  const inText = named(documents, /`([a-zA-Z]+(?:\[\])?(?:\.[a-zA-Z_]+(?:\[\])?)+)`/g)
  t.ok(inText.length > 100)
  const isKnown = (name: string): boolean => isKey(name) || isEvent(name)
  const odd = inText.filter(({ name }) => !members.test(name) && !fileName.test(name))
  t.same(unknownAmong(odd, isKnown), [])
  // Of the sentences for whoever is woken up.
  const alerts = named(['config/prometheus/alerts.yaml'], /[\s(]([a-z]+(?:\.[a-zA-Z_]+)+)/g)
  t.ok(alerts.length > 3)
  t.same(
    unknownAmong(
      alerts.filter(({ name }) => !fileName.test(name)),
      isKnown,
    ),
    [],
  )
  // The check can fail.
  t.notOk(isKnown('upstream.caa') || isKnown('audit.directories') || isKnown('udit.directory'))
  t.end()
})

t.test('metrics in the text, in alerts and in the dashboard are exposed', async (t) => {
  const metrics = createMetrics({ tenants: [], processMetrics: false })
  const { body } = await metrics.expose()
  metrics.close()
  const exposed = new Set([...body.matchAll(/^# HELP (\w+) /gm)].map(([, name]) => name))
  const found = named(
    [...documents, ...inFolder('config/prometheus', '.yaml'), 'config/grafana/smart-bff.json'],
    /\b(smart_bff_\w+)/g,
  )
  t.ok(found.length > 30)
  const isKnown = (name: string): boolean =>
    exposed.has(name) || exposed.has(name.replace(/_(bucket|sum|count)$/, ''))
  t.same(unknownAmong(found, isKnown), [])
})

const flagForm = /(?<=^|[\s`'"[(])(--[a-z][a-z-]*)/gm
const flagsOf = (text: string): readonly string[] =>
  [...text.matchAll(flagForm)].map(([, flag = '']) => flag)

/** `smart-bff audit search …` up to the end of the command, wherever it stands. */
const ourCommands = /(?:smart-bff|dist\/main\.js) ([a-z][^`\n;|>#]*)/g

t.test('flags behind a command of ours are in its help', (t) => {
  let seen = 0
  const wrong = [...documents, ...deployment].flatMap((file) =>
    [...read(file).replaceAll('\\\n', ' ').matchAll(ourCommands)].flatMap(([, words = '']) => {
      const command = commandNames.find((name) => `${words} `.startsWith(`${name} `))
      if (command === undefined || !isCommand(command)) return []
      seen += 1
      const known = flagsOf(`${helpOf(command)} --help`)
      return flagsOf(words)
        .filter((flag) => !known.includes(flag))
        .map((flag) => `${file}: ${command} ${flag}`)
    }),
  )
  t.ok(seen > 20)
  t.same(wrong, [])
  t.end()
})

/** Of the programs beside ours that the documents tell to run. */
const othersFlags = {
  docker: 'all build detach input no-build no-deps profile rm signal wait',
  buildah: 'build-arg format target',
  curl: 'fail retry retry-connrefused retry-delay silent',
  kubectl: 'from-file',
  tail: 'follow pid',
  redis: 'cacert tls user',
  node: `cpu-prof external-memory-accounted-in-global-limit interpreted-frames-native-stack max-semi-space-size
    no-parallel-scavenge perf-basic-prof single-threaded-gc trace-gc trace-gc-nvp use-largepages`,
  npm: 'ignore-scripts loglevel omit silent',
  Dockerfile: 'interval start-period timeout',
  // A variable, not a flag.
  css: 'smart-color-background',
}

t.test('every other flag is of a program that is named here', (t) => {
  const others = Object.values(othersFlags).flatMap((names) => names.split(/\s+/))
  const ours = [
    ...commandNames.flatMap((name) => (isCommand(name) ? flagsOf(helpOf(name)) : [])),
    // Of the demo, the sandbox and the bench.
    ...optionsOf('src/sandbox/demo.ts', 'src/sandbox/main.ts', 'test/performance/bench.ts'),
    '--help',
    '--version',
  ]
  const isKnown = (flag: string): boolean => ours.includes(flag) || others.includes(flag.slice(2))
  // This one quotes the specification, whose dashes look like it.
  const files = [...documents, ...deployment].filter((file) => !file.includes('conformance'))
  t.same(unknownAmong(named(files, flagForm), isKnown), [])
  t.end()
})

/** As they are declared for parseArgs: `port: {` and `'ehr-port': {`. */
const optionsOf = (...files: readonly string[]): readonly string[] =>
  files.flatMap((file) =>
    [...read(file).matchAll(/^ +'?([a-z][a-z-]*)'?: \{ type: '(?:string|boolean)'/gm)].map(
      ([, name = '']) => `--${name}`,
    ),
  )

t.test('codes and variables of the environment in the text are of the code', (t) => {
  const codes = new Set<string>([...Object.keys(errorTable), ...Object.values(streamCodes)])
  const code = [...inFolder('src', '.ts'), 'test/performance/harness.ts', 'docker-compose.yml']
  const variables = new Set(
    named([...code, 'Dockerfile'], /(?:env(?:\.|\[')|\$\{|[{ ])([A-Z]+(?:_[A-Z]+)+)\b/g).map(
      ({ name }) => name,
    ),
  )
  // Of Node, and the example of a variable that the hospital names itself.
  const others = ['NODE_COMPILE_CACHE', 'ARR_AUTHORIZATION']
  const found = named(documents, /(?<!\w)([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?!\w)/g)
  t.ok(found.length > 80)
  const isKnown = (name: string): boolean =>
    codes.has(name) || variables.has(name) || others.includes(name)
  t.same(unknownAmong(found, isKnown), [])
  t.notOk(isKnown('AUDIT_STREAM_GONE'))
  // And the reverse, but for what the demo makes for itself.
  const told = found.map(({ name }) => name)
  const ownVariables = [...variables].filter((name) => /^SMART_BFF_(?!DEMO_)/.test(name))
  t.ok(ownVariables.length > 2)
  t.same(
    ownVariables.filter((name) => !told.includes(name)),
    [],
    'each is in a document',
  )
  t.end()
})

t.test('examples for an app are JavaScript, and use what the helper has', (t) => {
  const helper = read('src/browser/smart-bff.ts')
  const membersOf = (form: RegExp): readonly string[] =>
    [...(form.exec(helper)?.[1] ?? '').matchAll(/^ {2}(?:readonly |get )?(\w+)[?(<:]/gm)].map(
      ([, name = '']) => name,
    )
  const held: Readonly<Record<string, readonly string[]>> = {
    bff: membersOf(/^export interface SmartBff \{(.*?)^\}/ms),
    draft: membersOf(/^export interface Draft \{(.*?)^\}/ms),
    launch: membersOf(/^export interface LaunchInfo \{(.*?)^\}/ms),
    error: membersOf(/^export class SmartBffError [^{]*\{(.*?)^\}/ms),
  }
  let seen = 0
  for (const file of ['docs/build-an-app.md', 'README.md']) {
    for (const [, loader, code = ''] of read(file).matchAll(/```(jsx?)\n(.*?)```/gs)) {
      const lines = code.split('\n')
      const imports = lines.filter((line) => line.startsWith('import '))
      const rest = lines.filter((line) => !line.startsWith('import '))
      // As it would stand within an app's own function.
      const whole = `${imports.join('\n')}\nasync function f() {${rest.join('\n').replace(/^export /gm, '')}}`
      t.doesNotThrow(() => transformSync(whole, { loader: loader === 'jsx' ? 'jsx' : 'js' }), code)
      for (const [, object = '', member = ''] of code.matchAll(
        /(?<![\w$-])(bff|draft|launch|error)\.(\w+)/g,
      )) {
        seen += 1
        t.ok(held[object]?.includes(member), `${object}.${member} in ${file}`)
      }
    }
  }
  t.ok(seen > 20)
  t.end()
})
