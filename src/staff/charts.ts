import { inZone } from './time-zone.ts'

/** A chart as SVG drawn here, with the same numbers as a table: no script, and nothing that only an eye can read. */
export interface Chart {
  readonly title: string
  readonly note: string
  /** For who hears the page: what it shows, in a sentence. */
  readonly label: string
  readonly groups: readonly string[]
  /** A group keeps its colour when another is missing. */
  readonly legend: readonly { readonly tone: number; readonly group: string }[]
  readonly ticks: readonly { readonly y: number; readonly label: string }[]
  readonly times: readonly { readonly x: number; readonly label: string }[]
  readonly bars: readonly Bar[]
  readonly lines: readonly Line[]
  readonly rows: readonly { readonly time: string; readonly values: readonly string[] }[]
}

export interface Bar {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  /** 0 to 5: a class of the style sheet. */
  readonly tone: number
  readonly says: string
}

export interface Line {
  readonly tone: number
  readonly points: string
  /** Also shown by itself, so that a value between two gaps can be seen. */
  readonly dots: readonly { readonly x: number; readonly y: number; readonly says: string }[]
}

export interface Value {
  readonly bucket: number
  readonly group: string
  readonly value: number
}

export interface ChartOptions {
  readonly title: string
  readonly note?: string
  readonly kind: 'bars' | 'lines'
  readonly from: number
  readonly to: number
  readonly bucketMs: number
  readonly zone: string
  /** Behind each number: ` ms`, ` %`. */
  readonly unit?: string
  /** In this order; the others by size. */
  readonly order?: readonly string[]
}

export const frame = { width: 640, height: 230, left: 72, right: 632, top: 14, bottom: 196 }
const maxGroups = 6

export function drawChart(values: readonly Value[], options: ChartOptions): Chart {
  const { title, note = '', from, to, bucketMs, zone, unit = '' } = options
  const groups = groupsOf(values, options.order)
  const buckets = Array.from(
    { length: Math.ceil((to - from) / bucketMs) },
    (_, at) => from + at * bucketMs,
  )
  const at = new Map(
    values.map(({ bucket, group, value }) => [`${String(bucket)} ${group}`, value]),
  )
  const valueOf = (bucket: number, group: string) => at.get(`${String(bucket)} ${group}`)
  const highest = Math.max(
    0,
    ...buckets.map((bucket) =>
      reach(
        options.kind,
        groups.map((group) => valueOf(bucket, group) ?? 0),
      ),
    ),
  )
  const top = roundUp(highest)
  const place = {
    x: (time: number): number =>
      to1(frame.left + ((frame.right - frame.left) * (time - from)) / (to - from)),
    y: (value: number): number => to1(frame.bottom - ((frame.bottom - frame.top) * value) / top),
  }
  const says = (bucket: number, group: string, value: number): string =>
    `${inZone(bucket, zone).slice(5, 16)}: ${group} ${shown(value)}${unit}`
  const legend = legendOf(groups, options.order)
  const drawing = { legend, buckets, valueOf, place, says, bucketMs }
  return {
    title,
    note,
    groups,
    legend,
    label: labelOf(title, groups, values, unit, options.kind),
    ticks: [0, 0.25, 0.5, 0.75, 1].map((part) => ({
      y: place.y(top * part),
      label: `${shown(top * part)}${unit}`,
    })),
    times: timesOf(from, to, zone).map(({ time, label }) => ({ x: place.x(time), label })),
    bars: options.kind === 'bars' ? barsOf(drawing) : [],
    lines: options.kind === 'lines' ? linesOf(drawing) : [],
    rows: buckets
      .filter((bucket) => groups.some((group) => valueOf(bucket, group) !== undefined))
      .map((bucket) => ({
        time: inZone(bucket, zone).slice(0, 16),
        values: groups.map((group) => {
          const value = valueOf(bucket, group)
          if (value === undefined) return options.kind === 'bars' ? '0' : ''
          return `${shown(value)}${unit}`
        }),
      })),
  }
}

function groupsOf(values: readonly Value[], order: readonly string[] = []): readonly string[] {
  const totals = new Map<string, number>()
  for (const { group, value } of values) totals.set(group, (totals.get(group) ?? 0) + value)
  const bySize = [...totals].toSorted((a, b) => b[1] - a[1]).map(([group]) => group)
  const first = order.filter((group) => totals.has(group))
  return [...first, ...bySize.filter((group) => !first.includes(group))].slice(0, maxGroups)
}

const reach = (kind: ChartOptions['kind'], values: readonly number[]): number =>
  kind === 'bars' ? values.reduce((sum, value) => sum + value, 0) : Math.max(0, ...values)

/** Groups of the order have a tone of their own; the others take those that are left. */
function legendOf(groups: readonly string[], order: readonly string[] = []): Chart['legend'] {
  const named = order.slice(0, maxGroups)
  const free = Array.from({ length: maxGroups }, (_, tone) => tone).filter(
    (tone) => !groups.includes(named[tone] ?? ''),
  )
  return groups.map((group) => {
    const own = named.indexOf(group)
    return { group, tone: own < 0 ? (free.shift() ?? 0) : own }
  })
}

interface Drawing {
  readonly legend: Chart['legend']
  readonly buckets: readonly number[]
  readonly bucketMs: number
  readonly valueOf: (bucket: number, group: string) => number | undefined
  readonly place: { readonly x: (time: number) => number; readonly y: (value: number) => number }
  readonly says: (bucket: number, group: string, value: number) => string
}

/** Bars of one bucket stand on each other. */
function barsOf({ legend, buckets, bucketMs, valueOf, place, says }: Drawing): readonly Bar[] {
  return buckets.flatMap((bucket) => {
    let below = 0
    const x = place.x(bucket)
    const width = to1(Math.max(1, place.x(bucket + bucketMs) - x - 2))
    return legend.flatMap(({ group, tone }) => {
      const value = valueOf(bucket, group) ?? 0
      if (value === 0) return []
      const y = place.y(below + value)
      const height = to1(place.y(below) - y)
      below += value
      return [{ x, y, width, height, tone, says: says(bucket, group, value) }]
    })
  })
}

/** Where nothing was measured there is a gap, not a zero. */
function linesOf({ legend, buckets, bucketMs, valueOf, place, says }: Drawing): readonly Line[] {
  return legend.flatMap(({ group, tone }) => {
    const runs: { x: number; y: number; says: string }[][] = [[]]
    for (const bucket of buckets) {
      const value = valueOf(bucket, group)
      if (value === undefined) runs.push([])
      else
        runs.at(-1)?.push({
          x: place.x(bucket + bucketMs / 2),
          y: place.y(value),
          says: says(bucket, group, value),
        })
    }
    return runs
      .filter((run) => run.length > 0)
      .map((dots) => ({
        tone,
        dots,
        points: dots.map(({ x, y }) => `${String(x)},${String(y)}`).join(' '),
      }))
  })
}

/** About six marks, each at the start of an hour or a day of the zone. */
function timesOf(from: number, to: number, zone: string) {
  const hour = 3_600_000
  const days = (to - from) / (24 * hour)
  const every = days <= 1 ? 4 : days <= 7 ? 24 : 120
  const hours = Array.from({ length: Math.ceil((to - from) / hour) }, (_, at) => from + at * hour)
  const starts = hours.filter((time) => {
    const clock = Number(inZone(time, zone).slice(11, 13))
    return days <= 1 ? clock % every === 0 : clock === 0
  })
  const step = days > 7 ? 5 : 1
  return starts
    .filter((_, index) => index % step === 0)
    .map((time) => ({ time, label: inZone(time, zone).slice(...(days <= 1 ? [11, 16] : [5, 10])) }))
}

/** A quarter of it is a whole number, and reads well. */
function roundUp(highest: number): number {
  const scale = 10 ** Math.max(0, Math.floor(Math.log10(highest / 4)))
  const steps = scale === 1 ? [4, 8, 12, 16, 20, 40] : [4, 6, 8, 10, 12, 16, 20, 40]
  return steps.map((step) => step * scale).find((value) => value >= highest) ?? highest
}

function labelOf(
  title: string,
  groups: readonly string[],
  values: readonly Value[],
  unit: string,
  kind: ChartOptions['kind'],
): string {
  const parts = groups.map((group) => {
    const own = values.filter((one) => one.group === group).map(({ value }) => value)
    const number = kind === 'bars' ? own.reduce((sum, value) => sum + value, 0) : Math.max(...own)
    return `${group} ${kind === 'bars' ? '' : 'at most '}${shown(number)}${unit}`
  })
  return `${title}: ${parts.join(', ')}. The table below has every number.`
}

const shown = (value: number): string =>
  (value < 10 && !Number.isInteger(value) ? to1(value) : Math.round(value)).toLocaleString('en')

const to1 = (value: number): number => Math.round(value * 10) / 10
