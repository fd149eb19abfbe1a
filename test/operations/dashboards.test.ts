import { readFileSync } from 'node:fs'
import { parser } from '@prometheus-io/lezer-promql'
import { Registry } from 'prom-client'
import t from 'tap'
import { parse } from 'yaml'
import { defineMetrics } from '../../src/operations/metric-definitions.ts'
import { createMetrics } from '../../src/operations/metrics.ts'

/** Every query of the dashboard and of the alert rules asks for metrics and labels that exist. */

const read = (name: string): string =>
  readFileSync(new URL(`../../config/${name}`, import.meta.url), 'utf8')

/** What Prometheus adds to every series that it collects. */
const targetLabels = ['job', 'instance']

interface Asked {
  readonly metrics: ReadonlySet<string>
  readonly labels: ReadonlySet<string>
  /** `outcome=~"failed|refused"`: of which metric, label, and the words asked for. */
  readonly words: readonly (readonly [metric: string, label: string, word: string])[]
  readonly errors: number
}

function readQuery(query: string): Asked {
  const text = query.replaceAll('$__rate_interval', '5m')
  const metrics = new Set<string>()
  const labels = new Set<string>()
  const words: [string, string, string][] = []
  let errors = 0
  let [metric, label] = ['', '']
  parser.parse(text).iterate({
    enter: ({ name, type, from, to }) => {
      const piece = text.slice(from, to)
      if (type.isError) errors += 1
      if (name === 'Identifier') metrics.add((metric = piece))
      if (name === 'LabelName') {
        labels.add(piece)
        label = piece
      }
      if (name === 'StringLiteral' && !piece.includes('$')) {
        for (const word of piece.slice(1, -1).split('|')) words.push([metric, label, word])
      }
    },
  })
  return { metrics, labels, words, errors }
}

/** A histogram's series have the names of their parts. */
const familyOf = (series: string): string => series.replace(/_(bucket|sum|count)$/, '')

/** Series names as exposed, and the labels that each metric may carry. */
async function exposed(): Promise<Map<string, Set<string>>> {
  const metrics = createMetrics({ tenants: [{ id: 'north' }] })
  metrics.watch(() => ({ ready: true, degraded: false, auditHealthy: true, auditUnsealed: 0 }))
  metrics.launch('received', 'north')
  metrics.fhirRequest({
    resource: 'Patient',
    interaction: 'read',
    decision: 'allowed',
    tenant: 'north',
    seconds: 0.1,
  })
  metrics.upstream('north', '2xx', 0.1)
  metrics.refresh('refreshed', 'north')
  metrics.refreshWait(0.1)
  metrics.storeAnswer('check', 0.001)
  metrics.storeFault('check')
  metrics.auditRefused(1)
  metrics.auditCopyLost('stream', 1)
  metrics.auditWritten(1, 0.001)
  metrics.circuit('north', false)
  metrics.activeLaunches(1)
  metrics.reload('applied')
  const { body } = await metrics.expose()
  metrics.close()
  const series = new Map<string, Set<string>>()
  for (const line of body.split('\n')) {
    const [, name, labels = ''] = /^([a-z][a-z0-9_]*)(?:\{(.*)\})? /.exec(line) ?? []
    if (name === undefined) continue
    const known = series.get(name) ?? new Set()
    for (const [, label = ''] of labels.matchAll(/([a-z_]+)="/g)) known.add(label)
    series.set(name, known)
  }
  return series
}

interface Dashboard {
  readonly panels: readonly {
    readonly id: number
    readonly title: string
    readonly gridPos: { readonly w: number; readonly x: number }
    readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[]
  }[]
}
interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string
      readonly expr: string
      readonly labels: { readonly severity: string }
      readonly annotations: { readonly summary: string; readonly action: string }
    }[]
  }[]
}

const dashboard = JSON.parse(read('grafana/smart-bff.json')) as Dashboard
const rules = (parse(read('prometheus/alerts.yaml')) as Rules).groups.flatMap((one) => one.rules)
const queries = [
  ...dashboard.panels.flatMap(({ title, targets }) =>
    targets.map(({ expr, legendFormat }) => ({ title, expr, shown: legendFormat })),
  ),
  ...rules.map(({ alert, expr, annotations }) => ({
    title: alert,
    expr,
    shown: `${annotations.summary} ${annotations.action}`,
  })),
]

t.test('queries parse, and ask for what is there', async (t) => {
  const series = await exposed()
  t.ok(queries.length > 40)
  for (const { title, expr } of queries) {
    const { metrics, labels, errors } = readQuery(expr)
    t.equal(errors, 0, `${title}: ${expr}`)
    t.ok(metrics.size > 0, `${title} asks for a metric`)
    const known = new Set(targetLabels)
    for (const name of metrics) {
      t.ok(series.has(name), `${title}: ${name} exists`)
      for (const label of series.get(name) ?? []) known.add(label)
    }
    for (const label of labels) t.ok(known.has(label), `${title}: the label ${label} exists`)
  }
})

t.test('what is shown of a series is one of its labels', (t) => {
  for (const { title, expr, shown } of queries) {
    const { labels, metrics } = readQuery(expr)
    const grouped = /\bby \(/.test(expr)
    for (const [, label = ''] of shown.matchAll(/\{\{ *(?:\$labels\.)?([a-z]+) *\}\}/g)) {
      t.ok(
        labels.has(label) || (!grouped && [...targetLabels, 'result'].includes(label)),
        `${title}: ${label} of ${[...metrics].join(', ')}`,
      )
    }
  }
  t.end()
})

/** The closed lists of each metric, as they are counted by. */
const lists = new Map(
  Object.values(defineMetrics(new Registry(), new Set(['north']))).flatMap((metric) =>
    'counted' in metric
      ? [[metric.name, new Map<string, ReadonlySet<string>>(metric.counted)]]
      : [],
  ),
)

const isCounted = ([metric, label, word]: Asked['words'][number]): boolean =>
  lists.get(familyOf(metric))?.get(label)?.has(word) === true

t.test('words that are asked for are words that this metric counts', (t) => {
  const asked = queries.flatMap(({ title, expr }) =>
    readQuery(expr).words.map((words) => ({ title, words })),
  )
  t.ok(asked.length > 5)
  for (const { title, words } of asked) t.ok(isCounted(words), `${title}: ${words.join(' ')}`)
  t.end()
})

t.test('every metric of ours is on the dashboard or in an alert', async (t) => {
  const asked = new Set(queries.flatMap(({ expr }) => [...readQuery(expr).metrics]))
  for (const name of (await exposed()).keys()) {
    if (!name.startsWith('smart_bff_')) continue
    const family = familyOf(name)
    t.ok(
      [...asked].some((one) => familyOf(one) === family),
      family,
    )
  }
})

t.test('the panels stand apart; each alert says what is seen and what to do', (t) => {
  const ids = dashboard.panels.map(({ id }) => id)
  t.equal(new Set(ids).size, ids.length)
  for (const { gridPos, title } of dashboard.panels) t.ok(gridPos.x + gridPos.w <= 24, title)
  for (const { alert, labels, annotations } of rules) {
    t.match(alert, /^SmartBff[A-Z]/)
    t.match(labels.severity, /^(page|ticket)$/)
    t.ok(annotations.summary.endsWith('.') && annotations.action.endsWith('.'), alert)
  }
  t.end()
})

t.test('this check can fail', (t) => {
  t.ok(readQuery('sum by (').errors > 0)
  t.same([...readQuery('rate(smart_bff_nothing_total[5m])').metrics], ['smart_bff_nothing_total'])
  t.same([...readQuery('sum by (colour) (up)').labels], ['colour'])
  const [word] = readQuery('smart_bff_launches_total{outcome="timeout"}').words
  t.same(word, ['smart_bff_launches_total', 'outcome', 'timeout'])
  t.notOk(word !== undefined && isCounted(word), "another metric's word")
  t.end()
})
