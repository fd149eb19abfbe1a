import type { SeriesRow } from '../audit/search-index/query.ts'
import { inZone } from './time-zone.ts'

/** A chart as SVG drawn here, with the same numbers as a table: no script, and nothing that only an eye can read. */
export interface Chart {
  readonly title: string
  readonly groups: readonly string[]
  readonly bars: readonly Bar[]
  readonly rows: readonly { readonly time: string; readonly values: readonly string[] }[]
  readonly most: number
}

export interface Bar {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  /** 0 to 5: a class of the style sheet, each with a pattern of its own in the legend. */
  readonly tone: number
}

export const chartWidth = 720
export const chartHeight = 160
const maxGroups = 6

export interface ChartOptions {
  readonly title: string
  readonly from: number
  readonly to: number
  readonly bucketMs: number
  readonly zone: string
  readonly value?: (row: SeriesRow) => number
}

/** Bars of one bucket stand on each other. */
export function drawChart(rows: readonly SeriesRow[], options: ChartOptions): Chart {
  const { title, from, to, bucketMs, zone, value = (row) => row.count } = options
  const totals = new Map<string, number>()
  for (const row of rows) totals.set(row.group, (totals.get(row.group) ?? 0) + value(row))
  const groups = [...totals]
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, maxGroups)
    .map(([group]) => group)
  const byBucket = Map.groupBy(rows, ({ bucket }) => bucket)
  const buckets = [...byBucket.keys()].toSorted((a, b) => a - b)
  const heightOf = (bucket: number): number =>
    (byBucket.get(bucket) ?? []).reduce((sum, row) => sum + value(row), 0)
  const most = Math.max(1, ...buckets.map(heightOf))
  const width = (chartWidth * bucketMs) / Math.max(bucketMs, to - from)
  const bars = buckets.flatMap((bucket) => {
    const x = (chartWidth * (bucket - from)) / Math.max(bucketMs, to - from)
    let y = chartHeight
    return groups.map((group, tone) => {
      const row = byBucket.get(bucket)?.find((one) => one.group === group)
      const height = row === undefined ? 0 : (chartHeight * value(row)) / most
      y -= height
      return rounded({ x: Math.max(0, x), y, width: Math.max(1, width - 1), height, tone })
    })
  })
  return {
    title,
    groups,
    bars: bars.filter(({ height }) => height > 0),
    rows: buckets.map((bucket) => ({
      time: inZone(bucket, zone).slice(0, 16),
      values: groups.map((group) => {
        const row = byBucket.get(bucket)?.find((one) => one.group === group)
        return row === undefined ? '0' : String(Math.round(value(row)))
      }),
    })),
    most: Math.round(most),
  }
}

const to1 = (value: number): number => Math.round(value * 10) / 10

function rounded({ x, y, width, height, tone }: Bar): Bar {
  return { x: to1(x), y: to1(y), width: to1(width), height: to1(height), tone }
}
