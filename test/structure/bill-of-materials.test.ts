import { spawnSync } from 'node:child_process'
import { mkdtempSync, copyFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { licenceFaults } from '../../config/licences.ts'
import { readLock, sbomOf, type LockFile } from '../../config/sbom.ts'

/** The bill of materials says what the image installs, and the licence check reads every line of it. */

const root = fileURLToPath(new URL('../../', import.meta.url))

interface Listed {
  readonly version?: string
  readonly dependencies?: Readonly<Record<string, Listed>>
}

/** `npm ls` is the judge: `npm sbom --omit=dev` leaves out what a development package needs as well. */
function listedByNpm(t: Test): Set<string> {
  const folder = mkdtempSync(join(tmpdir(), 'smart-bff-sbom-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const name of ['package.json', 'package-lock.json']) {
    copyFileSync(join(root, name), join(folder, name))
  }
  const args = ['ls', '--all', '--omit=dev', '--package-lock-only', '--offline', '--json']
  const npm = spawnSync('npm', args, { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 26 })
  const found = new Set<string>()
  const walk = ({ dependencies = {} }: Listed): void => {
    for (const [name, one] of Object.entries(dependencies)) {
      if (one.version !== undefined) found.add(`${name}@${one.version}`)
      walk(one)
    }
  }
  walk(JSON.parse(npm.stdout) as Listed)
  return found
}

t.test('it names what npm installs without development packages, and each digest', (t) => {
  const ours = sbomOf(readLock())
  t.ok(ours.components.length > 50)
  t.same(new Set(ours.components.map(({ name, version }) => `${name}@${version}`)), listedByNpm(t))
  for (const { purl, hashes } of ours.components)
    t.match(hashes?.[0]?.content, /^[0-9a-f]{128}$/, purl)
  const direct = ours.dependencies.find(({ ref }) => ref === ours.metadata.component['bom-ref'])
  t.ok(direct?.dependsOn.some((ref) => ref.startsWith('pkg:npm/fastify@')))
  const known = new Set(ours.components.map((one) => one['bom-ref']))
  for (const { ref, dependsOn } of ours.dependencies) {
    t.ok(
      dependsOn.every((other) => known.has(other)),
      ref,
    )
  }
  t.end()
})

t.test('nothing of the tests, and the same bytes again', (t) => {
  const text = JSON.stringify(sbomOf(readLock()))
  t.notMatch(text, /playwright|oidc-provider|pkg:npm\/tap@/)
  t.equal(JSON.stringify(sbomOf(readLock())), text)
  t.end()
})

const lockOf = (packages: LockFile['packages']): LockFile => ({
  packages: { '': { name: 'x', version: '1.0.0', license: 'MIT' }, ...packages },
})

t.test('a package stands once, wherever it is installed, and needs what is nearest to it', (t) => {
  const bill = sbomOf(
    lockOf({
      'node_modules/a': { version: '1.0.0', license: 'MIT', dependencies: { b: '2' } },
      'node_modules/a/node_modules/b': { version: '2.0.0', license: 'ISC' },
      'node_modules/b': { version: '1.0.0', license: 'ISC' },
      'node_modules/@c/d': { version: '1.0.0', license: 'MIT', dependencies: { b: '1' } },
      'node_modules/@c/d/node_modules/a': { version: '1.0.0', license: 'MIT' },
      'node_modules/tool': { version: '1.0.0', license: 'MIT', dev: true },
    }),
  )
  t.same(
    bill.components.map(({ purl }) => purl),
    ['pkg:npm/%40c/d@1.0.0', 'pkg:npm/a@1.0.0', 'pkg:npm/b@1.0.0', 'pkg:npm/b@2.0.0'],
  )
  const needs = (ref: string) => bill.dependencies.find((one) => one.ref === ref)?.dependsOn
  t.same(needs('pkg:npm/a@1.0.0'), ['pkg:npm/b@2.0.0'])
  t.same(needs('pkg:npm/%40c/d@1.0.0'), ['pkg:npm/b@1.0.0'])
  t.end()
})

t.test('licences: all of ours pass; copyleft, unknown and unstated ones do not', (t) => {
  t.same(licenceFaults(sbomOf(readLock())), [])
  const judged = (license: string | undefined) =>
    licenceFaults(
      sbomOf(
        lockOf({
          'node_modules/a': { version: '1.0.0', ...(license === undefined ? {} : { license }) },
        }),
      ),
    )
  t.same(judged('(GPL-3.0-only OR MIT)'), [])
  for (const bad of ['GPL-3.0-only', 'AGPL-3.0', '(MIT AND GPL-2.0-only)', 'SEE LICENSE IN x']) {
    t.same(judged(bad), [`pkg:npm/a@1.0.0: the licence ${bad} is not permitted`])
  }
  t.same(judged(undefined), ['pkg:npm/a@1.0.0: the licence NOASSERTION is not permitted'])
  t.end()
})
