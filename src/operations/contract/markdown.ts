/** Markdown whose cells hold words of the configuration. */

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`

/** A bar would end the cell, also within code. */
const cell = (content: string): string =>
  content.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')

export const code = (content: string): string => `\`${content.replaceAll('`', "'")}\``

export const text = (content: string): string => content.replaceAll(/[<>`]/g, "'")
