import { execFileSync } from 'node:child_process'
import { mkdtempSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * An earlier version of the product as it stands in the repository's history: the last tag before this commit, or else
 * the first commit whose stored records carry a schema version. Needs the history; a shallow clone has none.
 */
export interface EarlierVersion {
  readonly commit: string
  readonly folder: string
  readonly main: string
}

const root = fileURLToPath(new URL('../../', import.meta.url))
const git = (...args: string[]): string =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })

export function checkOutEarlierVersion(): EarlierVersion {
  const commit = lastTag() ?? firstWithSchema()
  const folder = mkdtempSync(join(tmpdir(), 'smart-bff-earlier-'))
  const archive = execFileSync('git', ['archive', commit, 'src', 'views', 'package.json'], {
    cwd: root,
    maxBuffer: 1 << 28,
  })
  execFileSync('tar', ['-x', '-C', folder], { input: archive })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  // The helper that browsers load is the same; it is not what two versions share a store for.
  symlinkSync(join(root, 'dist'), join(folder, 'dist'))
  return { commit, folder, main: join(folder, 'src/main.ts') }
}

function lastTag(): string | undefined {
  try {
    return git('describe', '--tags', '--abbrev=0', 'HEAD^').trim()
  } catch {
    return undefined
  }
}

function firstWithSchema(): string {
  const found = git(
    'log',
    '--reverse',
    '--format=%H',
    '-S',
    'readonly schema: 1',
    '--',
    'src/vault/record.ts',
  )
  const [commit = ''] = found.trim().split('\n')
  if (commit === '') throw new Error('this needs the history: git fetch --unshallow')
  return commit
}
