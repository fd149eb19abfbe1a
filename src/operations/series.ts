import type { Metric, Registry } from 'prom-client'

/**
 * Counters and histograms that stand on the way of every request. prom-client's own make an object, a string and a hash
 * of the labels for each thing they count; here a series is found by its words alone, and prom-client, whose is the
 * text, is given them when somebody asks for the metrics.
 */
export interface SeriesCounter<Of extends Labels> extends Counted<Of> {
  add(count: number, ...words: WordsOf<Of>): void
}

export interface SeriesHistogram<Of extends Labels> extends Counted<Of> {
  observe(value: number, ...words: WordsOf<Of>): void
}

/** What may be asked for: dashboard and alerts are held against it. */
interface Counted<Of extends Labels> {
  readonly name: string
  readonly counted: Of
}

/** Each label with its words. Any other word counts as `other`, so that nobody outside drives their number (rule 17). */
export type Labels = readonly (readonly [name: string, words: ReadonlySet<string>])[]

/** One for each label, in their order: where the words of its list are known to the compiler, one of them, or `other`. */
type WordsOf<Of extends Labels> = {
  readonly [Index in keyof Of]: WordOf<Of[Index]> | 'other'
}
export type WordOf<Label> = Label extends readonly [string, ReadonlySet<infer Word>] ? Word : never

export interface SeriesOptions<Of extends Labels> {
  readonly registry: Registry
  readonly name: string
  readonly help: string
  readonly labels: Of
}

export function createSeriesCounter<const Of extends Labels>(
  options: SeriesOptions<Of>,
): SeriesCounter<Of> {
  const { name, labels } = options
  const family = createFamily(labels, () => ({ count: 0 }))
  // Prometheus sees no increase in a series that begins with its first count; with one label there are few to begin at 0.
  const [only, ...others] = labels
  if (others.length === 0) for (const word of only?.[1] ?? []) family.at([word])
  register('counter', options, () =>
    family.all().map(({ words, series }) => ({
      metricName: name,
      labels: labelled(labels, words),
      value: series.count,
    })),
  )
  return {
    name,
    counted: labels,
    add: (count, ...words) => {
      family.at(words).count += count
    },
  }
}

/** `bounds`: the upper bounds of the buckets, ascending. */
export function createSeriesHistogram<const Of extends Labels>(
  options: SeriesOptions<Of>,
  bounds: readonly number[],
): SeriesHistogram<Of> {
  const { name, labels } = options
  // Each bucket by itself, the last for what is above all bounds: they are added up when they are exposed.
  const family = createFamily(labels, () => ({
    sum: 0,
    buckets: new Float64Array(bounds.length + 1),
  }))
  register('histogram', options, () =>
    family.all().flatMap(({ words, series: { sum, buckets } }) => {
      const shared = labelled(labels, words)
      let count = 0
      const upTo = Array.from(buckets, (own, index) => {
        count += own
        const le = bounds[index] ?? '+Inf'
        return { metricName: `${name}_bucket`, labels: { le, ...shared }, value: count }
      })
      return [
        ...upTo,
        { metricName: `${name}_sum`, labels: shared, value: sum },
        { metricName: `${name}_count`, labels: shared, value: count },
      ]
    }),
  )
  return {
    name,
    counted: labels,
    observe: (value, ...words) => {
      const series = family.at(words)
      let index = 0
      while (value > (bounds[index] ?? Infinity)) index += 1
      series.sum += value
      series.buckets[index] = (series.buckets[index] ?? 0) + 1
    },
  }
}

interface Branch<Series> {
  readonly words: readonly string[]
  readonly next: Map<string, Branch<Series>>
  readonly series: Series
}

/** One map a label: known words are found without a string being made of them. */
function createFamily<Series>(labels: Labels, begin: () => Series) {
  const series: Branch<Series>[] = []
  const root = grow([])

  function grow(words: readonly string[]): Branch<Series> {
    const branch = { words, next: new Map<string, Branch<Series>>(), series: begin() }
    if (words.length === labels.length) series.push(branch)
    return branch
  }

  function take(from: Branch<Series>, word: string): Branch<Series> {
    const known = labels[from.words.length]?.[1].has(word) === true ? word : 'other'
    const branch = from.next.get(known) ?? grow([...from.words, known])
    from.next.set(known, branch)
    return branch
  }

  return {
    at(words: readonly string[]): Series {
      let branch = root
      for (const word of words) branch = branch.next.get(word) ?? take(branch, word)
      return branch.series
    },
    all: (): readonly Branch<Series>[] => series,
  }
}

const labelled = (labels: Labels, words: readonly string[]): Record<string, string> =>
  Object.fromEntries(labels.map(([label], index) => [label, words[index] ?? 'other']))

interface Exposed {
  readonly metricName: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

/** A registry asks a metric for its name and, when the metrics are asked for, for its values: no more. */
function register(
  type: 'counter' | 'histogram',
  { registry, name, help }: SeriesOptions<Labels>,
  values: () => readonly Exposed[],
): void {
  const metric = {
    name,
    help,
    type,
    aggregator: 'sum',
    get: () => ({ ...metric, values: values() }),
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its types ask for a whole metric of its own
  registry.registerMetric(metric as unknown as Metric)
}
