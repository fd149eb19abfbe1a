import { readFileSync } from 'node:fs'
import t from 'tap'
import { createDocs, createMarkdown } from '../../src/staff/docs.ts'

const render = (source: string): string => createMarkdown().render(source)

t.test('raw HTML stays text, and nothing in it runs', async (t) => {
  const html = render('<script>alert(1)</script>\n\nA <b onclick="x()">word</b>.')
  t.notMatch(html, /<script|<b/)
  t.match(html, '&lt;script&gt;')
})

t.test('links lead to pages here or to the web; another is its text', async (t) => {
  t.match(render('[x](audit.md#files)'), 'href="/docs/audit#files"')
  t.match(render('[x](./audit.md)'), 'href="/docs/audit"')
  t.match(render('[x](https://hl7.org/fhir)'), 'href="https://hl7.org/fhir"')
  t.match(render('[x](#files)'), 'href="#files"')
  t.equal(render('[x](../../etc/passwd) [y](audit.md)'), '<p>x <a href="/docs/audit">y</a></p>\n')
  t.notMatch(render('[x](javascript:alert(1))'), /href/)
  t.notMatch(render('![x](https://elsewhere.example/a.png)'), /<img/)
  t.match(render('![A "chart"](pictures/chart.png)'), '<img src="/docs/pictures/chart.png"')
})

t.test('no inline style, and headings that can be linked to', async (t) => {
  const html = render('## Two words\n\n## Two words\n\n| a | b |\n| --- | ---: |\n| 1 | 2 |\n')
  t.notMatch(html, 'style=')
  t.match(html, 'id="two-words"')
  t.match(html, 'id="two-words-1"')
  t.match(html, '<td class="number">2</td>')
})

t.test('every document of this version is a page, and only those', async (t) => {
  const docs = createDocs()
  t.match(
    docs.list,
    [{ name: 'connect-an-ehr' }, { name: 'configuration' }],
    'as docs/README.md has them',
  )
  // Each has its row there, with its reader, and says in its first words for whom it is.
  const index = readFileSync(new URL('../../docs/README.md', import.meta.url), 'utf8')
  const rows = [...index.matchAll(/^\| \[[^\]]+\]\(([a-z-]+)\.md\) \| [^|]{3,} \|/gm)].map(
    ([, name]) => name,
  )
  t.same(
    docs.list.map(({ name }) => name),
    rows,
  )
  t.ok(rows.includes('changelog') && rows.includes('balp'))
  t.same(
    docs.list
      .filter(({ summary }) => !/^For |^What an auditor/.test(summary))
      .map(({ name }) => name),
    [],
  )
  for (const { name } of docs.list) {
    const page = docs.page(name)
    t.ok(page !== undefined && page.title.length > 3 && page.html.length > 100, name)
    t.notMatch(page?.html, /<script|style="|<h1/, name)
    for (const [, target] of page?.html.matchAll(/href="\/docs\/([^"#]+)/g) ?? []) {
      t.ok(docs.page(target ?? ''), `${name} leads to ${target ?? ''}`)
    }
  }
  for (const odd of ['../README', 'none', '', 'audit.md']) t.equal(docs.page(odd), undefined)
  t.equal(docs.picture('../audit.md'), undefined)
  t.same(createDocs('/nowhere').list, [])
})
