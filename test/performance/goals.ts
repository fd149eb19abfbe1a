import { bodyNames, proxyNames } from './names.ts'

/** The goals that the product set itself, and how each is read from a run's figures. */
export type Results = Readonly<Record<string, Readonly<Record<string, number>>>>

export interface Goal {
  readonly figure: string
  readonly goal: number
  /** Whether more is better; else it is a limit. */
  readonly more: boolean
  /**
   * Whether a change of it says something: `ratio` and `size` do on any machine, `cpu` (a time on a core) on the same
   * alone, and what differs by half from run to run, as a p99 does, nowhere.
   */
  readonly kind: 'ratio' | 'size' | 'cpu' | 'restless'
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
  kind: 'ratio',
  seen: (results) =>
    divide(of(results, body, bare, 'cpuMicroseconds'), of(results, body, ours, 'cpuMicroseconds')),
})

const rate = (body: string, other: string, goal: number): Goal => ({
  figure: `${body}: requests a second, ours over ${other}`,
  goal,
  more: true,
  kind: 'restless',
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
  kind: 'restless',
  seen: (results) => divide(of(results, body, ours, 'p99Ms'), of(results, body, bare, 'p99Ms')),
})

const limit = (section: string, name: string, goal: number, kind: Goal['kind']): Goal => ({
  figure: name,
  goal,
  more: false,
  kind,
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
  limit('live', '100000 launches, Redis MB', 400, 'size'),
  limit('limits', 'cold start ms', 1000, 'restless'),
  limit('limits', '500 connections, peak MB', 400, 'size'),
  limit('limits', '5 MB, rise in MB', 64, 'restless'),
  limit('limits', '5 MB, event loop ms', 50, 'restless'),
  limit('limits', '5 MB, first, event loop ms', 50, 'restless'),
  limit('parts', 'audit: record a FHIR call', 30, 'cpu'),
]
