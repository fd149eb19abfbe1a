/** Reads tap's own output line by line and tells what each test file did, and the counts at the end. */

export interface FileResult {
  readonly file: string
  readonly ok: boolean
  readonly seconds: number
  /** What the file printed where it failed: everything but its passed assertions. */
  readonly output: readonly string[]
}

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export interface TapStream {
  /** A result when this line ends a file. */
  line(text: string): FileResult | undefined
  counts(): Counts | undefined
}

const fileEnd = /^(not )?ok \d+ - (.+?)(?: # time=([\d.]+)ms)?$/
const passedLine = /^\s*(ok \d+|\d+\.\.\d+|# Subtest: |# time=)/
const countsLine = /^# \{ total: \d+.*\}$/
const maxOutputLines = 200

export function createTapStream(): TapStream {
  let output: string[] = []
  let counts: Counts | undefined
  return {
    counts: () => counts,
    line: (text) => {
      const end = fileEnd.exec(text)
      if (end === null) {
        if (countsLine.test(text)) counts = readCounts(text)
        else if (text.startsWith('    ') && text.trim() !== '' && !passedLine.test(text))
          output.push(text)
        return undefined
      }
      const [, failed, file = '', time = '0'] = end
      const kept = output.slice(0, maxOutputLines)
      output = []
      return { file, ok: failed === undefined, seconds: Number(time) / 1000, output: kept }
    },
  }
}

function readCounts(text: string): Counts {
  const count = (name: string): number =>
    Number(new RegExp(`\\b${name}: (\\d+)`).exec(text)?.[1] ?? 0)
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') }
}
