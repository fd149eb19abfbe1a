import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The source files of the product and what each imports. */
export interface SourceFile {
  /** Relative to src: `launch/callback.ts`. */
  readonly path: string
  /** `launch`; the file's own name for the files of src itself: `main.ts`. */
  readonly folder: string
  readonly text: string
  readonly imports: readonly Import[]
}

export interface Import {
  /** As written: `node:crypto`, `zod`, `../store/store.ts`. */
  readonly specifier: string
  /** For a file of ours, relative to src. */
  readonly target: string | undefined
  readonly typeOnly: boolean
}

export const srcRoot = fileURLToPath(new URL('../../src', import.meta.url))

export function readSources(): SourceFile[] {
  return readdirSync(srcRoot, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .toSorted()
    .map((path) => {
      const text = readFileSync(join(srcRoot, path), 'utf8')
      return { path, folder: folderOf(path), text, imports: readImports(path, text) }
    })
}

export const folderOf = (path: string): string => path.split('/')[0] ?? path

/** Prettier writes every statement in one of these forms; `import()` counts as well. */
const importForms =
  /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|\bimport\(\s*'([^']+)'/gm

function readImports(path: string, text: string): Import[] {
  return [...text.matchAll(importForms)].flatMap(([, type, named, dynamic]) => {
    const specifier = named ?? dynamic
    if (specifier === undefined) return []
    const own = specifier.startsWith('.')
    const target = own ? relative(srcRoot, resolve(srcRoot, dirname(path), specifier)) : undefined
    return [{ specifier, target, typeOnly: type !== undefined }]
  })
}
