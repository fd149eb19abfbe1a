import { readFileSync } from 'node:fs'
import t from 'tap'
import { createProofs, readRequirements, unproved } from '../support/requirements.ts'

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

t.test('docs/smart-conformance.md has every requirement once, and its tests exist', (t) => {
  const requirements = readRequirements(read('docs/smart-conformance.md'))
  t.equal(requirements.length, 164, 'as many as the list of IG 2.2.0 has for clients')
  t.equal(new Set(requirements.map(({ number }) => number)).size, 164)
  for (const { number, met, tests } of requirements) {
    t.equal(tests.length > 0, met, `row ${number} names tests if it is met, and else none`)
    for (const file of tests) t.match(read(file), `@${number}`, `${file} speaks of row ${number}`)
  }
  t.end()
})

const table = `| number | level | requirement | how it is met | tests |
| --- | --- | --- | --- | --- |
| 1 | SHALL | TLS \\| more | So. | \`a.test.ts\` |
| 2 | SHALL NOT | state | So. | \`a.test.ts\`, \`b.test.ts\` |
| 3 | MAY | brands | Out of scope: none. |  |
| 4 | SHOULD | skipped | So. | \`a.test.ts\` |`

const report: readonly [file: string, lines: readonly string[]][] = [
  [
    'test/a.test.ts',
    [
      '    # Subtest: all of it',
      '        ok 1 - a plain endpoint is refused @1 @230',
      '        not ok 2 - state is one time @2',
      '        ok 3 - later @4 # SKIP',
      '        ok 4 - http://me@4.example and user@4 are addresses',
      '    ok 1 - all of it # time=3ms',
    ],
  ],
  ['test/b.test.ts', ['    ok 1 - state is known @2']],
]

t.test('a number counts where an assertion of that name passed', (t) => {
  const proofs = createProofs()
  for (const [file, lines] of report) {
    for (const line of lines) proofs.line(line)
    proofs.endFile(file)
  }
  t.same([...proofs.provedBy(1)], ['test/a.test.ts'])
  t.same(unproved(readRequirements(table), proofs), [
    '@2: test/a.test.ts has no assertion of this number that passed',
    '@4: no assertion of this number passed',
  ])
  t.end()
})
