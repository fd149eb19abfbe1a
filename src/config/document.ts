import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
} from 'yaml'
import type { Finding, Path } from './fault.ts'

/** The YAML text as a plain tree, and the way back from a key to its line. */

const maxFileBytes = 1_048_576
/** Every `*alias` counts, and an alias of aliases multiplies: no bomb unfolds. */
const maxAliases = 1000

export type Reading =
  | { ok: true; tree: unknown; lineOf: (path: Path) => number | undefined }
  | { ok: false; faults: readonly (Finding & { line?: number })[] }

export function readDocument(source: string): Reading {
  if (Buffer.byteLength(source) > maxFileBytes) {
    return refusal('a file of more than 1 MiB', 'a smaller configuration file')
  }
  const lines = new LineCounter()
  const document = parseDocument(source, {
    version: '1.2',
    schema: 'core',
    strict: true,
    uniqueKeys: true,
    stringKeys: true,
    merge: false,
    prettyErrors: false,
    // With 'silent' a second document would pass unseen.
    logLevel: 'error',
    lineCounter: lines,
  })
  const problems = [...document.errors, ...document.warnings]
  if (problems.length > 0) {
    const faults = problems.map((problem) => ({
      path: [],
      line: lines.linePos(problem.pos[0]).line,
      found: sentences[problem.code] ?? `YAML that cannot be read (${problem.code})`,
      expected: 'valid YAML 1.2',
    }))
    return { ok: false, faults: faults.slice(0, 20) }
  }
  return plainTree(document, lines)
}

function plainTree(document: Document.Parsed, lines: LineCounter): Reading {
  try {
    const tree: unknown = document.toJS({ maxAliasCount: maxAliases })
    return { ok: true, tree, lineOf: (path) => lineOf(document, lines, path) }
  } catch {
    // The only thing left to fail is the unfolding of aliases; the parser's own text may quote the file.
    return refusal('aliases that cannot be resolved or are too many', 'at most 1000 aliases')
  }
}

const refusal = (found: string, expected: string): Reading => ({
  ok: false,
  faults: [{ path: [], found, expected }],
})

/** The parser's own messages quote the file, and a line of the file may be a secret: only its codes are used. */
const sentences: Record<string, string> = {
  ALIAS_PROPS: 'an alias with a tag or an anchor',
  BAD_ALIAS: 'an alias without its anchor',
  BAD_INDENT: 'an indentation that does not fit',
  BLOCK_AS_IMPLICIT_KEY: 'a nested map on the line of its key',
  DUPLICATE_KEY: 'the same key twice',
  MISSING_CHAR:
    'a missing character, such as a closing quote or bracket, or the space after a colon',
  MULTIPLE_DOCS: 'more than one document',
  NON_STRING_KEY: 'a key that is not a text',
  TAB_AS_INDENT: 'a tab used as indentation',
  TAG_RESOLVE_FAILED: 'an unknown tag (a "!" in front of a value)',
}

/** The line of the deepest part of the path that the file has, so that a missing key points at its parent. */
function lineOf(document: Document.Parsed, lines: LineCounter, path: Path): number | undefined {
  let node: unknown = document.contents
  let offset = startOf(node)
  for (const part of path) {
    const step = childOf(resolved(document, node), part)
    if (step === undefined) break
    node = step.value
    offset = startOf(step.key ?? step.value) ?? offset
  }
  return offset === undefined ? undefined : lines.linePos(offset).line
}

const startOf = (node: unknown): number | undefined => (isNode(node) ? node.range?.[0] : undefined)

const resolved = (document: Document.Parsed, node: unknown): unknown =>
  isAlias(node) ? node.resolve(document) : node

function childOf(node: unknown, part: string | number) {
  if (isSeq(node) && typeof part === 'number') {
    const value = node.items[part]
    return value === undefined ? undefined : { key: undefined, value }
  }
  if (!isMap(node)) return undefined
  const pair = node.items.find(({ key }) => isScalar(key) && key.value === part)
  return pair === undefined ? undefined : { key: pair.key, value: pair.value }
}
