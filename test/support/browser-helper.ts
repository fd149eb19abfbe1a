import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = new URL('../../', import.meta.url).pathname

/** Compiles the helper as `npm run build` does, and returns its modules by path: `/smart-bff.js` and what it imports. */
export function compileHelper(): ReadonlyMap<string, string> {
  const files = compile('config/tsconfig.browser.json')
  return new Map([...files].filter(([path]) => path.startsWith('/smart-bff')))
}

/** What a developer's compiler reads: `/smart-bff.d.ts`. */
export const compileHelperTypes = (): string =>
  compile('config/tsconfig.browser-types.json').get('/smart-bff.d.ts') ?? ''

function compile(project: string): Map<string, string> {
  const outDir = mkdtempSync(join(tmpdir(), 'smart-bff-helper-'))
  try {
    const tsc = join(root, 'node_modules/.bin/tsc')
    const args = [tsc, '-p', project, '--outDir', outDir]
    // tap hands its loaders to every child through NODE_OPTIONS, and tsc does not start with them.
    const run = spawnSync('env', ['-u', 'NODE_OPTIONS', ...args], {
      cwd: root,
      encoding: 'utf8',
      timeout: 60_000,
    })
    if (run.status !== 0) throw new Error(`tsc: ${run.stdout}${run.stderr}`)
    const names = readdirSync(outDir)
    return new Map(names.map((name) => [`/${name}`, readFileSync(join(outDir, name), 'utf8')]))
  } finally {
    rmSync(outDir, { recursive: true, force: true })
  }
}
