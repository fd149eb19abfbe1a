import { dirname, resolve } from 'node:path'
import { readDocument } from './document.ts'
import { draftOf } from './draft.ts'
import { type ConfigFault, type Finding, type Path, quote, spell } from './fault.ts'
import { judgeIssues } from './judge.ts'
import { fileFault, resolveReferences, type Surroundings } from './references.ts'
import { judgeFileModes } from './file-modes.ts'
import { judgeRelations } from './relations.ts'
import { type Config, configSchema } from './schema/config.ts'
import { Secret } from './secret.ts'
import { valueAt } from './tree.ts'

export type LoadedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly faults: readonly ConfigFault[] }

/**
 * Reads, resolves and judges the configuration file whole, and returns every fault it has or a frozen configuration
 * whose paths (`app.directory`, `audit.directory`) are absolute: like the paths of secrets they are written relative to
 * the configuration file. A function of its arguments alone; it never throws.
 */
export function loadConfig(from: { readonly path: string } & Surroundings): LoadedConfig {
  const source = readSource(from)
  if (source.fault !== undefined) return { ok: false, faults: [source.fault] }
  const document = readDocument(source.text)
  if (!document.ok) return { ok: false, faults: document.faults.map((fault) => place(fault)) }

  const resolution = resolveReferences(document.tree, from.path, from)
  const { tree, findings: unresolved, origins } = resolution
  const parsed = configSchema.safeParse(tree ?? {})
  const found = {
    valueAt: (path: Path) => valueAt(tree, path),
    originOf: (path: Path) => origins.get(spell(path)),
  }
  const findings = [
    ...unresolved,
    // A reference without a value is one fault, not also a missing value.
    ...judgeIssues(parsed.error?.issues ?? [], found).filter(notBelow(unresolved)),
    ...judgeRelations(draftOf(tree)),
    ...judgeFileModes(resolution, from),
  ]
  if (parsed.success && findings.length === 0) {
    return { ok: true, config: deepFreeze(withAbsolutePaths(parsed.data, dirname(from.path))) }
  }
  const faults = findings.map((finding) => {
    const line = document.lineOf(finding.path)
    return place(line === undefined ? finding : { ...finding, line })
  })
  return { ok: false, faults: faults.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)) }
}

type Source = { text: string; fault?: undefined } | { fault: ConfigFault }

function readSource({ path, readFile }: { path: string } & Surroundings): Source {
  try {
    return { text: readFile(path) }
  } catch (error) {
    const found = `the file ${quote(path)}, which ${fileFault(error)}`
    const expected = 'a configuration file (SMART_BFF_CONFIG names another)'
    return { fault: { key: '', found, expected } }
  }
}

const place = ({ path, ...rest }: Finding & { line?: number }): ConfigFault => ({
  key: spell(path),
  ...rest,
})

const notBelow =
  (unresolved: readonly Finding[]) =>
  ({ path }: Finding): boolean =>
    !unresolved.some((other) => other.path.every((part, index) => path[index] === part))

function withAbsolutePaths(config: Config, directory: string): Config {
  const absolute = (path: string): string => resolve(directory, path)
  const { app, audit } = config
  return {
    ...config,
    app: 'directory' in app ? { ...app, directory: absolute(app.directory) } : app,
    audit: withAbsoluteAuditPaths(audit, absolute),
  }
}

function withAbsoluteAuditPaths(
  audit: Config['audit'],
  absolute: (path: string) => string,
): Config['audit'] {
  const { directory, checkpoints, fhir } = audit
  const { path } = checkpoints
  return {
    ...audit,
    directory: absolute(directory),
    checkpoints: { ...checkpoints, ...(path === undefined ? {} : { path: absolute(path) }) },
    ...(fhir?.spool === undefined ? {} : { fhir: { ...fhir, spool: absolute(fhir.spool) } }),
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  if (!(value instanceof Secret)) Object.values(value).forEach(deepFreeze)
  return value
}
