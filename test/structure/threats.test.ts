import { readFileSync } from 'node:fs'
import t from 'tap'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

const row = /^\| (pain|class) (\d+) +\| (.+?) +\| (.+?) +\|$/
const citation = /^`([a-z0-9/-]+)`: (.+)$/

interface Row {
  readonly kind: string
  readonly number: number
  readonly cells: readonly string[]
}

const rows: readonly Row[] = read('security/threats.md')
  .split('\n')
  .flatMap((line) => {
    const [, kind = '', number = '', , how = ''] = row.exec(line) ?? []
    return kind === '' ? [] : [{ kind, number: Number(number), cells: how.split('; `') }]
  })

t.test('every threat has its row, once', (t) => {
  for (const [kind, count] of [
    ['pain', 20],
    ['class', 22],
  ] as const) {
    const numbers = rows.filter((one) => one.kind === kind).map(({ number }) => number)
    t.strictSame(
      numbers,
      Array.from({ length: count }, (_, n) => n + 1),
      `${kind} 1 to ${count}, in order`,
    )
  }
  t.end()
})

t.test('every test that a row names is there, under that name, and is not skipped', (t) => {
  for (const { kind, number, cells } of rows) {
    if (cells[0]?.startsWith('Cannot apply: ')) continue
    for (const [index, cell] of cells.entries()) {
      const [, file = '', title = ''] = citation.exec(index === 0 ? cell : `\`${cell}`) ?? []
      t.ok(file !== '', `${kind} ${number}: a file and the name of a test in it: ${cell}`)
      if (file !== '') t.ok(names(file).includes(title), `${kind} ${number}: ${file}: ${title}`)
    }
  }
  t.end()
})

/** The names of the tests of a file, as they stand behind `t.test(`. */
function names(file: string): readonly string[] {
  const text = read(`${file}.test.ts`)
  t.notMatch(text, /\{[^}]*\b(skip|todo|only): true/, `${file} skips nothing`)
  return [...text.matchAll(/\bt\.test\(\s*(?:'((?:[^'\\]|\\.)*)'|"([^"]*)")/g)].map(
    ([, single, double]) => single ?? double ?? '',
  )
}
