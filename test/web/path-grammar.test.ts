import t from 'tap'
import { hasContentHash, parseFilePath } from '../../src/web/path-grammar.ts'

t.test('plain paths', async (t) => {
  t.same(parseFilePath('/assets/a/b-1.2.JS?x=1', '/assets/'), {
    path: 'a/b-1.2.JS',
    extension: 'js',
  })
  t.same(parseFilePath('/app/L/', '/app/L/'), { path: '', extension: '' })
  t.same(parseFilePath('/app/L/results/', '/app/L/'), { path: 'results', extension: '' })
  t.same(parseFilePath('/app/L/@scope/x', '/app/L/'), { path: '@scope/x', extension: '' })
})

t.test('everything else is refused', async (t) => {
  const bad = [
    '..',
    '../x',
    'a/../x',
    '.',
    './x',
    '.env',
    'a/.git/config',
    '%2e%2e/x',
    '%2e',
    'a%2fb',
    'a%00b',
    'a\\b',
    'a//b',
    '/x',
    'a b',
    'a;b',
    'a:b',
    'a*b',
    'é',
    'x'.repeat(129),
    'a/'.repeat(17),
  ]
  for (const path of bad) t.equal(parseFilePath(`/assets/${path}`, '/assets/'), undefined, path)
  t.equal(parseFilePath('/other/x', '/assets/'), undefined)
  t.equal(parseFilePath('http://evil/assets/x', '/assets/'), undefined)
})

t.test('only a hash of the content makes a name unchanging', async (t) => {
  const hashed = [
    'index-B7x2Kq9Z.js',
    'assets/chunk-D3a9Xk2P.css',
    'main.8c1f0e2d.js',
    'main.8c1f0e2d9a7b6c5d4e3f.js.map',
  ]
  const named = [
    'app.js',
    'smart-component.js',
    'results-dashboard.js',
    'my-lineChart.js',
    'logo-20240115.png',
    'report-ResultsV2b.js',
    'vendor.min.js',
    'style.min.css',
    'deadbeef.js',
    'index-DiwrgTda.js',
  ]
  for (const path of hashed) t.ok(hasContentHash(path), path)
  for (const path of named) t.notOk(hasContentHash(path), path)
})
