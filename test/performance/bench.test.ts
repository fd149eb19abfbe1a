import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { reached } from './goals.ts'
import { asJson, compare, readHistory } from './history.ts'
import type { Run } from './history.ts'
import { proxyNames } from './names.ts'

/** What the bench says besides its figures: how it is used, which goals are met, what has become worse. */

const bench = (...args: string[]) =>
  spawnSync(process.execPath, [fileURLToPath(new URL('bench.ts', import.meta.url)), ...args], {
    encoding: 'utf8',
  })

t.test('how it is used, and one line for what it does not know', (t) => {
  const { status, stdout } = bench('--help')
  t.equal(status, 0)
  for (const word of ['proxies', 'limits', '--quick', '--keep', '--json FILE']) {
    t.ok(stdout.includes(word), word)
  }
  for (const wrong of [['--nonsense'], ['nonsense'], ['--json']]) {
    const said = bench(...wrong)
    t.equal(said.status, 64)
    t.match(said.stderr, /^bench: [^\n]+ See npm run bench -- --help\n$/, wrong.join(' '))
    t.equal(said.stdout, '')
  }
  t.end()
})

const machine = { cores: 2, cpu: 'x', node: 'v26', pinned: true }
const runOf = (date: string, ourCpu: number, other: Partial<Run> = {}): Run => ({
  date,
  machine,
  results: {
    proxies: {
      [`1 KB Patient / ${proxyNames.bare} / cpuMicroseconds`]: 80,
      [`1 KB Patient / ${proxyNames.ours} / cpuMicroseconds`]: ourCpu,
      [`1 KB Patient / ${proxyNames.ours} / requestsPerSecond`]: 3500,
      [`1 KB Patient / ${proxyNames.express} / requestsPerSecond`]: 1000,
    },
    limits: { 'cold start ms': 1200, 'cold start CPU ms': 600 },
  },
  ...other,
})

t.test('each goal with what was seen, those that were not measured left out', (t) => {
  t.same(reached(runOf('2026-01-01', 100).results), [
    { figure: '1 KB Patient: CPU of the bare proxy over ours', seen: 0.8, goal: 0.55, met: true },
    {
      figure: `1 KB Patient: requests a second, ours over ${proxyNames.express}`,
      seen: 3.5,
      goal: 3,
      met: true,
    },
    { figure: 'cold start ms', seen: 1200, goal: 1000, met: false },
  ])
  const written = JSON.parse(asJson(runOf('2026-01-01', 100)))
  t.match(written, { machine, results: { limits: { 'cold start ms': 1200 } } })
  t.equal(written.goals.length, 3)
  t.end()
})

t.test('what has become worse, against the last run that has the figure', (t) => {
  const figure = '1 KB Patient: CPU of the bare proxy over ours'
  const kept = [
    runOf('2026-01-01', 400),
    runOf('2026-02-01', 100),
    runOf('2026-03-01', 100, { results: { live: { '1000 launches, bytes a launch': 3400 } } }),
  ]
  const find = (run: Run) => compare(run, kept).find((change) => change.figure === figure)
  t.match(find(runOf('2026-04-01', 120)), { date: '2026-02-01', before: 0.8, worse: true })
  t.match(find(runOf('2026-04-01', 108)), { worse: false }, 'within what a run differs by')
  const live = { live: { '1000 launches, bytes a launch': 5000 } }
  t.match(compare(runOf('2026-04-01', 1, { results: live }), kept), [{ worse: true, now: 5000 }])
  const slower = { ...runOf('2026-04-01', 100).results, limits: { 'cold start CPU ms': 800 } }
  t.match(
    compare(runOf('2026-04-01', 100, { results: slower }), kept).find(({ worse }) => worse),
    { figure: 'cold start CPU ms', before: 600, now: 800 },
  )
  const elsewhere = { ...machine, cpu: 'y' }
  const names = compare(runOf('2026-04-01', 100, { machine: elsewhere }), kept).map(
    (change) => change.figure,
  )
  t.ok(
    names.includes(figure) && !names.includes('cold start CPU ms'),
    'no CPU time of another machine',
  )
  t.end()
})

t.test('the kept history can be read, and its figures compared', (t) => {
  const kept = readHistory()
  const last = kept.findLast((run) => run.results['proxies'] !== undefined)
  if (last === undefined) throw new Error('no run of the proxies is kept')
  const changes = compare(last, kept.slice(0, kept.indexOf(last) + 1))
  t.ok(changes.length > 8)
  t.same(
    changes.filter(({ worse }) => worse),
    [],
    'a run is no worse than itself',
  )
  t.end()
})
