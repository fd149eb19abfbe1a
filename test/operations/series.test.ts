import { Counter, Histogram, Registry } from 'prom-client'
import t from 'tap'
import { createSeriesCounter, createSeriesHistogram } from '../../src/operations/series.ts'

/** What is exposed is, character for character, what prom-client's own metrics would say of the same. */

const bounds = [0.001, 0.5, 2.5]
const tenant = ['tenant', new Set(['north', 'south'])] as const
const result = ['result', new Set(['allowed', 'refused'])] as const

function two() {
  const [ours, theirs] = [new Registry(), new Registry()]
  const text = async () => [await ours.metrics(), await theirs.metrics()] as const
  return { ours, registers: [theirs], text }
}

t.test('a counter', async (t) => {
  const { ours, registers, text } = two()
  const named = { name: 'things_total', help: 'Things.' }
  const own = createSeriesCounter({ registry: ours, ...named, labels: [tenant, result] })
  const theirs = new Counter({ ...named, registers, labelNames: ['tenant', 'result'] })
  const told = async () => {
    const [seen, wanted] = await text()
    t.equal(seen, wanted)
  }
  await told()
  for (const [tenant, result, count] of [
    ['south', 'refused', 1],
    ['north', 'allowed', 2],
    ['south', 'refused', 5],
  ] as const) {
    own.add(count, tenant, result)
    theirs.inc({ tenant, result }, count)
    await told()
  }
})

t.test('a histogram, on its bounds, between and above them', async (t) => {
  const { ours, registers, text } = two()
  const named = { name: 'seconds', help: 'Time.' }
  const own = createSeriesHistogram({ registry: ours, ...named, labels: [tenant, result] }, bounds)
  const theirs = new Histogram({
    ...named,
    registers,
    labelNames: ['tenant', 'result'],
    buckets: [...bounds],
  })
  for (const [value, tenant, result] of [
    [0, 'north', 'allowed'],
    [0.5, 'south', 'allowed'],
    [0.001, 'north', 'allowed'],
    [0.0011, 'north', 'allowed'],
    [7, 'north', 'allowed'],
  ] as const) {
    own.observe(value, tenant, result)
    theirs.observe({ tenant, result }, value)
  }
  const [seen, wanted] = await text()
  t.match(seen, 'seconds_bucket{le="+Inf",tenant="north",result="allowed"} 4')
  t.equal(seen, wanted)
})

t.test('without labels there is one series from the start', async (t) => {
  const { ours, registers, text } = two()
  createSeriesCounter({ registry: ours, name: 'a_total', help: 'A.', labels: [] })
  createSeriesHistogram({ registry: ours, name: 'b', help: 'B.', labels: [] }, bounds)
  t.ok(new Counter({ name: 'a_total', help: 'A.', registers }))
  t.ok(new Histogram({ name: 'b', help: 'B.', registers, buckets: [...bounds] }))
  const [seen, wanted] = await text()
  t.match(seen, 'a_total 0\n')
  t.equal(seen, wanted)
})

t.test('what strangers say counts as `other`: it makes no series', async (t) => {
  const { ours, text } = two()
  const own = createSeriesCounter({
    registry: ours,
    name: 'things_total',
    help: 'Things.',
    labels: [tenant, result],
  })
  for (const word of ['x', '__proto__', 'constructor', 'north ', '', 'a"b\nc']) {
    own.add(1, word, word)
    own.add(1, 'north', word)
  }
  const [seen] = await text()
  t.same(seen.trim().split('\n').slice(2), [
    'things_total{tenant="other",result="other"} 6',
    'things_total{tenant="north",result="other"} 6',
  ])
})
