import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import t from 'tap'
import { folderOf, readSources, type SourceFile } from './folders.ts'

/** Who may import whom (DESIGN.md, Folders): imports point one way, and what decides does no I/O. */

/**
 * For each folder of src the other folders whose code it may use. Everybody may use `errors.ts` and `smart`, which use
 * nobody. A new folder needs a row here.
 */
const mayUse: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  smart: [],
  browser: [],
  config: [],
  store: ['config'],
  ehr: ['config'],
  web: ['config'],
  audit: ['config', 'store'],
  tracing: ['config'],
  vault: ['config', 'store', 'audit'],
  session: ['config', 'store', 'vault', 'audit', 'web'],
  launch: ['config', 'ehr', 'session', 'vault', 'audit', 'web', 'tracing'],
  fhir: ['config', 'ehr', 'session', 'vault', 'audit', 'web', 'tracing'],
  operations: ['config', 'store', 'ehr', 'vault', 'audit', 'web', 'tracing'],
  staff: ['config', 'store', 'ehr', 'vault', 'audit', 'web', 'operations'],
  cli: ['config', 'store', 'ehr', 'vault', 'audit', 'operations', 'session', 'web'],
  'app.ts': [
    'config',
    'store',
    'ehr',
    'vault',
    'audit',
    'web',
    'tracing',
    'session',
    'launch',
    'fhir',
    'operations',
    'staff',
  ],
  'main.ts': ['app.ts', 'cli', 'config'],
  // A process of its own, which may write a configuration and make keys; never the other way round.
  sandbox: ['config', 'cli'],
}

const everybody = ['errors.ts', 'smart']

/** Shapes that pass between stations. As types they may be named anywhere: nothing of them is left at run time. */
const contracts = [
  'audit/event.ts',
  'browser/launch-info.ts',
  'session/session-record.ts',
  'store/store.ts',
  'vault/record.ts',
  'vault/vault.ts',
]

const sources = readSources()
const product = sources.filter(({ folder }) => folder !== 'sandbox')

t.test('the table has no circle', (t) => {
  const closure = (folder: string, seen: readonly string[] = []): string[] =>
    (mayUse[folder] ?? []).flatMap((next) =>
      seen.includes(next) ? [next] : [next, ...closure(next, [...seen, next])],
    )
  for (const folder of Object.keys(mayUse)) t.notOk(closure(folder).includes(folder), folder)
  t.end()
})

t.test('every import points the way the table says', (t) => {
  t.ok(sources.length > 20, 'the sources are found')
  for (const { path, folder, imports } of sources) {
    const allowed = mayUse[folder]
    t.ok(allowed, `${folder} has a row`)
    for (const { target, typeOnly } of imports) {
      if (target === undefined || folderOf(target) === folder) continue
      const fine =
        [...everybody, ...(allowed ?? [])].includes(folderOf(target)) ||
        (typeOnly && contracts.includes(target))
      if (!fine) t.fail(`src/${path} may not import src/${target}`)
    }
  }
  t.end()
})

t.test('the product uses its dependencies and Node, and imports node: by that name', (t) => {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  )
  const dependencies = Object.keys(Object(Object(manifest).dependencies))
  for (const { path, imports } of product) {
    for (const { specifier, target, typeOnly } of imports) {
      if (target !== undefined) continue
      const [scope = '', name] = specifier.split('/')
      const packageName = scope.startsWith('@') ? `${scope}/${name}` : scope
      const fine = specifier.startsWith('node:')
        ? isBuiltin(specifier)
        : dependencies.includes(packageName) || typeOnly
      if (!fine) t.fail(`src/${path} imports ${specifier}, which is no dependency`)
    }
  }
  t.end()
})

/** The steps of a FHIR request that decide (DESIGN.md, The way of a FHIR request). */
const decidingSteps =
  /^fhir\/(steps\/)?(parse|allow|scope|bind|guard|rewrite|judge|decision|query|view)[-./]/

const decides = ({ folder, path }: SourceFile): boolean =>
  folder === 'smart' || decidingSteps.test(path)

/** Pure parts of Node; every other module of Node and every package but zod may do I/O. */
const pureModules = new Set(['node:crypto', 'node:buffer', 'node:util', 'zod'])

t.test('what decides does no I/O and knows no framework', (t) => {
  for (const { path, imports, text } of sources.filter(decides)) {
    for (const { specifier, target, typeOnly } of imports) {
      const fine = target !== undefined || typeOnly || pureModules.has(specifier)
      if (!fine) t.fail(`src/${path} imports ${specifier}`)
    }
    t.notMatch(text, /\bfetch\(|\bsetTimeout\(|\bDate\.now\(|\bprocess\./, `src/${path}`)
  }
  t.end()
})

t.test('only src/main.ts reads the environment or ends the process', (t) => {
  for (const { path, text } of product) {
    if (path === 'main.ts') continue
    t.notMatch(code(text), /\bprocess\.(env|exit|exitCode|abort|argv)\b/, `src/${path}`)
  }
  t.end()
})

t.test('the browser helper stands alone, and stores nothing', (t) => {
  const stores = /\b(localStorage|sessionStorage|indexedDB|caches|cookie)\b/
  t.match('window.localStorage.setItem', stores)
  for (const { path, text, imports } of sources.filter(({ folder }) => folder === 'browser')) {
    t.notMatch(code(text), stores, `src/${path}`)
    t.ok(
      imports.every(({ target }) => target?.startsWith('browser/')),
      `src/${path}`,
    )
  }
  t.end()
})

/** Without comments, which may name what the code must not do. */
function code(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
}

t.test('the product starts no process and makes no code of text', (t) => {
  for (const { path, text, imports } of product) {
    const names = imports.map(({ specifier }) => specifier)
    t.same(
      names.filter((name) => ['node:child_process', 'node:vm', 'node:cluster'].includes(name)),
      [],
      path,
    )
    t.notMatch(text, /\beval\(|\bnew Function\(/, path)
  }
  t.end()
})
