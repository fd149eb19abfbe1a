import { dirname, resolve } from 'node:path'
import { type Finding, type Path, quote, spell } from './fault.ts'
import { asMap, isPlainMap } from './tree.ts'

/**
 * Puts the values in place of `{ env: NAME }` and `{ file: PATH }`, which may stand wherever a string may. Exactly these
 * one-key maps are references; a map with a second key is left to the schema, which knows no such keys.
 */

/** The environment and the file system, passed in so that loading is a function of its arguments. */
export interface Surroundings {
  readonly readFile: (path: string) => string
  /** The permission bits of a file; without it no file is judged by them. */
  readonly modeOf?: (path: string) => number | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

export interface Resolution {
  readonly tree: unknown
  readonly findings: readonly Finding[]
  /** Where a value came from ("the variable X"), by the spelled key. Such a value is never shown in a fault. */
  readonly origins: ReadonlyMap<string, string>
  /** The files that values came from, with the place of each value. */
  readonly files: readonly { readonly path: Path; readonly file: string }[]
}

/** Unfolded aliases count as often as they stand. */
const maxNodes = 500_000
const maxDepth = 32
const maxValueBytes = 1_048_576

export function resolveReferences(
  tree: unknown,
  configPath: string,
  around: Surroundings,
): Resolution {
  const findings: Finding[] = []
  const origins = new Map<string, string>()
  const files: { path: Path; file: string }[] = []
  let nodes = 0

  const walk = (value: unknown, path: Path): unknown => {
    nodes += 1
    if (nodes > maxNodes || path.length > maxDepth) {
      if (findings.at(-1)?.found !== tooMuch.found) findings.push({ path: [], ...tooMuch })
      return undefined
    }
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index]))
    if (!isPlainMap(value)) return value
    if (Object.hasOwn(value, '__proto__')) {
      // The schema does not see this key, and no unknown key may pass in silence.
      findings.push({
        path: [...path, '__proto__'],
        found: 'an unknown key',
        expected: 'no such key',
      })
    }
    const reference = asReference(value)
    if (reference === undefined) {
      const entries = Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])])
      return Object.fromEntries(entries)
    }
    const { origin, outcome } = look(reference, dirname(configPath), around)
    origins.set(spell(path), origin)
    if (reference.kind === 'file') {
      files.push({ path, file: resolve(dirname(configPath), reference.name) })
    }
    if ('value' in outcome) return outcome.value
    findings.push({ path, ...outcome })
    return undefined
  }
  return { tree: walk(tree, []), findings, origins, files }
}

const tooMuch = {
  found: 'more than 500000 values, or values nested more than 32 deep',
  expected: 'a smaller configuration',
}

type Reference = { kind: 'env' | 'file'; name: string }
type Outcome = { value: string } | { found: string; expected: string }

function asReference(value: object): Reference | undefined {
  const entries = Object.entries(value)
  const [kind, name] = entries[0] ?? []
  if (entries.length !== 1 || typeof name !== 'string') return undefined
  return kind === 'env' || kind === 'file' ? { kind, name } : undefined
}

function look(reference: Reference, directory: string, around: Surroundings) {
  if (reference.kind === 'env') {
    const origin = `the variable ${reference.name}`
    return { origin, outcome: fromEnvironment(reference.name, around) }
  }
  const path = resolve(directory, reference.name)
  return { origin: `the file ${path}`, outcome: fromFile(path, around) }
}

function fromEnvironment(name: string, { env }: Surroundings): Outcome {
  const value = Object.hasOwn(env, name) ? env[name] : undefined
  if (value === undefined || value === '') {
    const state = value === undefined ? 'is not set' : 'is empty'
    return {
      found: `the variable ${quote(name)}, which ${state}`,
      expected: 'a variable of the environment',
    }
  }
  return { value }
}

function fromFile(path: string, { readFile }: Surroundings): Outcome {
  const refuse = (why: string): Outcome => ({
    found: `the file ${quote(path)}, which ${why}`,
    expected: 'a file that can be read (relative to the configuration file)',
  })
  try {
    // One newline at the end belongs to the file, not to the value: editors and `echo` add it.
    const value = readFile(path).replace(/\r?\n$/, '')
    if (value === '') return refuse('is empty')
    return Buffer.byteLength(value) > maxValueBytes ? refuse('is larger than 1 MiB') : { value }
  } catch (error) {
    return refuse(fileFault(error))
  }
}

/** A sentence for the usual system errors; never the system's own text. */
export function fileFault(error: unknown): string {
  const code = asMap(error)['code']
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist'
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user'
  if (code === 'EISDIR') return 'is a directory'
  if (code === 'ENOTFILE') return 'is no regular file (a named pipe or a device)'
  return `cannot be read (${typeof code === 'string' ? code : 'unknown error'})`
}
