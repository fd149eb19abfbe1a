import { bodyNames, proxyNames } from './names.ts'

/** The goals that the product set itself, and how each is read from a run's figures. */
export type Results = Readonly<Record<string, Readonly<Record<string, number>>>>

export interface Goal {
  readonly figure: string
  readonly goal: number
  /** Whether more is better; else it is a limit. */
  readonly more: boolean
  /** A time on the clock or on a core: it says something on the same machine alone. Ratios and sizes do anywhere. */
  readonly time: boolean
  /** Undefined where the run did not measure it. */
  readonly seen: (results: Results) => number | undefined
}

export interface Reached {
  readonly figure: string
  readonly seen: number
  readonly goal: number
  readonly met: boolean
}

export function reached(results: Results): readonly Reached[] {
  return goals.flatMap(({ figure, goal, more, seen }) => {
    const value = seen(results)
    if (value === undefined) return []
    return [{ figure, seen: value, goal, met: more ? value >= goal : value <= goal }]
  })
}

const { bare, ours, express, apache } = proxyNames
const [small, middle, large] = bodyNames

type Figure = 'cpuMicroseconds' | 'requestsPerSecond' | 'p99Ms'

const of = (results: Results, body: string, proxy: string, figure: Figure): number | undefined =>
  results['proxies']?.[`${body} / ${proxy} / ${figure}`]

const divide = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined || b === 0 ? undefined : a / b

const cpu = (body: string, goal: number): Goal => ({
  figure: `${body}: CPU of the bare proxy over ours`,
  goal,
  more: true,
  time: false,
  seen: (results) =>
    divide(of(results, body, bare, 'cpuMicroseconds'), of(results, body, ours, 'cpuMicroseconds')),
})

const rate = (body: string, other: string, goal: number): Goal => ({
  figure: `${body}: requests a second, ours over ${other}`,
  goal,
  more: true,
  time: false,
  seen: (results) =>
    divide(
      of(results, body, ours, 'requestsPerSecond'),
      of(results, body, other, 'requestsPerSecond'),
    ),
})

const late = (body: string): Goal => ({
  figure: `${body}: p99, ours over the bare proxy's`,
  goal: 2,
  more: false,
  time: false,
  seen: (results) => divide(of(results, body, ours, 'p99Ms'), of(results, body, bare, 'p99Ms')),
})

const limit = (section: string, name: string, goal: number, time: boolean): Goal => ({
  figure: name,
  goal,
  more: false,
  time,
  seen: (results) => results[section]?.[name],
})

export const goals: readonly Goal[] = [
  cpu(small, 0.55),
  cpu(middle, 0.7),
  cpu(large, 0.75),
  rate(small, express, 3),
  rate(middle, express, 2.2),
  rate(large, express, 1.8),
  rate(small, apache, 4),
  rate(large, apache, 1.5),
  late(small),
  late(middle),
  late(large),
  limit('live', '100000 launches, Redis MB', 400, false),
  limit('limits', 'cold start ms', 1000, true),
  limit('limits', '500 connections, peak MB', 400, false),
  limit('limits', '5 MB, rise in MB', 64, false),
  limit('limits', '5 MB, event loop ms', 50, true),
  limit('parts', 'audit: record a FHIR call', 30, true),
]
