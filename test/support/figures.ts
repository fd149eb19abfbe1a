import type { Test } from 'tap'

/** What a test has counted or measured, by name: a comment of its TAP, which test/long.ts reads and keeps. */
export interface Figures {
  readonly [name: string]: number | string | Figures
}

const mark = 'figures '

export function tellFigures(t: Pick<Test, 'comment'>, figures: Figures): void {
  t.comment(`${mark}${JSON.stringify(figures)}`)
}

/** Of a line of TAP, however deep its test stands in others. */
export function readFigures(line: string): Figures | undefined {
  const [, text] = /^ *# figures (\{.*\})$/.exec(line) ?? []
  return text === undefined ? undefined : (JSON.parse(text) as Figures)
}
