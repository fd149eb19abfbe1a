import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = new URL('../../', import.meta.url).pathname

/** Builds the helper as `npm run build` does: one module, `/smart-bff.js`. */
export function compileHelper(): ReadonlyMap<string, string> {
  return new Map([['/smart-bff.js', run('npm', ['run', '--silent', 'build:helper'])]])
}

/** What a developer's compiler reads: `/smart-bff.d.ts`. */
export const compileHelperTypes = (): string =>
  compile('config/tsconfig.browser-types.json').get('/smart-bff.d.ts') ?? ''

function compile(project: string): Map<string, string> {
  const outDir = mkdtempSync(join(tmpdir(), 'smart-bff-helper-'))
  try {
    run(join(root, 'node_modules/.bin/tsc'), ['-p', project, '--outDir', outDir])
    const names = readdirSync(outDir)
    return new Map(names.map((name) => [`/${name}`, readFileSync(join(outDir, name), 'utf8')]))
  } finally {
    rmSync(outDir, { recursive: true, force: true })
  }
}

function run(program: string, args: readonly string[]): string {
  // tap hands its loaders to every child through NODE_OPTIONS, and these do not start with them.
  const { status, stdout, stderr } = spawnSync('env', ['-u', 'NODE_OPTIONS', program, ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
  })
  if (status !== 0) throw new Error(`${program}: ${stdout}${stderr}`)
  return stdout
}
