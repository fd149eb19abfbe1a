import type { z } from 'zod'
import { type Finding, type Path, quote } from './fault.ts'
import { knownKeys, mayHoldSecret } from './schema-walk.ts'

/** Turns what zod says into findings: in the file's words, with the value found only where no secret can stand. */

type Issue = z.core.$ZodIssue

export interface Found {
  readonly valueAt: (path: Path) => unknown
  /** "the variable X", for a value that came from a reference; such a value is never shown. */
  readonly originOf: (path: Path) => string | undefined
}

export const judgeIssues = (issues: readonly Issue[], found: Found, base: Path = []): Finding[] =>
  issues.flatMap((issue) => judgeIssue(issue, found, [...base, ...pathOf(issue)]))

const pathOf = (issue: Issue): Path =>
  issue.path.map((part) => (typeof part === 'number' ? part : String(part)))

function judgeIssue(issue: Issue, found: Found, path: Path): Finding[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key))
  if (issue.code === 'invalid_key') return [unknownKey(path.slice(0, -1), String(path.at(-1)))]
  if (issue.code === 'invalid_union') return judgeUnion(issue, found, path)
  return [{ path, found: describe(path, found), expected: expectation(issue) }]
}

function unknownKey(path: Path, key: string): Finding {
  const known = knownKeys(path)
  const expected = known.length === 0 ? 'no such key' : `one of ${known.join(', ')}`
  return { path: [...path, key], found: 'an unknown key', expected }
}

/** Of several shapes the one that fits the keys best was meant; a tie names the keys that tell the shapes apart. */
function judgeUnion(issue: z.core.$ZodIssueInvalidUnion, found: Found, path: Path): Finding[] {
  if (issue.errors.length === 0) {
    const options = 'options' in issue && Array.isArray(issue.options) ? issue.options : []
    const expected = `one of ${options.join(', ')}`
    return [{ path, found: describe(path, found), expected }]
  }
  const scored = issue.errors.map((issues) => ({ issues, score: misfit(issues, found, path) }))
  const best = Math.min(...scored.map(({ score }) => score))
  const fitting = scored.filter(({ score }) => score === best)
  if (fitting.length === 1) return judgeIssues(fitting[0]?.issues ?? [], found, path)
  const expected = `a map of one of its kinds; known keys are ${knownKeys(path).join(', ')}`
  return [{ path, found: describe(path, found), expected }]
}

/** Counts the keys too many and the keys missing at the top of one shape. */
function misfit(issues: readonly Issue[], found: Found, base: Path): number {
  let count = 0
  for (const issue of issues) {
    if (issue.code === 'unrecognized_keys') count += issue.keys.length
    const path = [...base, ...pathOf(issue)]
    if (issue.path.length === 0 && issue.code === 'invalid_type') count += 1
    if (issue.path.length === 1 && found.valueAt(path) === undefined) count += 1
  }
  return count
}

function describe(path: Path, { valueAt, originOf }: Found): string {
  const value = valueAt(path)
  if (value === undefined) return 'nothing'
  if (value === null) return 'an empty value'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'string') return describeText(value, path, originOf(path))
  if (typeof value === 'object') return 'a map'
  return mayHoldSecret(path) ? `a ${typeof value}` : JSON.stringify(value)
}

function describeText(value: string, path: Path, origin: string | undefined): string {
  if (origin !== undefined) return `a value of ${value.length} characters from ${origin}`
  return mayHoldSecret(path) ? `a text of ${value.length} characters` : quote(value)
}

const typeNames: Record<string, string> = {
  string: 'a text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
}

function expectation(issue: Issue): string {
  if (issue.code === 'invalid_type') return typeNames[issue.expected] ?? issue.expected
  if (issue.code === 'invalid_value') return `one of ${issue.values.join(', ')}`
  if (issue.code === 'too_small') return sized('at least', Number(issue.minimum), issue.origin)
  if (issue.code === 'too_big') return sized('at most', Number(issue.maximum), issue.origin)
  return issue.message
}

function sized(bound: string, count: number, kind: string): string {
  if (kind === 'array') return `${bound} ${count} ${count === 1 ? 'entry' : 'entries'}`
  return kind === 'string' ? `${bound} ${count} characters` : `${bound} ${count}`
}
